"""Read `params.yaml`. A stage uses and depends on its own sections; the other sections are only checked."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetPydanticSchema, ValidationError
from pydantic_core import ErrorDetails, core_schema
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ner_head.base.errors import UsageError

SECTIONS = {
    "prepare": ("ner_head.preparation.prepare", "PrepareParams"),
    "encoder": ("ner_head.features.extraction.params", "EncoderParams"),
    "head": ("ner_head.head.params", "HeadParams"),
    "training": ("ner_head.training.params", "TrainingParams"),
    "baseline": ("ner_head.baseline", "BaselineParams"),
    "lemmatize": ("ner_head.lemmas.params", "LemmaParams"),
    "link": ("ner_head.linking.params", "LinkParams"),
    "runtime": ("ner_head.base.runtime", "RuntimeParams"),
}
"""Module and name of the class of each section. They are imported by name, because a stage that only checks a section
does not depend on its class: the check may stop the stage, but never changes its output."""


class Params(BaseModel):
    """Base of all params classes: unknown keys are errors, instances are frozen, and values are not converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def one_of(names: Iterable[str]) -> GetPydanticSchema:
    """An annotation that restricts a param to given names, with the same check and message as a `Literal`.

    Write `Annotated[str, one_of(TABLE)]` for the keys of a table.
    """
    schema = core_schema.literal_schema(list(names))
    return GetPydanticSchema(lambda _source, _handler: schema)


P = TypeVar("P", bound=Params)
SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 80
SHORT.maxlevel = 2
"""Shows values in messages. The whole value may be of any length, and with aliases of YAML longer than memory."""


def round_trip() -> YAML:
    """A YAML reader and writer that keeps comments, quotes and the style of lists."""
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 120, True
    return yaml


def read_params(path: Path, section: str, model: type[P]) -> P:
    """Read one section of a params file, and check all other sections in it.

    The file is YAML 1.2, in which `1e-3` is a number.

    Raises:
        UsageError: keys or values are wrong; one line with the file and the dotted path of each.
    """
    content = read_sections(path)
    problems = list[str]()
    for name in content:
        if name != section:
            try:
                class_of(name).model_validate(content[name])
            except ValidationError as error:
                problems += describe(error, name, class_of(name))
    try:
        params = model.model_validate(content.get(section, {}))
    except ValidationError as error:
        problems = describe(error, section, model) + problems
    if problems:
        raise UsageError(f"{path}: {'; '.join(problems)}")
    return params


def read_sections(path: Path) -> dict[str, Any]:
    """Read all sections of a params file without checking them.

    Raises:
        UsageError: there is no such file, or it does not consist of sections.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; run from the project's root") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; a file of params is expected") from None
    except (YAMLError, ValueError) as error:
        raise UsageError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UsageError(f"{path}: not valid YAML: nested too deep") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected sections ({', '.join(SECTIONS)}), got {type(content).__name__}")
    unknown = [dotted([key]) for key in content if key not in SECTIONS]
    if unknown:
        raise UsageError(f"{path}: unknown section {', '.join(unknown)[:80]}; sections are {', '.join(SECTIONS)}")
    if too_large := first_too_large(content):
        raise UsageError(f"{path}: {too_large}: the number has too many digits; give one that 64 bits can hold")
    return {name: {} if values is None else values for name, values in content.items()}


def first_too_large(content: Mapping[object, object]) -> str | None:
    """The dotted path of an integer that 64 bits cannot hold, as torch and numpy need it; None if there is none."""
    todo: list[tuple[str, object]] = [("", content)]
    seen = set[int]()  # an alias makes one list the value of many keys
    while todo:
        place, value = todo.pop()
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            return place
        if isinstance(value, dict | list) and id(value) not in seen:
            seen.add(id(value))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            todo += [(f"{place}.{dotted([key])}" if place else dotted([key]), inner) for key, inner in items]
    return None


def class_of(section: str) -> type[Params]:
    """The params class of a section."""
    module, name = SECTIONS[section]
    found: type[Params] = getattr(import_module(module), name)
    return found


def validate(values: Mapping[str, object], section: str, model: type[P], *, source: str = "") -> P:
    """Build params from plain values.

    Args:
        values: the values.
        section: name of the section, for error messages.
        model: class of the params.
        source: prefix of error messages.
    Raises:
        UsageError: keys or values are wrong; one line with the dotted path of each.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UsageError(source + "; ".join(describe(error, section, model))) from None


def first_problem(error: ValidationError) -> str:
    """The first error that pydantic found, as `dotted.path: message`."""
    first = error.errors(include_url=False)[0]
    return ": ".join([*([dotted(first["loc"])] if first["loc"] else []), first["msg"]])


def dotted(parts: Iterable[object]) -> str:
    """The path of a param on one line. A key in a file may be of any length, and have line breaks."""
    return ".".join(SHORT.repr(str(part))[1:-1] for part in parts)


def describe(error: ValidationError, section: str, model: type[BaseModel]) -> list[str]:
    """All errors that pydantic found, each as `dotted.path: message (got value)`."""
    return [f"{dotted((section, *item['loc']))}: {_what(item, model)}" for item in error.errors(include_url=False)]


def _what(item: ErrorDetails, model: type[BaseModel]) -> str:
    kind, value = item["type"], item["input"]
    if kind == "extra_forbidden":
        *parents, key = item["loc"]
        keys = keys_at(model, parents)
        near = difflib.get_close_matches(str(key), keys, 1)
        return f"no such key{f', did you mean {near[0]}?' if near else ''} (keys: {', '.join(keys)})"
    if kind == "missing":
        return item["msg"]
    quoted = f'; write "{value}" in quotes' if kind == "string_type" and isinstance(value, int | float) else ""
    return f"{item['msg']} (got {SHORT.repr(value)}){quoted}"


def keys_at(model: type[BaseModel], parents: list[int | str]) -> list[str]:
    """The keys of a params class, or of a class nested in it."""
    for part in parents:
        inner = model.model_fields[str(part)].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
