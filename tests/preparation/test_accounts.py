"""Nothing is lost without a count: for any corpus, in every format, the parts in reports/prepare.json add up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ner_head.base.errors import DataError
from ner_head.corpus.documents import word_spans as spans_of_words
from ner_head.formats.lines import split_lines
from ner_head.preparation.prepare import Prepared, PrepareParams, Splits, prepare
from tests.corpus.strategies import LABELS, word_spans, write

WORDS = ("Jana", "Malá", "Brno", "v", "EU", "27", ".", ",", "Konec")
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12)
paragraphs = st.lists(sentences, min_size=1, max_size=3)


def prepared(root: Path, name: str, files: Mapping[str, str], **params: Any) -> Prepared:
    """A corpus of these files, prepared whatever it loses."""
    write(root, dict(files))
    splits = Splits(train=["t"], test=["u"])
    return prepare(PrepareParams(source=str(root), format=name, splits=splits, max_lost=1.0, max_words=5, **params))


def check(found: Prepared, files: Mapping[str, str], tables: str) -> dict[str, Any]:
    """The report, after the sums that hold in every format; `tables` is the suffix of files of rows."""
    report = found.report()
    documents, mentions = report["documents"], report["mentions"]
    assert documents["read"] == sum(documents["kept"].values()) + sum(documents["left out"].values())
    assert mentions["read"] == mentions["kept"] + sum(mentions["changed"].values()) + sum(mentions["left out"].values())
    n_lines = sum(len(split_lines(content)) for path, content in files.items() if path.endswith(tables))
    assert sum(report["read"]["rows"].values()) == n_lines
    assert report["read"]["files"] == len(files)
    kept = [document for documents in found.splits.values() for document in documents]
    assert sum(documents["kept"].values()) == len(kept)
    in_tags = sum(len(spans_of_words(sentence, d.spans)) for d in kept for sentence in d.sentences)
    assert in_tags == mentions["kept"] + sum(mentions["changed"].values())
    return report


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    text = "\n".join(" ".join(words) for words in draw(paragraphs))
    spans = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        span = {"start": start, "end": end, "label": draw(st.sampled_from(("PER", " LOC ", "Full\tName")))}
        if draw(st.booleans()):
            span["text"] = draw(st.sampled_from((text[start:end], "zcela jiný text")))
        spans.append(span)
    return {
        "text": text,
        "spans": spans,
        "topic": draw(st.sampled_from(("t", "u", "other"))),
        "language": draw(st.sampled_from(("cs", "CS", "de", "und"))),
        "answer": draw(st.sampled_from(("accept", "reject", "ignore"))),
    }


FIRST = {"text": "EU", "spans": [[0, 2, "ORG"]], "language": "cs"}


@settings(deadline=None)
@given(st.lists(records(), max_size=6), st.booleans())
def test_jsonl_adds_up(rows: list[dict[str, Any]], wants_all: bool) -> None:
    rows = [{**FIRST, "topic": "t"}, {**FIRST, "topic": "u"}, *rows]
    files = {"a.jsonl": "\n\n".join(map(json.dumps, rows)) + "\n"}
    with TemporaryDirectory() as folder:
        found = prepared(Path(folder), "jsonl", files, languages=[] if wants_all else ["cs"])
    report = check(found, files, ".jsonl")
    assert report["documents"]["read"] == len(rows)
    assert report["mentions"]["read"] == sum(len(row["spans"]) for row in rows)
    rejected = sum(row.get("answer", "accept") != "accept" for row in rows)
    left_out = report["documents"]["left out"]
    assert left_out.get("answer reject", 0) + left_out.get("answer ignore", 0) == rejected


@st.composite
def tagged(draw: st.DrawFn) -> tuple[list[str], int]:
    """Lines of a sentence in IOB2, and its entities."""
    words = draw(sentences)
    spans = draw(word_spans(len(words)))
    tags = ["O"] * len(words)
    for span in spans:
        tags[span.start : span.end] = [f"B-{span.label}", *[f"I-{span.label}"] * (span.end - span.start - 1)]
    return [f"{word}\t{tag}" for word, tag in zip(words, tags, strict=True)], len(spans)


@settings(deadline=None)
@given(st.lists(tagged(), max_size=8), st.lists(st.sampled_from(("", "-DOCSTART-\tO", "# text = x")), max_size=4))
def test_conll_adds_up(found_sentences: list[tuple[list[str], int]], between: list[str]) -> None:
    lines = ["EU\tB-ORG", ""]
    for number, (rows, _) in enumerate(found_sentences):
        lines += [*rows, "", *between[number : number + 1]]
    files = {"t.conll": "\n".join(lines) + "\n", "u.conll": "EU\tB-ORG\n"}
    with TemporaryDirectory() as folder:
        found = prepared(Path(folder), "conll", files, document_words=10)
    report = check(found, files, ".conll")
    assert report["mentions"]["read"] == 2 + sum(n for _, n in found_sentences)


@settings(deadline=None)
@given(st.data())
def test_slavicner_adds_up(data: st.DataObject) -> None:
    files = {}
    n_mentions = 0
    for topic in ("t", "u"):
        text = "\n".join(" ".join(words) for words in data.draw(paragraphs))
        spans = data.draw(word_spans(len(text)))
        surfaces = [data.draw(st.sampled_from((text[span.start : span.end], "jinak"))) for span in spans]
        rows = [
            f"{span.start}\t{span.end}\t{surface}\tx\t{span.label}\tx"
            for span, surface in zip(spans, surfaces, strict=True)
            if "\n" not in surface
        ]
        files |= {f"raw/{topic}/cs/1.txt": text, f"ner/{topic}/cs/1.tsv": "".join(f"{row}\n" for row in rows)}
        n_mentions += len(rows)
    with TemporaryDirectory() as folder:
        found = prepared(Path(folder), "slavicner", files)
    assert check(found, files, ".tsv")["mentions"]["read"] == n_mentions


@settings(deadline=None)
@given(st.data())
def test_bsnlp_adds_up(data: st.DataObject) -> None:
    files = {}
    n_missing = 0
    for topic in ("t", "u"):
        words = data.draw(sentences)
        forms = data.draw(st.lists(st.sampled_from((*WORDS[:5], "jana", "Ostrava", "Praha")), unique=True, max_size=5))
        rows = [f"{form}\t{form}\t{data.draw(st.sampled_from((*LABELS, 'GOD')))}\tx" for form in forms]
        lower = {word.lower() for word in words}
        n_missing += sum("GOD" in row or form.lower() not in lower for form, row in zip(forms, rows, strict=True))
        header = "1\ncs\n2018-01-01\nhttps://news.example\n"
        files |= {
            f"raw/{topic}/cs/1.txt": header + " ".join(words),
            f"annotated/{topic}/cs/1.out": "\n".join(["1", *rows]) + "\n",
        }
    with TemporaryDirectory() as folder:
        found = prepared(Path(folder), "bsnlp2019", files)
    left_out = check(found, files, ".out")["mentions"]["left out"]
    assert left_out.get("not found", 0) + left_out.get("row ignored", 0) == n_missing


def lossy(n_lost: int, n_kept: int, **changes: object) -> str:
    """Records of which so many have a span that is lost."""
    kept = {"text": "EU a ČR", "spans": [[0, 2, "ORG"]], "topic": "t", **changes}
    lost = {**kept, "spans": [{"start": 0, "end": 2, "label": "ORG", "text": "ČR"}]}
    return "\n".join(json.dumps(record) for record in [*[lost] * n_lost, *[kept] * n_kept]) + "\n"


def prepare_lossy(root: Path, content: str, **params: Any) -> Prepared:
    write(root, {"a.jsonl": content})
    splits = Splits(train=["t"], dev=["u"] if '"u"' in content else [])
    return prepare(PrepareParams(source=str(root), format="jsonl", splits=splits, **params))


def test_more_than_a_tenth_of_a_split_lost_is_refused_with_cause_and_examples(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        prepare_lossy(tmp_path, lossy(4, 6))
    message = str(caught.value)
    assert message.startswith(
        "split train: 4 of 10 mentions are lost, 4 as 'surface differs': t/und/1 'ČR' ORG: [0, 2)"
    )
    assert message.count("; ") == 3  # three examples, and what to do
    assert message.endswith("mend the annotations, or allow it with prepare.max_lost (now 0.1)")


def test_a_tenth_may_be_lost_and_more_where_the_params_allow_it(tmp_path: Path) -> None:
    assert prepare_lossy(tmp_path, lossy(1, 9)).report()["mentions"]["left out"] == {"surface differs": 1}
    assert prepare_lossy(tmp_path, lossy(9, 1), max_lost=0.9).report()["mentions"]["kept"] == 1


def test_a_language_or_a_split_that_is_lost_among_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^language cs: 2 of 3 mentions are lost"):
        prepare_lossy(tmp_path, lossy(0, 100, language="de") + lossy(2, 1, language="cs"))
    with pytest.raises(DataError, match=r"^split dev: 1 of 2 mentions are lost"):
        prepare_lossy(tmp_path, lossy(0, 100) + lossy(1, 1, topic="u"))


def test_a_corpus_all_of_whose_rows_are_ignored_is_refused(tmp_path: Path) -> None:
    header = "1\ncs\n2018-01-01\nhttps://news.example\n"
    write(tmp_path, {"raw/t/cs/1.txt": f"{header}EU.", "annotated/t/cs/1.out": "1\nEU\tORG\tEU\n"})
    with pytest.raises(DataError, match="1 of 1 mentions are lost, 1 as 'row ignored': t/cs/1 line 2: EU\tORG\tEU;"):
        prepare(PrepareParams(source=str(tmp_path), format="bsnlp2019", splits=Splits(train=["t"])))
