"""Assignments `section.name=value` on command lines, and their application to params."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml.error import YAMLError

from ner_head.base.errors import UsageError
from ner_head.base.params import round_trip


def split_assignment(text: str) -> tuple[str, str]:
    """Split `a.b=value` into the dotted name and the text of the value.

    Raises:
        UsageError: There is no `=`, or a part of the name is empty.
    """
    name, sign, value = text.partition("=")
    if not sign or not all(name.split(".")):
        raise UsageError(f"{text}: expected section.name=value")
    return name, value


def parse_assignment(text: str) -> dict[str, Any]:
    """Parse `a.b=value` to {a: {b: value}}. The value is YAML.

    Raises:
        UsageError: The text is not an assignment, or the value is not valid YAML.
    """
    name, value = split_assignment(text)
    try:
        result = round_trip().load(value)
    except YAMLError as error:
        raise UsageError(f"{text}: not valid YAML: {' '.join(str(error).split())}") from None
    for part in reversed(name.split(".")):
        result = {part: result}
    return result  # type: ignore[no-any-return]


def merge(
    params: dict[str, Any], changes: Mapping[str, Any], *, source: object, place: str = "", whole: Sequence[str] = ()
) -> None:
    """Merge changes into params in place, key by key.

    Args:
        params: Nested params.
        changes: New values, nested like `params`.
        source: File of the params, for error messages.
        place: Dotted name of `params` in the file.
        whole: Dotted names of sections that are replaced and not merged.
    Raises:
        UsageError: The params do not have a section or name of the changes.
    """
    for key, value in changes.items():
        here = f"{place}.{key}" if place else key
        if key not in params:
            raise UsageError(f"{here}: no such key in {source}")
        if isinstance(value, Mapping) and isinstance(params[key], dict) and here not in whole:
            merge(params[key], value, source=source, place=here, whole=whole)
        else:
            params[key] = value
