"""Corpus formats by name. To add one, write a module with a `FORMAT` and list it here."""

from __future__ import annotations

from ner_head.formats import bsnlp, conll, jsonl, slavicner
from ner_head.formats.format import Format

FORMATS: dict[str, Format] = {
    format.name: format for format in (bsnlp.FORMAT, slavicner.FORMAT, conll.FORMAT, jsonl.FORMAT)
}
"""Corpus formats by the name that `prepare.format` gives them."""
