from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.formats.conll import read
from ner_head.corpus.formats.reading import Problem, Tally, Wanted
from ner_head.errors import DataError
from tests.corpus.strategies import word_spans, write


def columns(tags: str) -> str:
    """Words a, b, c ... with these tags; | ends a sentence."""
    rows = tags.replace("|", "\n").split(" ")
    return "\n".join(f"w{i} {tag}" if tag.strip() else tag for i, tag in enumerate(rows)) + "\n"


def one(root: Path, content: str, name: str = "train.conll") -> tuple[Document, tuple[Problem, ...]]:
    (reading,) = read(write(root, {name: content}), Wanted(("cs",)), Tally())
    return reading


def spans(root: Path, tags: str) -> list[tuple[str, str]]:
    document, problems = one(root, columns(tags))
    assert problems == ()
    return [(document.text[span.start : span.end], span.label) for span in document.spans]


def test_words_and_sentences_are_kept_as_given(tmp_path: Path) -> None:
    document, _ = one(tmp_path, "Theresa NNP B-PER\r\nMay NNP I-PER\r\n\r\n\r\n. . O\r\n")
    assert document.text == "Theresa May\n."
    assert [[word.text for word in sentence.words] for sentence in document.sentences] == [["Theresa", "May"], ["."]]
    assert document.spans == (Span(0, 11, "PER"),)
    assert document.key == "train/und/1"


def test_columns_may_be_parted_by_tabs_and_then_hold_spaces(tmp_path: Path) -> None:
    document, _ = one(tmp_path, "\ufeffNew York\tx\tB-LOC\n10 000\t\tO\n")
    assert [word.text for word in document.sentences[0].words] == ["New York", "10 000"]


def test_iob1_begins_with_b_only_behind_an_entity_of_its_kind(tmp_path: Path) -> None:
    assert spans(tmp_path, "I-PER I-PER B-PER O I-LOC I-PER") == [
        ("w0 w1", "PER"),
        ("w2", "PER"),
        ("w4", "LOC"),
        ("w5", "PER"),
    ]


def test_iob2(tmp_path: Path) -> None:
    assert spans(tmp_path, "B-PER I-PER B-PER O B-LOC") == [("w0 w1", "PER"), ("w2", "PER"), ("w4", "LOC")]


@pytest.mark.parametrize("tags", ["S-PER B-LOC I-LOC E-LOC O B-PER E-PER", "U-PER B-LOC I-LOC L-LOC O B-PER L-PER"])
def test_bioes_and_bilou(tmp_path: Path, tags: str) -> None:
    assert spans(tmp_path, tags) == [("w0", "PER"), ("w1 w2 w3", "LOC"), ("w5 w6", "PER")]


@pytest.mark.parametrize(
    ("tags", "found", "misplaced"),
    [
        ("B-PER O I-PER", ["w0", "w2"], ["w2"]),
        ("B-PER I-LOC O", ["w0", "w1"], ["w1"]),
        ("S-PER E-PER", ["w0", "w1"], ["w1"]),
        ("S-PER B-PER O", ["w0", "w1"], ["w1"]),
        ("S-PER I-LOC I-LOC", ["w0", "w1 w2"], ["w1", "w2"]),
        ("S-PER O I-LOC", ["w0", "w2"], ["w2"]),
    ],
)
def test_a_tag_out_of_place_is_read_and_listed(
    tmp_path: Path, tags: str, found: list[str], misplaced: list[str]
) -> None:
    document, problems = one(tmp_path, columns(tags))
    assert [document.text[span.start : span.end] for span in document.spans] == found
    assert [problem.form for problem in problems] == misplaced
    assert {problem.kind for problem in problems} == {"tag out of place"}


@given(st.data(), st.integers(1, 10), st.sampled_from(["IOB1", "IOB2", "BIOES", "BILOU"]))
def test_spans_come_back_from_the_tags_of_any_scheme(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, n_words: int, scheme: str
) -> None:
    wanted = data.draw(word_spans(n_words))
    tags = ["O"] * n_words
    for before, span in zip([None, *wanted], wanted, strict=False):
        touches = before is not None and (before.end, before.label) == (span.start, span.label)
        first = "I" if scheme == "IOB1" and not touches else "B"
        prefixes = [first, *"I" * (span.end - span.start - 1)]
        if scheme in {"BIOES", "BILOU"}:
            prefixes[-1] = scheme[3 if len(prefixes) > 1 else 4] if scheme == "BIOES" else "LU"[len(prefixes) == 1]
        tags[span.start : span.end] = [f"{prefix}-{span.label}" for prefix in prefixes]
    document, problems = one(tmp_path_factory.mktemp("conll"), columns(" ".join(tags)))
    words = document.sentences[0].words
    assert problems == ()
    assert list(document.spans) == [Span(words[s.start].start, words[s.end - 1].end, s.label) for s in wanted]


def test_documents_begin_at_docstart(tmp_path: Path) -> None:
    content = "-DOCSTART- -X- O\n\na O\n\n-DOCSTART- -X- O\n-DOCSTART-\nb O\n"
    readings = read(write(tmp_path, {"dev.txt": content}), Wanted(), Tally())
    assert [(document.key, document.text) for document, _ in readings] == [("dev/und/1", "a"), ("dev/und/2", "b")]


def test_a_folder_that_is_a_language_says_it(tmp_path: Path) -> None:
    write(tmp_path, {"cs/train.tsv": "a\tO\n", "data/pl/train.conll": "a O\n", "train.txt": "a O\n"})
    assert [
        document.language
        for document, _ in read(
            tmp_path,
            Wanted(
                (
                    "cs",
                    "pl",
                )
            ),
            Tally(),
        )
    ] == ["cs", "pl", "und"]
    ((document, _),) = read(tmp_path / "train.txt", Wanted(("cs",)), Tally())
    assert document.key == "train/und/1"


def test_remarks_before_a_sentence_are_skipped_but_a_hash_is_a_word(tmp_path: Path) -> None:
    document, _ = one(tmp_path, "# id 7 domain=en\n#\n# text = x\n# O\na O\n\n# id 8\nb O\n")
    assert document.text == "# a\nb"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a O\nb\n", r":2: a row of 1 fields, but most have 2: \['b'\]"),
        ("a O\nb c O\nd O\n", r":2: a row of 3 fields, but most have 2: \['b', 'c', 'O'\]"),
        ("a O\n# no tag\n", r":2: a row of 3 fields, but most have 2"),
        ("a B-X\nb ?\n", r":2: column 2: expected a tag \(O, or a label behind B- .*, got '\?'"),
        ("a PER\n", r": no column of tags in its rows, as in \['a', 'PER'\]; say .*prepare\.columns"),
        ("\tO\n", r": no row with a word in column 1"),
    ],
)
def test_a_row_without_word_or_tag_is_named(tmp_path: Path, content: str, expected: str) -> None:
    with pytest.raises(DataError, match=rf"train\.conll{expected}"):
        one(tmp_path, content)


def test_two_schemes_in_one_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.conll: tags of BIOES \(E-, S-\) and of BILOU"):
        one(tmp_path, columns("S-PER U-PER"))
