"""Results in every format."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ner_head.corpus.documents import Document, Sentence, Span, Word
from ner_head.corpus.segment import segment
from ner_head.evaluation.bsnlp_documents import write_predictions
from ner_head.formats import FORMATS
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.prediction.writers import WRITERS

TEXT = "Jana Nová bydlí v Brně. Ema spí."
SPANS = (Span(0, 9, "PER", 0.98), Span(18, 22, "LOC", 0.5))
FOUND = Document("a", TEXT, "cs", sentences=segment(TEXT, "cs"), spans=SPANS)
HOSTILE = "<script>alert(1)</script>\x1b[31m&\x00\x85"
EVIL = Document(HOSTILE, HOSTILE, '"><b>', spans=(Span(0, 8, '<i onload="x">', 0.5), Span(1, 3, "X")))


def write(form: str, *documents: Document) -> str:
    return "".join(WRITERS[form](documents))


def test_jsonl_is_a_record_a_line() -> None:
    assert [json.loads(line) for line in write("jsonl", FOUND, FOUND).splitlines()] == [FOUND.to_dict()] * 2


def test_conll_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text(write("conll", FOUND, FOUND), encoding="utf-8")
    first, second = FORMATS["conll"].read(path, ReaderOptions(), ReaderLog())
    for found in (first, second):
        document = found.document
        assert [[w.text for w in s.words] for s in document.sentences] == [
            [w.text for w in s.words] for s in FOUND.sentences
        ]
        assert [document.text[s.start : s.end] for s in document.spans] == ["Jana Nová", "Brně"]


def test_fields_of_conll_have_no_separators() -> None:
    odd = Document("a\nb", "x\ty", sentences=(Sentence((Word("x\ty", 0, 3),)),), spans=(Span(0, 3, "P\tQ"),))
    assert write("conll", odd) == "# newdoc id = a b\nx y\tB-P Q\n\n"


def test_text_has_entities_in_brackets() -> None:
    assert write("text", FOUND) == "== a (cs)\n[Jana Nová PER 0.98] bydlí v [Brně LOC 0.50]. Ema spí.\n\n"
    assert not {"\x1b", "\x00", "\x85"} & set(write("text", EVIL))


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_escapes_everything_and_loads_nothing() -> None:
    page = Page(write("html", FOUND, EVIL))
    known = {"html", "head", "meta", "title", "style", "body", "h1", "section", "h2", "small", "p", "mark", "b"}
    assert {tag for tag, _ in page.tags} == known
    assert {name for _, attributes in page.tags for name in attributes} == {
        "lang", "charset", "http-equiv", "content", "name", "class", "dir",
    }  # fmt: skip
    assert "<script>alert(1)</script>" in page.text
    assert not {"\x1b", "\x00"} & set(page.text)
    assert "url(" not in page.text
    (policy,) = [a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert [a["class"] for tag, a in page.tags if tag == "mark"] == ["c0", "c1", "c2"]


def test_annotations_of_the_shared_task_are_those_of_the_folder(tmp_path: Path) -> None:
    write_predictions(tmp_path, [FOUND])
    (path,) = tmp_path.rglob("*.out")
    assert write("bsnlp", FOUND) == path.read_text(encoding="utf-8")
    assert write("bsnlp", FOUND, FOUND) == "\n".join([write("bsnlp", FOUND)] * 2)


@pytest.mark.parametrize("form", sorted(WRITERS))
def test_a_writer_takes_one_document_at_a_time(form: str) -> None:
    taken = 0

    def documents() -> object:
        nonlocal taken
        for _ in range(5):
            taken += 1
            yield FOUND

    parts = WRITERS[form](documents())  # type: ignore[arg-type]
    ahead = [taken - number for number, _ in enumerate(parts)]
    assert max(ahead) <= 1
    assert taken == 5
