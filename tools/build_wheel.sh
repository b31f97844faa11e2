#!/usr/bin/env bash
# Build the library's wheel, with a model and its encoder inside if one is given. The source tree stays as it is.
# Usage: tools/build_wheel.sh FOLDER [MODEL], with the `python` of an environment that has ner-head and setuptools.
set -euo pipefail
mkdir -p "$1"
output=$(realpath "$1")
model=${2:+$(realpath "$2")}
cd "$(dirname "$0")/.."
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

cp -r ner_head stages pyproject.toml setup.py params.yaml dvc.yaml README.md LICENSE "$stage"
mkdir "$stage/.dvc"
cp -r .dvc/plots "$stage/.dvc"
if [ -n "$model" ]; then
    python -m ner_head.cli bundle "$model" "$stage/ner_head/bundled" --name "the demonstration model of ner-head" \
        --summary "trained on a small sample of invented news, to try ner-head with; not for real work" \
        --about docs/demonstration.md >/dev/null
fi
# the same files give the same bytes
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-315532800}
python -m pip wheel --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation \
    --wheel-dir "$output" "$stage"
