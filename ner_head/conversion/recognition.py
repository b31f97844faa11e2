"""Recognise the files of annotation tools."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import islice
from pathlib import Path

HEAD = 65_536  # characters of a file that are looked at
SUFFIXES = {".ann": "brat", ".xmi": "xmi", ".spacy": "spacy"}


def tool_name(source: Path) -> str | None:
    """The tool that a file or a folder was exported from, if it must be converted before `prepare` reads it.

    Args:
        source: a file, or a folder whose files are looked at.
    Returns:
        A name of `conversion.TOOLS`; None if it is not known.
    """
    files = (
        [source] if source.is_file() else islice((path for path in sorted(source.rglob("*")) if path.is_file()), 1000)
    )
    found = (_of_file(path) for path in files if not path.name.startswith("."))
    return next((name for name in found if name), None)


def _of_file(path: Path) -> str | None:
    if path.suffix.lower() in SUFFIXES:
        return SUFFIXES[path.suffix.lower()]
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as handle:
            head = handle.read(HEAD)
    except OSError:
        return None
    if head.startswith("#FORMAT=WebAnno TSV 3"):
        return "webanno"
    if head.lstrip().startswith("[") and any(
        f'"{key}":' in head.replace('" :', '":') for key in ("annotations", "from_name")
    ):
        return "label-studio"
    return "doccano" if _counts_utf16(head) else None


def _counts_utf16(head: str) -> bool:
    """Whether a line is one of doccano, in which offsets of UTF-16 differ from those of characters."""
    for line in head.splitlines():
        with suppress(ValueError, RecursionError):
            record = json.loads(line)
            if (
                isinstance(record, dict)
                and isinstance(record.get("text"), str)
                and max(record["text"], default="") > "\uffff"
            ):
                keys = {"Comments", "relations"} & set(record)
                if isinstance(record.get("label"), list) or (keys and isinstance(record.get("entities"), list)):
                    return True
    return False
