from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import DataError, UsageError
from ner_head.corpus.documents import Document, Span
from ner_head.formats.conll import read
from ner_head.formats.lines import split_lines
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.formats.problems import Problem
from tests.corpus.strategies import write


def columns(tags: str) -> str:
    """Words a, b, c ... with these tags; | ends a sentence."""
    rows = tags.replace("|", "\n").split(" ")
    return "\n".join(f"w{i} {tag}" if tag.strip() else tag for i, tag in enumerate(rows)) + "\n"


def one(root: Path, content: str, name: str = "train.conll") -> tuple[Document, tuple[Problem, ...]]:
    (source,) = read(write(root, {name: content}), ReaderOptions(("cs",)), ReaderLog())
    return source


def test_words_and_sentences_are_kept_as_given(tmp_path: Path) -> None:
    document, _ = one(tmp_path, "Theresa NNP B-PER\r\nMay NNP I-PER\r\n\r\n\r\n. . O\r\n")
    assert document.text == "Theresa May\n."
    assert [[word.text for word in sentence.words] for sentence in document.sentences] == [["Theresa", "May"], ["."]]
    assert document.spans == (Span(0, 11, "PER"),)
    assert document.key == "train/und/1"


def test_columns_may_be_separated_by_tabs_and_then_contain_spaces(tmp_path: Path) -> None:
    document, _ = one(tmp_path, "\ufeffNew York\tx\tB-LOC\n10 000\t\tO\n")
    assert [word.text for word in document.sentences[0].words] == ["New York", "10 000"]


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


def test_documents_begin_at_docstart(tmp_path: Path) -> None:
    content = "-DOCSTART- -X- O\n\na O\n\n-DOCSTART- -X- O\n-DOCSTART-\nb O\n"
    sources = read(write(tmp_path, {"dev.txt": content}), ReaderOptions(), ReaderLog())
    assert [(document.key, document.text) for document, _ in sources] == [("dev/und/1", "a"), ("dev/und/2", "b")]


def test_a_folder_that_is_a_language_says_it(tmp_path: Path) -> None:
    write(tmp_path, {"cs/train.tsv": "a\tO\n", "data/pl/train.conll": "a O\n", "train.txt": "a O\n"})
    assert [document.language for document, _ in read(tmp_path, ReaderOptions(("cs", "pl")), ReaderLog())] == [
        "cs",
        "pl",
        "und",
    ]
    ((document, _),) = read(tmp_path / "train.txt", ReaderOptions(("cs",)), ReaderLog())
    assert document.key == "train/und/1"


def test_the_language_before_every_word_is_the_document_s_where_no_folder_says_it(tmp_path: Path) -> None:
    write(tmp_path, {"train": "cs:Jana\tB-PER\n", "pl/dev": "cs:Brno\tB-LOC\n"})
    for languages, expected in [((), "cs"), (("pl", "cs"), "cs"), (("pl",), "und")]:
        log = ReaderLog()
        sources = list(read(tmp_path, ReaderOptions(languages, frozenset({"train", "dev"})), log))
        assert [(d.topic, d.language, d.text) for d, _ in sources] == [
            ("dev", "pl", "Brno"),
            ("train", expected, "Jana"),
        ]
        assert log.notices[-1] == "language prefix of every word removed: cs:"


def test_what_was_found_is_told_in_one_line(tmp_path: Path) -> None:
    write(tmp_path, {"a.tsv": "1\tJana\tB-PER\n2\tspí\tO\n", "b.txt": "Brno LOC\nspí O\n", "c.tsv": "1\tx\tO\n"})
    log = ReaderLog()
    assert len(list(read(tmp_path, ReaderOptions(), log))) == 3
    first, second = tmp_path / "a.tsv", tmp_path / "b.txt"
    assert log.notices == [
        "columns (counted from 1): "
        f"word 2, tag 3 of 3 (column 1 numbers the words) (files: 2, first {first}); "
        f"word 1, tag 2 of 2 (files: 1, first {second}); "
        f"scheme: IOB2 (files: 2, first {first}); labels without positions (IO) (files: 1, first {second}); "
        "set prepare.columns to read other columns"
    ]


def test_columns_may_be_given(tmp_path: Path) -> None:
    write(tmp_path, {"a.tsv": "x\tJana\tB-PER\tO\nx\tBrno\tO\tB-LOC\n"})
    ((document, _),) = read(tmp_path, ReaderOptions(word_column=2, tag_column=4), ReaderLog())
    assert document.text == "Jana Brno"
    assert document.spans == (Span(5, 9, "LOC"),)


def test_a_file_without_rows_is_told_and_counted(tmp_path: Path) -> None:
    write(tmp_path, {"a.tsv": "# x\n\n-DOCSTART-\n"})
    log = ReaderLog()
    assert list(read(tmp_path, ReaderOptions(), log)) == []
    assert log.rows == {"comment": 1, "blank": 1, "mark": 1}
    assert log.notices == [f"{tmp_path / 'a.tsv'}: no rows in it"]


def test_one_odd_row_of_a_file_is_listed_and_no_other(tmp_path: Path) -> None:
    document, problems = one(tmp_path, "a I-PER\nb O\n" * 50 + "c B-LOC\n")
    assert len(document.spans) == 51
    assert problems == (Problem(document.key, "tag out of place", "c", "train.conll:101: B-LOC"),)


def test_a_blank_word_is_listed_and_an_entity_goes_on_over_it(tmp_path: Path) -> None:
    document, problems = one(tmp_path, "New\tB-LOC\n\u00a0\tI-LOC\nYork\tI-LOC\n")
    assert document.text == "New York"
    assert document.spans == (Span(0, 8, "LOC"),)
    assert problems == (Problem(document.key, "blank word", detail="train.conll:2: I-LOC"),)


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
        ("a PER\n", r": no column looks like tags, as in \['a', 'PER'\]; .*prepare\.columns"),
        ("\tO\n", r": no row with a word in column 1"),
    ],
)
def test_a_row_without_word_or_tag_is_named(tmp_path: Path, content: str, expected: str) -> None:
    with pytest.raises(DataError, match=rf"train\.conll{expected}"):
        one(tmp_path, content)


def test_two_schemes_in_one_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.conll:2: U-PER, but the file has tags of BIOES"):
        one(tmp_path, columns("S-PER U-PER S-LOC"))


CELLS = st.sampled_from(
    ["a", "O", "B-X", "I-X", "E-Y", "X", "#", "=", "1", "2", "2-3", "", " ", "\u00a0", "\ufeff", "O|B-X"]
)
ODD = st.sampled_from(["", " ", "\u00a0", "# x = O", "# x", "#", "-DOCSTART-", "#DOCSTART", "\ufeff"])


@st.composite
def files(draw: st.DrawFn) -> str:
    """Mostly rows of one width, with or without numbers, and lines of any other kind."""
    separator, width, counted = draw(st.sampled_from("\t ")), draw(st.integers(1, 4)), draw(st.booleans())
    rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width) | st.lists(CELLS, max_size=4), max_size=8))
    tags = ["O", "B-X", "I-X"]
    lines = [
        separator.join([*[str(number)] * counted, *row, *[tags[number % 3]] * draw(st.booleans())])
        for number, row in enumerate(rows, 1)
    ]
    for place, line in draw(st.lists(st.tuples(st.integers(0, 8), ODD), max_size=4)):
        lines.insert(place, line)
    return "\n".join(lines)


def refusal(source: Path, log: ReaderLog) -> list[tuple[Document, tuple[Problem, ...]]] | str:
    """What is read, or the line that says why it is not."""
    try:
        return list(read(source, ReaderOptions(), log))
    except (DataError, UsageError) as error:
        return str(error)


@given(files())
def test_any_lines_are_read_and_counted_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    log = ReaderLog()
    sources = refusal(write(tmp_path_factory.mktemp("conll"), {"train.conll": content}), log)
    if isinstance(sources, str):
        assert "train.conll" in sources
        assert "\n" not in sources
        return
    words = [word for document, _ in sources for sentence in document.sentences for word in sentence.words]
    assert log.rows.total() == len(split_lines(content))
    assert log.rows["kept"] == len(words)
    assert log.rows["ignored"] == sum(p.kind == "blank word" for _, problems in sources for p in problems)
    assert all(word.text.strip() for word in words)
