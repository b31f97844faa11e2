"""Texts and spans survive each format, and each pair of formats, to the character; what does not is counted."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ner_head import conversion
from ner_head.base.errors import DataError, NerHeadError, UsageError
from ner_head.conversion import Losses, Options
from ner_head.corpus.documents import Document, Span
from ner_head.corpus.segment import segment
from tests.corpus.strategies import documents as any_documents

EXACT = ("label-studio", "doccano", "brat", "webanno", "xmi", "spacy", "conll", "jsonl")
OPTIONS = Options(columns=10)
DROPS = {"only white space", "white space trimmed", "overlapping", "twice", "place not kept"}
WORDS = (
    *("Jana", "Praha", "ГОРОД", ".", "x|y", "[1]", "\\n", "*", "_", "->", "#"),
    *("👩🏽‍🚀", "😀", "e\u0301a", "שלום", "عربي", "\u202bab\u202c", "\ufeffa"),  # emoji, marks, right to left
)
WHITE = ("\r\n", "\n", " ", "  ", "\t", "\u2028", "\xa0", "\n\n")
settings.register_profile("quick", deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def held(draw: st.DrawFn) -> Document:
    """Documents that every format of `EXACT` can hold: spans do not overlap, and have no white space at their ends."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8))
    gaps = draw(st.lists(st.sampled_from(WHITE), min_size=len(words), max_size=len(words)))
    text = draw(st.sampled_from(["", *WHITE])) + "".join(a + b for a, b in zip(words, gaps, strict=True))
    edges = range(len(text) + 1)
    chosen = sorted(draw(st.lists(st.sampled_from(edges), unique=True, max_size=6)))
    pairs = zip(chosen[::2], chosen[1::2], strict=False)
    spans = [Span(a, b, draw(st.sampled_from(["PER", "LOC"]))) for a, b in pairs if text[a:b].strip() == text[a:b]]
    return Document("d", text, "cs", "news", spans=tuple(spans))


def through(document: Document, form: str, losses: Losses | None = None) -> Document | None:
    """The document after it was written and read."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "there")
        conversion.write([document], path, form, losses, OPTIONS)
        found = list(conversion.read(path, form, Losses(), OPTIONS))
    return found[0] if found else None


@pytest.mark.parametrize(("one", "other"), list(combinations(EXACT, 2)))
@settings(settings.get_profile("quick"), max_examples=6)
@given(document=held())
def test_spans_survive_a_pair_of_formats(one: str, other: str, document: Document) -> None:
    for form in (one, other, one):
        losses = Losses()
        found = through(document, form, losses)
        assert found is not None
        assert losses.found == []
        assert (found.text, found.spans) == (document.text, document.spans)


@pytest.mark.parametrize("form", [*EXACT, "bsnlp"])
@settings(settings.get_profile("quick"), max_examples=25)
@given(document=any_documents())
def test_what_a_format_drops_is_counted(form: str, document: Document) -> None:
    document = replace(document, id="d", topic="t", sentences=(), text=document.text.replace("\0", "0"))
    losses = Losses()
    found = through(document, form, losses)
    if found is None:
        assert form == "conll"
        assert not document.text.strip()
        return
    if "text changed" not in losses.counts():
        assert found.text == document.text
    dropped = [loss for loss in losses.found if loss.kind in DROPS or "no category" in loss.detail]
    assert len(set(document.spans) - set(found.spans)) <= len(dropped)


@pytest.mark.parametrize("form", ["label-studio", "brat", "xmi", "spacy", "jsonl"])
def test_probabilities_travel(form: str) -> None:
    document = Document("d", "😀 Jana v Brně", spans=(Span(2, 6, "PER", 0.9375), Span(9, 13, "LOC", 0.5)))
    found = through(document, form)
    assert found is not None
    assert [span.probability for span in found.spans] == [0.9375, 0.5]


@pytest.mark.parametrize("form", ["doccano", "webanno", "conll", "bsnlp"])
def test_a_format_without_a_place_for_probabilities_counts_them(form: str) -> None:
    losses = Losses()
    through(Document("d", "Jana", spans=(Span(0, 4, "PER", 0.9),)), form, losses)
    assert losses.counts() == {"probability": 1}


@pytest.mark.parametrize("form", [name for name, tool in conversion.TOOLS.items() if tool.write])
def test_lemmas_and_ids_travel_or_are_counted(form: str) -> None:
    losses = Losses()
    span = Span(0, 4, "PER", lemma="Jan", entity="PER-Jan")
    found = through(Document("d", "Jana", language="cs", spans=(span,)), form, losses)
    assert found is not None
    kept = [(one.lemma, one.entity) for one in found.spans] == [("Jan", "PER-Jan")]
    assert kept == (form in ("jsonl", "bsnlp"))
    assert losses.counts().get("lemma or id", 0) == (0 if kept else 1)


@pytest.mark.parametrize("scheme", ["IOB2", "IOB1", "BIOES"])
@pytest.mark.parametrize("columns", [2, 4, 9, 10])
def test_conll_is_read_in_each_scheme_and_number_of_columns(tmp_path: Path, scheme: str, columns: int) -> None:
    text = "Jana Nová Petr mlčí v Brně dnes."
    spans = (Span(0, 9, "PER"), Span(10, 14, "PER"), Span(22, 26, "LOC"))
    options = Options(scheme=scheme, columns=columns)  # type: ignore[arg-type]
    conversion.write([Document("d", text, spans=spans)], tmp_path / "a.conll", "conll", options=options)
    rows = [row.split("\t") for row in (tmp_path / "a.conll").read_text(encoding="utf-8").splitlines()[1:] if row]
    assert {len(row) for row in rows} == {columns}
    (found,) = conversion.read(tmp_path / "a.conll", "conll")
    assert [(found.text[s.start : s.end], s.label) for s in found.spans] == [
        ("Jana Nová", "PER"),
        ("Petr", "PER"),
        ("Brně", "LOC"),
    ]


def test_conll_counts_overlaps_and_joins_sentences_that_a_span_crosses(tmp_path: Path) -> None:
    document = Document("d", "Ano. Ne.", "cs", spans=(Span(0, 3, "A"), Span(0, 8, "B")))
    losses = conversion.write([document], tmp_path / "a.conll", "conll", options=OPTIONS)
    (found,) = conversion.read(tmp_path / "a.conll", "conll")
    assert found.spans == (Span(0, 8, "B"),)
    assert losses.counts() == {"overlapping": 1}


@pytest.mark.parametrize("form", ["label-studio", "doccano", "jsonl", "brat", "webanno", "conll"])
def test_an_id_with_a_lone_surrogate_is_one_line(form: str, tmp_path: Path) -> None:
    document = Document("a\ud800", "Jana", "cs", sentences=segment("Jana", "cs"), spans=(Span(0, 4, "PER"),))
    with pytest.raises(DataError, match=r"out: an id or a label has a lone surrogate, near '.*\\ud800"):
        conversion.write([document], tmp_path / "out", form)
    assert not (tmp_path / "out").exists()


def test_unknown_formats_and_absent_files_are_errors_of_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown format 'x'; formats are label-studio, doccano"):
        conversion.read(tmp_path, "x")
    with pytest.raises(UsageError, match="no such file or folder"):
        conversion.read(tmp_path / "absent", "jsonl")
    with pytest.raises(NerHeadError, match="unknown format 'slavicner'"):
        conversion.write([], tmp_path / "x", "slavicner")
