"""Write a named experiment into params.yaml: `python -m experiments.params FILE ... [section.name=value ...]`.

Later files and assignments override earlier ones. Params that are not named keep their values. A value is YAML.
Comments are kept.
"""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from experiments.assignments import merge, parse_assignment
from ner_head.base.errors import UsageError
from ner_head.base.params import round_trip
from stages import PARAMS, run

WHOLE = ["prepare.splits"]  # replaced as a whole: the topics of another experiment do not apply


def main() -> None:
    """Merge the arguments into params.yaml."""
    params = read(PARAMS)
    for argument in sys.argv[1:]:
        if "=" in argument:
            merge(params, parse_assignment(argument), source=PARAMS)
        else:
            merge(params, read(Path(argument)), source=PARAMS, whole=WHOLE)
    with StringIO() as text:
        round_trip().dump(params, text)
        PARAMS.write_text(text.getvalue(), encoding="utf-8", newline="\n")


def read(path: Path) -> dict[str, Any]:
    """Read a YAML file of sections.

    Raises:
        UsageError: The file is absent, is not valid YAML, or has no sections.
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


if __name__ == "__main__":
    run(main)
