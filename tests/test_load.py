"""The cost of large inputs grows with their size and no faster: operations are counted, no clock is read."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Sequence
from math import comb
from pathlib import Path

import numpy as np
import pytest

from benchmarks.load_corpus import Source, write_jsonl
from benchmarks.load_store import look_at, sparse_store
from benchmarks.watched import Run, Sample, run
from ner_head.comparison import Agreement, read_spans
from ner_head.corpus import near_copies as copies
from ner_head.corpus.documents import Document, Sentence, Span, Word, word_spans
from ner_head.corpus.tagging import document_word_spans
from ner_head.evaluation.measures.slices import RESAMPLES, SliceCounts
from ner_head.formats import FORMATS
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.pages import compare_page, error_page
from ner_head.prediction import lines
from ner_head.prediction.lines import Line, read_lines
from ner_head.preparation.splits import Splits, assign


def texts(number: int, seed: int = 0) -> list[Document]:
    """Documents of few different words, so that many of them share shingles."""
    draw = random.Random(seed)
    return [
        Document(str(i), " ".join(draw.choice("abc") for _ in range(draw.randint(0, 12))), "cs", "t")
        for i in range(number)
    ]


def links_by_definition(documents: Sequence[Document]) -> list[tuple[int, int]]:
    found = [set(copies._shingles(document).tolist()) for document in documents]
    holders = {shingle: sum(shingle in other for other in found) for each in found for shingle in each}
    return [
        (a, b)
        for b in range(len(found))
        for a in range(b)
        if (n := sum(holders[s] <= copies.COMMON for s in found[a] & found[b]))
        and n >= copies.COPY * min(len(found[a]), len(found[b]))
    ]


@pytest.mark.parametrize("pairs", [1, 50, 10**7])
def test_links_of_copies_are_those_of_the_definition(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "PAIRS", pairs)
    for seed, number in enumerate((0, 1, 2, 40, 70)):
        documents = texts(number, seed)
        assert copies.copy_links(documents) == sorted(links_by_definition(documents))


def test_pairs_of_copies_are_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "PAIRS", 100)
    sizes = [len(a) for a, _ in copies._sharing([np.arange(20, dtype=np.uint32)] * 20)]
    assert sum(sizes) == 20 * comb(20, 2)
    assert max(sizes) <= 100 + 20 * 19  # a document's own pairs are not divided


def sentence(start: int) -> Sentence:
    return Sentence((Word("ab", start, start + 2), Word("cd", start + 3, start + 5)))


def test_each_span_is_looked_at_for_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    sentences = tuple(sentence(6 * i) for i in range(50))
    spans = tuple(Span(6 * i + j, 6 * i + j + 2, "PER") for i in range(50) for j in (0, 3))
    document = Document("1", "ab cd " * 50, "cs", sentences=sentences, spans=(Span(2, 8, "LOC"), *spans))
    wanted = [word_spans(each, document.spans) for each in sentences]
    looked = list[Span]()

    def counted(each: Sentence, some: Sequence[Span]) -> list[Span]:
        looked.extend(some)
        return word_spans(each, some)

    monkeypatch.setattr("ner_head.corpus.tagging.word_spans", counted)
    assert list(document_word_spans(document)) == wanted
    assert len(looked) == len(document.spans)
    assert list(document_word_spans(Document("1", "", spans=(Span(0, 1, "PER"),)))) == []


def test_a_line_of_many_chunks_is_split_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lines, "CHUNK", 4)
    (tmp_path / "long").write_bytes(b"x" * 4000 + b"\r" + b"\ny" * 3 + b"z" * 4000)
    called = Counter[str]()
    sys.setprofile(lambda _, event, function: called.update([function.__name__] if event == "c_call" else []))
    try:
        found = list(read_lines(str(tmp_path / "long")))
    finally:
        sys.setprofile(None)
    assert found == [Line(1, "x" * 4000), Line(2, "y"), Line(3, "y"), Line(4, "y" + "z" * 4000)]
    assert called["read"] > 2000  # chunks
    assert called["splitlines"] < 10


def test_splits_of_named_documents_compare_no_other_names(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = texts(300)
    compared = list[str]()
    monkeypatch.setattr("ner_head.preparation.splits._names", lambda name, document: bool(compared.append(name)))
    names = Splits(train=[d.key for d in documents[:200]], dev=[d.key for d in documents[200:]])
    assert list(assign(documents, names).values()) == ["train"] * 200 + ["dev"] * 100
    assert compared == []  # `_names` is for patterns


def test_mcnemar_takes_time_of_the_smaller_number_and_equals_the_sum() -> None:
    for a in range(0, 60, 7):
        for b in range(60):
            exact = min(1.0, 2 * sum(comb(a + b, k) for k in range(min(a, b) + 1)) / 2 ** (a + b))
            assert Agreement(found_by_a=a, found_by_b=b).mcnemar == pytest.approx(exact, rel=1e-10)
    # 1 - erf(z / sqrt 2) for z = 999 / sqrt(1,001,000), with continuity correction
    assert Agreement(found_by_a=500_000, found_by_b=501_000).mcnemar == pytest.approx(0.31804, abs=1e-4)


def test_resamples_are_drawn_one_by_one_and_are_the_same() -> None:
    counts = SliceCounts([("all", "all")], np.random.default_rng(1).integers(0, 9, (30, 1, 3)))
    times = np.random.default_rng(0).multinomial(30, [1 / 30] * 30, size=RESAMPLES)
    assert (counts.resampled() == np.tensordot(times, counts.counts, axes=1)).all()


def wrong(number: int) -> tuple[list[Document], list[Document]]:
    gold = [Document(str(i), "ab cd", "cs", "t", (sentence(0),), (Span(0, 2, "PER"),)) for i in range(number)]
    return gold, [Document(d.id, d.text, "cs", "t", d.sentences, d.spans if i % 2 else ()) for i, d in enumerate(gold)]


def test_a_page_of_errors_has_a_limit_that_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    gold, found = wrong(20)
    whole = error_page.page("t", "20 documents", gold, found, [[[]]] * 20)
    assert whole.count('"id":') == 20
    assert "shown:" not in whole
    monkeypatch.setattr(error_page, "MOST", 30)
    part = error_page.page("t", "20 documents", gold, found, [[[]]] * 20)
    assert part.count('"id":') == 6
    assert "20 documents; shown: the first 6 documents with errors, because a larger page is too slow" in part


def test_a_page_of_a_comparison_has_a_limit_that_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    gold, found = wrong(20)
    monkeypatch.setattr(compare_page, "MOST", 0)
    page = compare_page.page("t", "s", ("A", "B"), gold, found, gold)
    assert page.count("<section") == 1
    assert "9 more documents with errors are not shown: the page would be too large." in page
    assert "B is right <b>10</b>" in page  # all are counted


def test_a_sparse_store_opens_and_names_its_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.load_store.SHARD_BYTES", 1 << 21)
    sparse_store(tmp_path, 0.01)
    found = look_at(tmp_path)
    assert found["files"] > 3
    assert found["sentences"] > found["files"]


def test_corpora_of_the_benchmark_are_varied_and_read_as_gold(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "corpus.jsonl", Source().corpus(60))
    found = [d for d, problems in FORMATS["jsonl"].read(tmp_path, ReaderOptions(), ReaderLog()) if not problems]
    assert len({document.text for document in found}) == 60
    assert min(len(document.spans) for document in found) > 0
    assert 1 <= len(copies.copy_links(found)) <= 20


def test_a_watched_command_tells_what_it_took(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * 1000)
    code = "import sys, time; f = open(sys.argv[1], 'rb', 0); f.read(600); time.sleep(0.3); sys.exit('why')"
    found = run(["python", "-c", code, str(file)], watch=file, every=0.05)
    assert (found.code, found.error) == (1, "why")
    assert max(sample.read for sample in found.samples) == 600
    assert found.peak > 1


def test_the_speed_of_equal_parts_shows_a_slower_end() -> None:
    samples = [Sample(t, 10.0 + t, 100 * t) for t in range(1, 51)]
    samples += [Sample(50 + 2 * t, 80.0, 5000 + 100 * t) for t in range(1, 51)]
    rates = [round(rate) for _, rate, _ in Run(0, 0, 0, 0, "", samples).parts(4)]
    assert rates == [100, 100, 50, 50]


def test_predictions_with_lemmas_have_no_probability_that_is_an_object(tmp_path: Path) -> None:
    path = tmp_path / "found.jsonl"
    path.write_text(
        '{"text": "ab cd", "spans": [[0, 2, "PER", {"lemma": "ab"}], [3, 5, "LOC", 0.5, {"entity": "x"}]]}\n'
    )
    (found,) = read_spans(path, [Document("1", "ab cd", "cs")])
    assert [(span.label, span.probability) for span in found.spans] == [("PER", None), ("LOC", 0.5)]
