"""Count what happens to each document and mention of a corpus: kept, changed, or left out with the reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document
from ner_head.formats.log import ReaderLog
from ner_head.formats.problems import CHANGED, LOST, Problem
from ner_head.preparation.fitting import Fitted

KEPT = "kept"
NO_SPLIT = "no split names the document"
EXAMPLES = 3


@dataclass
class Accounts:
    """Counts over a corpus. Each document and mention is counted once.

    Attributes:
        documents: number of documents by split, or by the reason why they are left out.
        mentions: number of mentions by split and language, then by outcome: kept, or the kind of problem.
        annotations: number of annotations by split and language. One annotation may give several mentions.
        losses: problems of lost mentions, by split and language.
    """

    documents: Counter[str] = field(default_factory=Counter)
    mentions: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    annotations: Counter[tuple[str, str]] = field(default_factory=Counter)
    losses: dict[tuple[str, str], list[Problem]] = field(default_factory=lambda: defaultdict(list))

    def add(self, split: str, fitted: Fitted, problems: Iterable[Problem], n_annotations: int | None) -> None:
        """Count a document of a split.

        Args:
            split: the split.
            fitted: the document and the outcomes of its spans.
            problems: problems that the reader found.
            n_annotations: number of annotations; None if it is the number of mentions.
        """
        place = split, fitted.document.language
        lost = [problem for problem in problems if problem.kind in LOST]
        self.documents[split] += 1
        self.mentions[place].update(outcome or KEPT for outcome in fitted.outcomes)
        self.mentions[place].update(problem.kind for problem in lost)
        self.annotations[place] += n_annotations or len(fitted.outcomes) + len(lost)
        self.losses[place] += [*lost, *(problem for problem in fitted.problems if problem.kind in LOST)]

    def leave_out(self, document: Document, problems: Iterable[Problem]) -> None:
        """Count a document that is in no split."""
        self.documents[NO_SPLIT] += 1
        n_mentions = len(document.spans) + sum(problem.kind in LOST for problem in problems)
        self.mentions["", document.language][NO_SPLIT] += n_mentions

    def check_losses(self, most: float) -> None:
        """Check that no split or language loses too many of its mentions.

        Args:
            most: largest share of mentions that may be lost.
        Raises:
            DataError: more are lost; names the most frequent cause and three examples.
        """
        slices: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for split, language in sorted(self.losses):
            slices[f"split {split}"].append((split, language))
            slices[f"language {language}"].append((split, language))
        for name, places in slices.items():
            lost = [problem for place in places for problem in self.losses[place]]
            given = max(sum(self.annotations[place] for place in places), len(lost))
            if len(lost) > most * given:
                raise DataError(
                    f"{name}: {len(lost):,} of {given:,} mentions are lost, {_largest_cause(lost)}; "
                    f"mend the annotations, or allow it with prepare.max_lost (now {most:g})"
                )

    def report(self, log: ReaderLog) -> dict[str, Any]:
        """Sections `documents` and `mentions` of `reports/prepare.json`. In each, the parts add up to `read`."""
        outcomes = sum(self.mentions.values(), Counter[str]()) + log.mentions_left_out
        splits = {split: count for split, count in self.documents.items() if split != NO_SPLIT}
        documents_left_out = log.left_out + Counter({NO_SPLIT: self.documents[NO_SPLIT]})
        changed = {kind: outcomes[kind] for kind in CHANGED if outcomes[kind]}
        mentions_left_out = {why: n for why, n in outcomes.items() if why not in (KEPT, *CHANGED)}
        return {
            "documents": {
                "read": sum(self.documents.values()) + log.left_out.total(),
                "kept": splits,
                "left out": dict(documents_left_out),
            },
            "mentions": {
                "read": outcomes.total(),
                "kept": outcomes[KEPT],
                "changed": changed,
                "left out": mentions_left_out,
            },
        }


def _largest_cause(lost: Sequence[Problem]) -> str:
    ((kind, count),) = Counter(problem.kind for problem in lost).most_common(1)
    examples = [problem for problem in lost if problem.kind == kind][:EXAMPLES]
    shown = "; ".join(" ".join(filter(None, (p.document, p.form and repr(p.form), p.detail))) for p in examples)
    return f"{count:,} as {kind!r}: {shown}"
