"""CoNLL columns: a word a line, a blank line between sentences; docs/formats.md says what is read.

Columns and schemes are those that explain most rows. Words and sentences are kept as given: the text is the words
with spaces as one writes them (`glue`), and a line a sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from ner_head.base.errors import DataError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, Sentence, Word, character_span
from ner_head.formats.columns import Layout, Layouts, Table, is_mark, look_at
from ner_head.formats.discovery import NamedFile, named_files
from ner_head.formats.glue import has_compounds, join, spaces_before
from ner_head.formats.lines import is_blank, read_lines
from ner_head.formats.reading import Problem, Reading, Tally, Wanted
from ner_head.formats.rows import DocumentRows, FileRows, Row
from ner_head.formats.tags import Meanings, Scheme, choose_scheme, out_of_place, read_cells, scheme_name, spans

SUFFIXES = (".conll", ".conllu", ".txt", ".tsv", ".iob", ".iob2", ".bio", ".bmes", ".bioes")
LOOKED_AT = 50  # files opened before the first is read, to find the columns of all


def read(source: Path, wanted: Wanted, tally: Tally) -> Iterator[Reading]:
    """Read the files under the source that are wanted, or the source itself if it is a file.

    The id counts the file's documents from 1; `discovery.named_files` says which topic and language they have.

    Raises:
        UsageError: no file of the languages wanted, or no such column.
        DataError: file and line of a row that is none.
    """
    files = named_files(source, SUFFIXES, wanted, tally)
    reader = _Reader(wanted, tally, Layouts(wanted))
    for file in islice(files, LOOKED_AT):
        if table := look_at(read_lines(file.path)):
            reader.layouts.add(table)
    for file in files:
        yield from reader.read(file)
    tally.notices.extend(reader.guesses.lines(tally, wanted.document_words))


@dataclass(slots=True)
class _Guesses:
    """What was found out about the files, each with how many of them and the first."""

    columns: dict[str, list[Path]] = field(default_factory=dict)
    schemes: dict[str, list[Path]] = field(default_factory=dict)
    prefixes: dict[str, list[Path]] = field(default_factory=dict)
    cut: dict[Path, int] = field(default_factory=dict)
    """Files in which nothing marks documents, and how many were made of each."""

    def add(self, rows: FileRows, scheme: str) -> None:
        """Note the guesses of one file."""
        self.columns.setdefault(_said(rows.layout, rows.table), []).append(rows.path)
        self.schemes.setdefault(scheme, []).append(rows.path)
        if rows.language_prefix:
            self.prefixes.setdefault(rows.language_prefix, []).append(rows.path)
        if len(rows.documents) > 1 and not rows.marked:
            self.cut[rows.path] = len(rows.documents)

    def lines(self, tally: Tally, document_words: int) -> Iterator[str]:
        """One line of columns and schemes, and one each of what is unusual."""
        if self.columns:
            yield (
                f"columns (counted from 1): {_shares(self.columns)}; scheme: {_shares(self.schemes)}; "
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
        if n_rows := tally.rows["no word"]:
            yield f"{n_rows:,} rows of multiword ranges and empty nodes (1-2, 1.1) skipped"


def _said(layout: Layout, table: Table) -> str:
    why = f" ({', '.join(layout.why)})" if layout.why else ""
    return f"word {layout.word + 1}, tag {layout.tag + 1} of {table.n_fields}{why}"


def _shares(found: dict[str, list[Path]]) -> str:
    """What was found; of several things, in how many files each, and the first of them."""
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{what} (files: {len(paths):,}, first {paths[0]})" for what, paths in found.items())


@dataclass(slots=True)
class _Reader:
    """Reads one file after the other."""

    wanted: Wanted
    tally: Tally
    layouts: Layouts
    guesses: _Guesses = field(default_factory=_Guesses)

    def read(self, file: NamedFile) -> Iterator[Reading]:
        """The documents of a file."""
        lines = read_lines(file.path, self.tally)
        table = look_at(lines)
        if table is None:
            self.tally.notices.append(f"{file.path}: no rows in it")
            for line in lines:
                self.tally.rows["blank" if is_blank(line) else "mark" if is_mark(line) else "comment"] += 1
            return
        found = FileRows(file.path, table, self.layouts.of(table, file.path), self.tally)
        found.read(lines)
        found.cut(self.wanted.document_words)
        meanings = read_cells(Counter(row.cell for row in found.rows()))
        _check_cells(found, meanings)
        scheme = None if meanings.plain else _scheme(found, meanings)
        self.guesses.add(found, scheme_name(scheme, meanings.letters) if scheme else "labels without positions (IO)")
        words = [row.word for row in found.rows()]
        spacing = _Spacing(self.wanted.glue, has_compounds(words), any(row.joined for row in found.rows()))
        language = file.language
        if language == UNKNOWN_LANGUAGE and found.language and self.wanted.has_language(found.language):
            language = found.language
        for number, rows in enumerate(found.documents, 1):
            yield _document(Document(str(number), "", language, file.topic), rows, meanings, scheme, spacing, file.path)


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


def _scheme(found: FileRows, meanings: Meanings) -> Scheme:
    sentences = (rows for document in found.documents for rows in document.sentences)
    return choose_scheme([meanings.tags[row.cell] for row in rows] for rows in sentences)


@dataclass(frozen=True, slots=True)
class _Spacing:
    """How the words of a file are joined.

    Attributes:
        glue: as one writes them; else with a space everywhere.
        compounds: words with a hyphen inside are one word.
        known: the file says which words touch.
    """

    glue: bool
    compounds: bool
    known: bool

    def before(self, rows: Sequence[Row], language: str) -> list[bool]:
        """Whether a space stands before each word of a sentence."""
        if self.glue and self.known:
            return [False, *(not row.joined for row in rows[:-1])]
        if self.glue:
            return spaces_before([row.word for row in rows], language, hyphens_apart=not self.compounds)
        return [False, *[True] * (len(rows) - 1)]


def _document(
    empty: Document,
    found: DocumentRows,
    meanings: Meanings,
    scheme: Scheme | None,
    spacing: _Spacing,
    path: Path,
) -> Reading:
    texts, start = [], 0
    segmented: list[Sentence] = []
    entities = []
    problems = [
        Problem(empty.key, "blank word", detail=f"{path.name}:{row.line}: {row.cell}") for row in found.blank_words
    ]
    for rows in filter(None, found.sentences):
        text, places = join([row.word for row in rows], spacing.before(rows, empty.language))
        words = ((row.word, start + place) for row, place in zip(rows, places, strict=True))
        segmented.append(Sentence(tuple(Word(word, place, place + len(word)) for word, place in words)))
        texts.append(text)
        start += len(text) + 1  # the line's end
        tags = [meanings.tags[row.cell] for row in rows]
        entities += [character_span(segmented[-1], span) for span in spans(tags)]
        misplaced: Sequence[Row] = [rows[position] for position in out_of_place(scheme, tags)] if scheme else ()
        problems += [
            Problem(empty.key, "tag out of place", row.word, f"{path.name}:{row.line}: {row.cell}") for row in misplaced
        ]
    document = replace(empty, text="\n".join(texts), sentences=tuple(segmented), spans=tuple(sorted(entities)))
    return document, tuple(problems)
