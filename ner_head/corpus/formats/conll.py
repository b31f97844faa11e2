"""CoNLL columns: a word a line, word first and tag last; a blank line between sentences.

IOB1, IOB2, BIOES and BILOU are told apart by the whole file. Words and sentences are kept as given: the text is
the words with a space between them, and a line a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import regex

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, Sentence, Span, Word, character_span
from ner_head.corpus.formats.discovery import files_under
from ner_head.corpus.formats.lines import read_text
from ner_head.corpus.formats.reading import Problem, Reading, Tally, Wanted
from ner_head.errors import DataError

SUFFIXES = (".conll", ".txt", ".tsv")
DOCUMENT_START = "-DOCSTART-"
Scheme: TypeAlias = Literal["IOB1", "IOB2", "BIOES", "BILOU"]

_TAG = regex.compile(r"O|(?P<prefix>[BIESLU])-(?P<label>\S+)")
_AS_BIOES = {"L": "E", "U": "S"}


@dataclass(frozen=True, slots=True)
class Row:
    """A word with its tag taken apart; `prefix` is O outside of entities."""

    line: int
    word: str
    prefix: str
    label: str


@dataclass(slots=True)
class _Decoder:
    """Tags of a sentence -> word spans, by conlleval's rule where a tag is out of place."""

    scheme: Scheme
    spans: list[Span] = field(default_factory=list)
    misplaced: list[Row] = field(default_factory=list)
    start: int = 0
    label: str = ""

    def decode(self, rows: Sequence[Row]) -> None:
        """Fill `spans` and `misplaced`."""
        for position, row in enumerate(rows):
            prefix = _AS_BIOES.get(row.prefix, row.prefix)
            if self.label and (prefix in "OBS" or row.label != self.label):
                self._close(position, rows[position - 1], ended=False)
            if row.label and not self.label:
                if prefix in "IE" and self.scheme != "IOB1":
                    self.misplaced.append(row)
                self.start, self.label = position, row.label
            if prefix in "ES":
                self._close(position + 1, row, ended=True)
        if self.label:
            self._close(len(rows), rows[-1], ended=False)

    def _close(self, end: int, last: Row, *, ended: bool) -> None:
        self.spans.append(Span(self.start, end, self.label))
        self.label = ""
        if not ended and self.scheme in {"BIOES", "BILOU"} and last not in self.misplaced:
            self.misplaced.append(last)


def read(source: Path, wanted: Wanted, tally: Tally) -> Iterator[Reading]:
    """Read every *.conll, *.txt and *.tsv under the source, or the source itself if it is a file.

    The topic is the file's stem, the id counts the file's documents from 1, the language is the name of a
    folder on the way if it is one of those wanted, else "und".

    Raises:
        DataError: file and line of a row without a tag, or tags of two schemes in one file.
    """
    for path in files_under(source, SUFFIXES):
        folders = path.relative_to(source).parts[:-1] if source.is_dir() else ()
        language = next((name for name in reversed(folders) if name in wanted.languages), UNKNOWN_LANGUAGE)
        tally.topics.add(path.stem)
        documents = _documents(path, tally)
        scheme = _scheme([rows for sentences in documents for rows in sentences], path)
        for number, sentences in enumerate(documents, 1):
            yield _document(Document(str(number), "", language, path.stem), sentences, scheme, path)


def _documents(path: Path, tally: Tally) -> list[list[list[Row]]]:
    """Documents of sentences of rows; none of them empty."""
    documents: list[list[list[Row]]] = [[[]]]
    for number, line in enumerate(read_text(path, tally).removeprefix("\ufeff").split("\n"), 1):
        fields = _fields(line)
        sentence = documents[-1][-1]
        if fields[0] == DOCUMENT_START:
            documents.append([[]])
        elif fields == [""]:
            documents[-1].append([])
        elif sentence or not _is_comment(fields):
            sentence.append(_row(fields, number, path))
    return [full for sentences in documents if (full := [rows for rows in sentences if rows])]


def _fields(line: str) -> list[str]:
    line = line.strip(" \t\r")
    return [cell.strip(" ") for cell in line.split("\t")] if "\t" in line else regex.split(" +", line)


def _is_comment(fields: list[str]) -> bool:
    """A line of remarks before a sentence, as CoNLL-U has them; a word "#" has a tag."""
    return fields[0].startswith("#") and not _TAG.fullmatch(fields[-1])


def _row(fields: list[str], number: int, path: Path) -> Row:
    tag = _TAG.fullmatch(fields[-1])
    if len(fields) < 2 or not fields[0] or tag is None:
        raise DataError(
            f"{path}:{number}: expected a word, any columns, and a tag (O, or a label behind B- I- E- S- L- U-), "
            f"got {fields}"
        )
    return Row(number, fields[0], tag["prefix"] or "O", tag["label"] or "")


def _scheme(sentences: list[list[Row]], path: Path) -> Scheme:
    found = {row.prefix for rows in sentences for row in rows}
    if found & set("ES") and found & set("LU"):
        raise DataError(f"{path}: tags of BIOES (E-, S-) and of BILOU (L-, U-) in one file; use one scheme a file")
    if found & set("ESLU"):
        return "BIOES" if found & set("ES") else "BILOU"
    for rows in sentences:
        for before, row in zip([None, *rows], rows, strict=False):
            if row.prefix == "B" and (before is None or before.label != row.label):
                return "IOB2"  # in IOB1 only an entity right behind one of its kind begins with B
    return "IOB1"


def _document(empty: Document, sentences: list[list[Row]], scheme: Scheme, path: Path) -> Reading:
    text, start = [], 0
    segmented: list[Sentence] = []
    spans: list[Span] = []
    problems: list[Problem] = []
    for rows in sentences:
        words = []
        for row in rows:
            words.append(Word(row.word, start, start + len(row.word)))
            start += len(row.word) + 1  # a space, or the line's end
        decoder = _Decoder(scheme)
        decoder.decode(rows)
        segmented.append(Sentence(tuple(words)))
        spans += [character_span(segmented[-1], span) for span in decoder.spans]
        problems += [
            Problem(empty.key, "tag out of place", row.word, f"{path.name}:{row.line}: {row.prefix}-{row.label}")
            for row in decoder.misplaced
        ]
        text.append(" ".join(row.word for row in rows))
    document = Document(empty.id, "\n".join(text), empty.language, empty.topic, tuple(segmented), tuple(sorted(spans)))
    return document, tuple(problems)
