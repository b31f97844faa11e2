"""Readers of corpora, by the name that params.yaml gives them. Each yields documents with their problems."""

from __future__ import annotations

from ner_head.formats import bsnlp, conll, jsonl, slavicner
from ner_head.formats.reading import Reader

READERS: dict[str, Reader] = {
    "bsnlp2019": bsnlp.read,
    "slavicner": slavicner.read,
    "conll": conll.read,
    "jsonl": jsonl.read,
}
