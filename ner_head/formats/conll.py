"""CoNLL files: one word per line, a blank line between sentences. See docs/formats.md for the supported variants.

Columns and the chunk encoding are detected from the rows. Words and sentences are kept as given. The text of a
document has one line per sentence, in which the words are joined by spacing rules (`glue`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from ner_head.base.errors import DataError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, Sentence, Word, character_span
from ner_head.formats.columns import ColumnLayout, ColumnLayouts, Table, is_mark, look_at
from ner_head.formats.discovery import NamedFile, named_files
from ner_head.formats.format import Format, SourceDocument
from ner_head.formats.glue import has_compounds, join, spaces_before
from ner_head.formats.lines import is_blank, read_lines
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions
from ner_head.formats.problems import Problem
from ner_head.formats.rows import FileRows, RowDocument, WordRow
from ner_head.formats.tags import (
    ChunkEncoding,
    Meanings,
    choose_encoding,
    encoding_name,
    out_of_place,
    read_cells,
    spans,
)

SUFFIXES = (".conll", ".conllu", ".txt", ".tsv", ".iob", ".iob2", ".bio", ".bmes", ".bioes")
SAMPLED_FILES = 50  # files from which the columns of all files are detected


def read(source: Path, options: ReaderOptions, log: ReaderLog) -> Iterator[SourceDocument]:
    """Read the source if it is a file, else the files below it that the options include.

    Ids count the documents of a file from 1. `discovery.named_files` determines topic and language.

    Raises:
        UsageError: there is no file in the languages of the options, or no such column.
        DataError: a row is malformed (names file and line).
    """
    files = named_files(source, SUFFIXES, options, log)
    reader = _Reader(options, log, ColumnLayouts(options))
    for file in islice(files, SAMPLED_FILES):
        if table := look_at(read_lines(file.path)):
            reader.layouts.add(table)
    for file in files:
        yield from reader.read(file)
    log.notices.extend(reader.detected.lines(log, options.document_words))


FORMAT = Format("conll", read, has_columns=True, requires_languages=False)


@dataclass(slots=True)
class _Detected:
    """What was detected about the files: each finding with the files that it holds for."""

    columns: dict[str, list[Path]] = field(default_factory=dict)
    encodings: dict[str, list[Path]] = field(default_factory=dict)
    prefixes: dict[str, list[Path]] = field(default_factory=dict)
    cut: dict[Path, int] = field(default_factory=dict)
    """Number of documents made from each file without document marks."""

    def add(self, rows: FileRows, encoding: str) -> None:
        """Add the findings about one file."""
        self.columns.setdefault(_described(rows.layout, rows.table), []).append(rows.path)
        self.encodings.setdefault(encoding, []).append(rows.path)
        if rows.language_prefix:
            self.prefixes.setdefault(rows.language_prefix, []).append(rows.path)
        if len(rows.documents) > 1 and not rows.marked:
            self.cut[rows.path] = len(rows.documents)

    def lines(self, log: ReaderLog, document_words: int) -> Iterator[str]:
        """One line about columns and encodings, and one about each unusual finding."""
        if self.columns:
            yield (
                f"columns (counted from 1): {_shares(self.columns)}; scheme: {_shares(self.encodings)}; "
                "set prepare.columns to read other columns"
            )
        if self.prefixes:
            yield f"language prefix of every word removed: {_shares(self.prefixes)}"
        if self.cut:
            yield (
                f"nothing marks documents in {', '.join(map(str, [*self.cut][:3]))}{' ...' * (len(self.cut) > 3)}: cut "
                f"at blank lines into {sum(self.cut.values()):,} of about {document_words:,} words "
                "(prepare.document_words)"
            )
        if n_rows := log.rows["no word"]:
            yield f"{n_rows:,} rows of multiword ranges and empty nodes (1-2, 1.1) skipped"


def _described(layout: ColumnLayout, table: Table) -> str:
    why = f" ({', '.join(layout.why)})" if layout.why else ""
    return f"word {layout.word + 1}, tag {layout.tag + 1} of {table.n_fields}{why}"


def _shares(found: dict[str, list[Path]]) -> str:
    """The finding; if there are several, each with the number of files and the first file."""
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{what} (files: {len(paths):,}, first {paths[0]})" for what, paths in found.items())


@dataclass(slots=True)
class _Reader:
    """Reads the files of a corpus one by one."""

    options: ReaderOptions
    log: ReaderLog
    layouts: ColumnLayouts
    detected: _Detected = field(default_factory=_Detected)

    def read(self, file: NamedFile) -> Iterator[SourceDocument]:
        """Read the documents of one file."""
        lines = read_lines(file.path, self.log)
        table = look_at(lines)
        if table is None:
            self.log.notices.append(f"{file.path}: no rows in it")
            for line in lines:
                self.log.rows["blank" if is_blank(line) else "mark" if is_mark(line) else "comment"] += 1
            return
        found = FileRows(file.path, table, self.layouts.of(table, file.path), self.log)
        found.read(lines)
        found.cut(self.options.document_words)
        meanings = read_cells(Counter(row.cell for row in found.rows()))
        _check_cells(found, meanings)
        encoding = None if meanings.plain else _encoding(found, meanings)
        self.detected.add(found, encoding_name(encoding, meanings.letters))
        words = [row.word for row in found.rows()]
        exact = self.options.glue and any(row.after is not None for row in found.rows())
        spacing = Spacing(self.options.glue, has_compounds(words), any(row.joined for row in found.rows()), exact)
        language = file.language
        if language == UNKNOWN_LANGUAGE and found.language and self.options.includes_language(found.language):
            language = found.language
        for number, rows in enumerate(found.documents, 1):
            empty = Document(str(number), "", language, file.topic)
            yield _document(empty, rows, meanings, encoding, spacing, file.path)


def _check_cells(found: FileRows, meanings: Meanings) -> None:
    for row in found.rows() if meanings.wrong else ():
        if why := meanings.wrong.get(row.cell):
            raise DataError(f"{found.path}:{row.line}: column {found.layout.tag + 1}: {why}")
    if meanings.letters & set("ES") and meanings.letters & set("LU"):
        kinds = [[row for row in found.rows() if row.cell[0] in letters] for letters in ("ES", "LU")]
        odd = min(kinds, key=len)[0]
        raise DataError(
            f"{found.path}:{odd.line}: {odd.cell}, but the file has tags of BIOES (E-, S-) and of BILOU (L-, U-); "
            "use one scheme a file"
        )


def _encoding(found: FileRows, meanings: Meanings) -> ChunkEncoding:
    sentences = (rows for document in found.documents for rows in document.sentences)
    return choose_encoding([meanings.tags[row.cell] for row in rows] for rows in sentences)


@dataclass(frozen=True, slots=True)
class Spacing:
    """How the words of a file are joined into text.

    Attributes:
        glue: whether to use spacing rules, else a single space between all words.
        compounds: whether words with an inner hyphen are one word in the file.
        known: whether the file itself marks words that have no space after them.
        exact: whether the file gives all white space (`SpacesAfter`).
    """

    glue: bool
    compounds: bool
    known: bool
    exact: bool = False

    def before(self, rows: Sequence[WordRow], language: str) -> list[bool]:
        """Whether each word of a sentence has a space before it."""
        if self.glue and self.known:
            return [False, *(not row.joined for row in rows[:-1])]
        if self.glue:
            return spaces_before([row.word for row in rows], language, hyphens_apart=not self.compounds)
        return [False, *[True] * (len(rows) - 1)]


def lay_out(found: RowDocument, language: str, spacing: Spacing) -> tuple[str, tuple[Sentence, ...]]:
    """The text of a document and its sentences. Each sentence is a line, unless the file gives all white space."""
    if spacing.exact:
        return _lay_out_exactly(found)
    texts, start = [], 0
    segmented: list[Sentence] = []
    for rows in filter(None, found.sentences):
        text, places = join([row.word for row in rows], spacing.before(rows, language))
        words = ((row.word, start + place) for row, place in zip(rows, places, strict=True))
        segmented.append(Sentence(tuple(Word(word, place, place + len(word)) for word, place in words)))
        texts.append(text)
        start += len(text) + 1  # 1 for the line end
    return "\n".join(texts), tuple(segmented)


def _lay_out_exactly(found: RowDocument) -> tuple[str, tuple[Sentence, ...]]:
    """The text of a document whose rows give all white space. Without a feature, there is a space after a word."""
    parts, start = list[str](), 0
    segmented: list[Sentence] = []
    for rows in filter(None, found.sentences):
        words = []
        for row in rows:
            start += len(row.before)
            words.append(Word(row.word, start, start + len(row.word)))
            after = ("" if row.joined else " ") if row.after is None else row.after
            parts += [row.before, row.word, after]
            start += len(row.word) + len(after)
        segmented.append(Sentence(tuple(words)))
    return "".join(parts), tuple(segmented)


def _document(
    empty: Document,
    found: RowDocument,
    meanings: Meanings,
    encoding: ChunkEncoding | None,
    spacing: Spacing,
    path: Path,
) -> SourceDocument:
    text, segmented = lay_out(found, empty.language, spacing)
    entities = []
    problems = [
        Problem(empty.key, "blank word", detail=f"{path.name}:{row.line}: {row.cell}") for row in found.blank_words
    ]
    for rows, sentence in zip(filter(None, found.sentences), segmented, strict=True):
        tags = [meanings.tags[row.cell] for row in rows]
        entities += [character_span(sentence, span) for span in spans(tags)]
        misplaced: Sequence[WordRow] = [rows[position] for position in out_of_place(encoding, tags)] if encoding else ()
        problems += [
            Problem(empty.key, "tag out of place", row.word, f"{path.name}:{row.line}: {row.cell}") for row in misplaced
        ]
    document = replace(empty, text=text, sentences=segmented, spans=tuple(sorted(entities)))
    return SourceDocument(document, tuple(problems))
