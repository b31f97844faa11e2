"""JSON records of words and tags, as in Hugging Face datasets: {"tokens": [...], "ner_tags": [...]}."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ner_head.formats.glue import has_compounds, join, spaces_before
from ner_head.formats.problems import ProblemParts
from ner_head.formats.records import GOLD
from ner_head.formats.tags import ChunkEncoding, Meanings, choose_encoding, out_of_place, read_cells, spans

WORDS = ("tokens", "words")
TAGS = ("ner_tags", "tags", "labels")


@dataclass(frozen=True, slots=True)
class TaggedRow:
    """A record of words and tags.

    Attributes:
        words: words that are not blank.
        cells: tag of each word; None if the record has no tags.
        n_blank: number of blank words that were dropped.
        others: other keys and values of the record.
    """

    words: tuple[str, ...]
    cells: tuple[str, ...] | None
    n_blank: int
    others: Mapping[str, Any]


def tagged_row(content: Any) -> TaggedRow | None:
    """Parse a record of words and tags; None if it has a text or has no words.

    Raises:
        ValueError: the tags are not strings, or their number differs from that of the words.
    """
    if not isinstance(content, dict) or content.get("text") is not None:
        return None
    words_key = next((key for key in WORDS if _is_list_of_strings(content.get(key))), None)
    if words_key is None:
        return None
    tags_key = next((key for key in TAGS if content.get(key) is not None), None)
    words, cells = content[words_key], content[tags_key] if tags_key else None
    others = {key: value for key, value in content.items() if key not in (words_key, tags_key)}
    if cells is None:
        kept = tuple(word for word in words if word.strip())
        return TaggedRow(kept, None, len(words) - len(kept), others)
    if not _is_list_of_strings(cells):
        raise ValueError(
            f"{tags_key} must be strings, such as B-PER, got {cells!r:.40}; the names of numbers are not in the file: "
            f"write those of dataset.features[{tags_key!r}].feature.names"
        )
    if len(words) != len(cells):
        raise ValueError(f"{len(words)} {words_key}, but {len(cells)} {tags_key}")
    pairs = [(word, cell) for word, cell in zip(words, cells, strict=True) if word.strip()]
    return TaggedRow(tuple(w for w, _ in pairs), tuple(c for _, c in pairs), len(words) - len(pairs), others)


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


class TagReader:
    """Converts records of words and tags. The chunk encoding is detected from all records of a file."""

    def __init__(self, rows: Sequence[TaggedRow], *, glue: bool = True) -> None:
        self.glue, self.compounds = glue, has_compounds(word for row in rows for word in row.words)
        found = [row.cells for row in rows if row.cells is not None]
        self.meanings: Meanings = read_cells(Counter(cell for cells in found for cell in cells))
        tags = self.meanings.tags
        right = ([tags[cell] for cell in cells if cell in tags] for cells in found)
        self.encoding: ChunkEncoding | None = None if self.meanings.plain else choose_encoding(right)

    def content(self, row: TaggedRow) -> tuple[dict[str, Any], list[ProblemParts]]:
        """Convert a row into a record with text, sentences and spans.

        Returns:
            The record, and the kind, form and detail of each problem.
        Raises:
            ValueError: a cell is not a valid tag, or the row has annotations without a text.
        """
        language = row.others.get("language")
        spaces = [False, *[True] * (len(row.words) - 1)] if row.words else []
        if self.glue:
            known = language if isinstance(language, str) else ""
            spaces = spaces_before(row.words, known, hyphens_apart=not self.compounds)
        text, starts = join(row.words, spaces)
        words = [[start, start + len(word)] for start, word in zip(starts, row.words, strict=True)]
        found: dict[str, Any] = {"text": text, "sentences": [words] if words else []}
        problems: list[ProblemParts] = [("blank word", "", f"{row.n_blank} words")] * bool(row.n_blank)
        gold = [key for key in GOLD if row.others.get(key) is not None]
        if row.cells is None and gold:
            raise ValueError(f"{gold[0]!r} beside words alone: say their tags in {TAGS[0]!r}, or give a 'text'")
        found |= {key: value for key, value in row.others.items() if key not in (*found, *gold)}
        if row.cells is None:
            return found, problems
        if wrong := [self.meanings.wrong[cell] for cell in row.cells if cell in self.meanings.wrong]:
            raise ValueError(wrong[0])
        tags = [self.meanings.tags[cell] for cell in row.cells]
        found["spans"] = [[words[s.start][0], words[s.end - 1][1], s.label] for s in spans(tags)]
        misplaced = out_of_place(self.encoding, tags) if self.encoding else []
        problems += [("tag out of place", row.words[n], row.cells[n]) for n in misplaced]
        return found, problems
