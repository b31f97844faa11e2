from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ner_head.base.errors import DataError
from ner_head.formats.jsonl import read
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from tests.corpus.strategies import write


def test_words_and_tags_of_hugging_face_are_read(tmp_path: Path) -> None:
    rows = [
        {"id": 0, "tokens": ["Jana", "Malá", "spí"], "ner_tags": ["B-PER", "I-PER", "O"], "pos_tags": [1, 2, 3]},
        {"id": 1, "tokens": ["v", "\u00a0", "Brně"], "ner_tags": ["O", "O", "B-LOC"], "spans": ["LOC: Brně"]},
        {"id": 2, "tokens": [], "ner_tags": []},
        {"id": 3, "tokens": ["slepý"]},
        {"text": "EU", "spans": [[0, 2, "ORG"]]},
    ]
    write(tmp_path, {"a.jsonl": "\n".join(map(json.dumps, rows))})
    log = ReaderLog()
    found = list(read(tmp_path, ReaderOptions(), log))
    assert [(d.id, d.text, [(d.text[s.start : s.end], s.label) for s in d.spans]) for d, _ in found] == [
        ("0", "Jana Malá spí", [("Jana Malá", "PER")]),
        ("1", "v Brně", [("Brně", "LOC")]),
        ("2", "", []),
        ("3", "slepý", []),
        ("5", "EU", [("EU", "ORG")]),
    ]
    assert [[word.text for word in s.words] for d, _ in found for s in d.sentences] == [
        ["Jana", "Malá", "spí"],
        ["v", "Brně"],
        ["slepý"],
    ]
    assert [[p.kind for p in problems] for _, problems in found] == [[], ["blank word"], [], ["no annotations"], []]
    assert log.notices == [f"keys that nothing reads: 'pos_tags' (1 records, first {tmp_path}/a.jsonl:1)"]


def test_the_scheme_of_tags_is_that_of_the_file(tmp_path: Path) -> None:
    rows = [{"tokens": ["a", "b"], "ner_tags": ["I-PER", "B-PER"]}, {"tokens": ["c"], "ner_tags": ["I-LOC"]}]
    write(tmp_path, {"a.jsonl": "\n".join(map(json.dumps, rows))})
    found = list(read(tmp_path, ReaderOptions(), ReaderLog()))
    assert [len(document.spans) for document, _ in found] == [2, 1]
    assert [problems for _, problems in found] == [(), ()]  # IOB1, in which none of them is out of place


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"tokens": ["Jana"], "ner_tags": [1]}, r"ner_tags must be strings, such as B-PER, got \[1\]; the names of"),
        ({"tokens": ["Jana", "spí"], "ner_tags": ["O"]}, "2 tokens, but 1 ner_tags"),
        ({"tokens": ["a", "b"], "ner_tags": ["B-PER", "I-ORG|B-LOC"]}, "two tags in one cell"),
        ({"tokens": ["Jana"], "spans": [[0, 1, "PER"]]}, "'spans' beside words alone"),
        ({"tokens": [1], "ner_tags": ["O"]}, "no 'text'; its keys are 'tokens', 'ner_tags'"),
    ],
)
def test_words_and_tags_that_cannot_be_read_are_named(tmp_path: Path, record: dict[str, Any], why: str) -> None:
    write(tmp_path, {"a.jsonl": json.dumps(record)})
    with pytest.raises(DataError, match=rf"a\.jsonl:1: not a document: {why}"):
        list(read(tmp_path, ReaderOptions(), ReaderLog()))
