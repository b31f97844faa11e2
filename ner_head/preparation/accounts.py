"""What became of every document and mention that was read: kept, changed, or left out and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document
from ner_head.formats.reading import CHANGED, LOST, Problem, Tally
from ner_head.preparation.fitting import Fitted

KEPT = "kept"
NO_SPLIT = "no split names the document"
EXAMPLES = 3


@dataclass
class Accounts:
    """Sums over a corpus; every document and mention is counted once.

    Attributes:
        documents: by split, or by why they are left out.
        mentions: by split and language, then by outcome: kept, or a kind of problem.
        annotations: how many there were, by split and language. One may give several mentions.
        losses: problems of mentions that are lost, by split and language.
    """

    documents: Counter[str] = field(default_factory=Counter)
    mentions: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    annotations: Counter[tuple[str, str]] = field(default_factory=Counter)
    losses: dict[tuple[str, str], list[Problem]] = field(default_factory=lambda: defaultdict(list))

    def add(self, split: str, fitted: Fitted, problems: Iterable[Problem], n_annotations: int | None) -> None:
        """Count a document of a split; `problems` are its reader's."""
        place = split, fitted.document.language
        lost = [problem for problem in problems if problem.kind in LOST]
        self.documents[split] += 1
        self.mentions[place].update(outcome or KEPT for outcome in fitted.outcomes)
        self.mentions[place].update(problem.kind for problem in lost)
        self.annotations[place] += n_annotations or len(fitted.outcomes) + len(lost)
        self.losses[place] += [*lost, *(problem for problem in fitted.problems if problem.kind in LOST)]

    def leave_out(self, document: Document, problems: Iterable[Problem]) -> None:
        """Count a document that no split names."""
        self.documents[NO_SPLIT] += 1
        n_mentions = len(document.spans) + sum(problem.kind in LOST for problem in problems)
        self.mentions["", document.language][NO_SPLIT] += n_mentions

    def check_losses(self, most: float) -> None:
        """Refuse a corpus that loses more than a share `most` of the mentions of a split or a language.

        Raises:
            DataError: it does; with the largest cause and three examples.
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

    def report(self, tally: Tally) -> dict[str, Any]:
        """Documents and mentions as `reports/prepare.json` shows them: in each the parts add up to `read`."""
        outcomes = sum(self.mentions.values(), Counter[str]()) + tally.mentions_left_out
        splits = {split: count for split, count in self.documents.items() if split != NO_SPLIT}
        documents_left_out = tally.left_out + Counter({NO_SPLIT: self.documents[NO_SPLIT]})
        changed = {kind: outcomes[kind] for kind in CHANGED if outcomes[kind]}
        mentions_left_out = {why: n for why, n in outcomes.items() if why not in (KEPT, *CHANGED)}
        return {
            "documents": {
                "read": sum(self.documents.values()) + tally.left_out.total(),
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
