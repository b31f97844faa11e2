"""What a check finds: errors, which make training or scores wrong, and warnings, each with its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning"]
Kind = Literal[
    "unreadable",  # a file that no reader can read
    "leakage",  # a dev or test document that is a near copy of one of train, or of another split
    "same name",  # documents with the same key
    "invalid label",
    "encoding",  # a file that is not UTF-8
    "line breaks",  # CR, CRLF, a mixture, or separators that are not line ends everywhere
    "annotation",  # a problem that the reader of the format reports
    "lost span",  # tags cannot express it: cut by a sentence, overlapping
    "changed span",  # wider in tags than annotated, white space at its ends
    "punctuation",  # a span with a punctuation mark at its end, annotated without it elsewhere
    "several labels",  # a form with different labels
    "same sentence",  # a sentence that is annotated differently elsewhere
    "near copies",  # documents of one split that share much of their text
    "few examples",  # a type with too few spans, or too few documents
    "absent type",  # a type of dev or test that train lacks
    "no annotations",
    "unknown characters",  # that the encoder's tokenizer maps to [UNK]
    "mixed alphabets",  # Latin and Cyrillic letters in one word
    "long sentence",
]


@dataclass(frozen=True)
class Place:
    """A place in a file of the corpus.

    Attributes:
        where: `FILE:LINE`, or the file alone.
        document: key of the document; empty for a place that concerns the file.
        text: text of the place, such as the sentence.
        label: label of the annotation there, if the finding is about labels.
    """

    where: str
    document: str = ""
    text: str = ""
    label: str = ""


@dataclass(frozen=True)
class Finding:
    """A problem of the corpus.

    Attributes:
        severity: whether it is an error.
        kind: what it is.
        message: one line.
        places: where it is, the most important first.
    """

    severity: Severity
    kind: Kind
    message: str
    places: tuple[Place, ...] = ()

    @property
    def line(self) -> str:
        """The finding as one line, with its first place in front."""
        return f"{self.places[0].where}: {self.message}" if self.places else self.message


@dataclass
class CheckReport:
    """The result of a check.

    Attributes:
        counts: numbers of documents, sentences, words and spans by split, topic and language.
        findings: problems, in the order of the checks.
        notes: lines about what was checked and what could not be checked.
    """

    counts: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def number(self, severity: Severity) -> int:
        """Number of findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """The whole report, for JSON."""
        return {
            "errors": self.number("error"),
            "warnings": self.number("warning"),
            "counts": self.counts,
            "types": dict(type_totals(self.counts)),
            "findings": [asdict(finding) for finding in self.findings],
            "notes": self.notes,
        }

    def table(self, shown: int) -> str:
        """The report as text. Of each kind, at most `shown` findings are listed; 0 lists all."""
        lines = [*_count_lines(self.counts), ""]
        for severity in ("error", "warning"):
            of_kind: dict[Kind, list[Finding]] = {}
            for finding in self.findings:
                if finding.severity == severity:
                    of_kind.setdefault(finding.kind, []).append(finding)
            for kind, found in of_kind.items():
                lines.append(f"{severity}: {kind}: {len(found):,}")
                lines += [f"  {finding.line}" for finding in (found[:shown] if shown else found)]
                if shown and len(found) > shown:
                    lines.append(f"  and {len(found) - shown:,} more (--all lists them, --json has every place)")
        lines += [f"note: {note}" for note in self.notes]
        lines.append(f"{self.number('error'):,} errors, {self.number('warning'):,} warnings")
        return "\n".join(lines)


def type_totals(counts: Iterable[dict[str, Any]]) -> Counter[str]:
    """Number of spans of each type, the most frequent first."""
    total = sum((Counter(row["spans"]) for row in counts), Counter[str]())
    return Counter(dict(total.most_common()))


def _count_lines(counts: Sequence[dict[str, Any]]) -> list[str]:
    """A table of counts, with a column for each type."""
    types = list(type_totals(counts))
    names = ["split", "topic", "language"]
    widths = [max([len(name), *(len(row[name]) for row in counts)]) + 2 for name in names]
    numbers = ["documents", "sentences", "words"]
    head = "".join(name.ljust(width) for name, width in zip(names, widths, strict=True))
    columns = [max(len(label), 6) + 2 for label in types]
    lines = [
        head
        + "".join(name.rjust(11) for name in numbers)
        + "".join(label.rjust(width) for label, width in zip(types, columns, strict=True))
    ]
    for row in counts:
        cells = "".join(row[name].ljust(width) for name, width in zip(names, widths, strict=True))
        cells += "".join(f"{row[name]:,}".rjust(11) for name in numbers)
        spans = zip(types, columns, strict=True)
        lines.append(cells + "".join(f"{row['spans'].get(label, 0):,}".rjust(width) for label, width in spans))
    return lines
