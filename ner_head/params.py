"""`params.yaml`, read section by section, so that each stage sees (and depends on) its own params only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ner_head.errors import UsageError

SECTIONS = ("prepare", "encoder", "head", "training", "baseline", "runtime")


class Params(BaseModel):
    """Base of every params class: closed, frozen, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


P = TypeVar("P", bound=Params)


def read_params(path: Path, section: str, model: type[P]) -> P:
    """Read one section of a params file (YAML 1.2, where `1e-3` is a number).

    Raises:
        UsageError: one line with the file and the dotted path of every wrong key or value.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; run from the project's root") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected sections ({', '.join(SECTIONS)}), got {type(content).__name__}")
    unknown = [str(key) for key in content if key not in SECTIONS]
    if unknown:
        raise UsageError(f"{path}: unknown section {', '.join(unknown)}; sections are {', '.join(SECTIONS)}")
    return validate(content.get(section) or {}, section, model, source=f"{path}: ")


def validate(values: Mapping[str, object], section: str, model: type[P], *, source: str = "") -> P:
    """Params from plain values.

    Raises:
        UsageError: one line, `source` and the dotted path of every wrong key or value.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError(source + problems(error, section)) from None


def problems(error: ValidationError, section: str) -> str:
    """All that pydantic found, as `dotted.path: what (got value)` joined by semicolons."""
    rows = []
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in (section, *item["loc"]))
        shown = "" if item["type"] in {"missing", "extra_forbidden"} else f" (got {item['input']!r})"
        what = "no such key" if item["type"] == "extra_forbidden" else item["msg"]
        rows.append(f"{where}: {what}{shown}")
    return "; ".join(rows)
