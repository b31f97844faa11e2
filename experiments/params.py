"""Write a named experiment into params.yaml: `python -m experiments.params FILE ... [section.name=value ...]`.

Later files and assignments win; what none of them names stays as it is. A value is YAML. Comments survive.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ner_head.base.errors import UsageError
from stages import PARAMS, run

WHOLE = ["prepare.splits"]  # a file names all of it: topics of the experiment before mean nothing in the next


def main() -> None:
    """Merge the arguments into params.yaml."""
    params = read(PARAMS)
    for argument in sys.argv[1:]:
        if "=" in argument:
            merge(params, assignment(argument))
        else:
            merge(params, read(Path(argument)), whole=WHOLE)
    with StringIO() as text:
        round_trip().dump(params, text)
        PARAMS.write_text(text.getvalue(), encoding="utf-8")


def round_trip() -> YAML:
    """YAML that keeps comments, quotes and the style of lists."""
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 120, True
    return yaml


def read(path: Path) -> dict[str, Any]:
    """A YAML file of sections.

    Raises:
        UsageError: it is absent, or not one.
    """
    try:
        content = round_trip().load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except YAMLError as error:
        raise UsageError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected sections, got {type(content).__name__}")
    return content


def assignment(text: str) -> dict[str, Any]:
    """`a.b=value` as {a: {b: value}}."""
    name, _, value = text.partition("=")
    result = round_trip().load(value)
    for part in reversed(name.split(".")):
        result = {part: result}
    return result  # type: ignore[no-any-return]


def merge(params: dict[str, Any], changes: Mapping[str, Any], place: str = "", *, whole: Sequence[str] = ()) -> None:
    """Put changes into params, key by key; those under a name in `whole` as one.

    Raises:
        UsageError: a section or name that params.yaml does not have.
    """
    for key, value in changes.items():
        here = f"{place}.{key}" if place else key
        if key not in params:
            raise UsageError(f"{here}: no such key in {PARAMS}")
        if isinstance(value, Mapping) and isinstance(params[key], dict) and here not in whole:
            merge(params[key], value, here, whole=whole)
        else:
            params[key] = value


if __name__ == "__main__":
    run(main)
