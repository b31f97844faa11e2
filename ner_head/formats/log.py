"""The log of a reader: files and rows by what happened to them, and notices for the user."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

RowKind = Literal[
    "kept",  # a word, an annotation or a record that is part of a document
    "ignored",  # an annotation or a record that is dropped; each has a `Problem`
    "left out",  # a record that the options exclude; `ReaderLog.left_out` gives the reason
    "mark",  # the start of a document, an id, or a header
    "comment",
    "no word",  # CoNLL-U: the range of a multiword token, or an empty node
    "blank",
]


@dataclass(slots=True)
class ReaderLog:
    """What a reader did with the files of a corpus. The reader fills it in while it reads."""

    files: list[Path] = field(default_factory=list)
    """Files that were read."""
    passed_over: dict[Path, str] = field(default_factory=dict)
    """Files and folders that were not read, with the reason."""
    rows: Counter[RowKind] = field(default_factory=Counter)
    """Number of rows of each kind. The counts add up to the lines of all CoNLL, JSONL and annotation files read."""
    topics: set[str] = field(default_factory=set)
    """All topics of the corpus, including those of files that were not read."""
    languages: set[str] = field(default_factory=set)
    """All languages of the corpus, including those of files that were not read."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Number of records that were read but are not documents of the corpus, by reason."""
    mentions_left_out: Counter[str] = field(default_factory=Counter)
    """Number of mentions in these records, by reason."""
    annotations: dict[str, int] = field(default_factory=dict)
    """Number of annotations by document key, for formats in which one annotation gives any number of spans."""
    notices: list[str] = field(default_factory=list)
    """Lines for the user: what was detected, and what is unusual."""

    def lines(self) -> list[str]:
        """The notices, then one line for each reason why files or records were not used."""
        reasons: dict[str, list[Path]] = {}
        for path, why in self.passed_over.items():
            reasons.setdefault(why, []).append(path)
        return [
            *self.notices,
            *(f"left out ({why}): {count:,} records" for why, count in self.left_out.items()),
            *(
                f"passed over ({why}): {', '.join(map(str, paths[:3]))}"
                + (f" and {len(paths) - 3:,} more" if len(paths) > 3 else "")
                for why, paths in reasons.items()
            ),
        ]

    def report(self) -> dict[str, Any]:
        """The section `read` of `reports/prepare.json`."""
        return {
            "files": len(self.files),
            "passed over": {str(path): why for path, why in self.passed_over.items()},
            "rows": {kind: self.rows[kind] for kind in get_args(RowKind)},
            "notices": self.notices,
        }
