"""Two taggers on the same documents: what one finds and the other does not, and whether the difference is chance."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp, lgamma, log
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ner_head.base.errors import DataError, system_error
from ner_head.corpus.documents import Document, Span
from ner_head.corpus.records import span_of
from ner_head.evaluation.measures.slices import LEAST_DOCUMENTS, SliceCounts, f1, interval
from ner_head.evaluation.measures.spans import Scores, total_counts


class Agreement(NamedTuple):
    """Numbers of spans by who has them: gold spans that are found, and other spans that are predicted."""

    found_by_both: int = 0
    found_by_a: int = 0
    found_by_b: int = 0
    found_by_none: int = 0
    wrong_in_both: int = 0
    wrong_in_a: int = 0
    wrong_in_b: int = 0

    @property
    def a_right(self) -> int:
        """Number of spans about which A alone is right: gold spans that B misses, and wrong spans of B alone."""
        return self.found_by_a + self.wrong_in_b

    @property
    def b_right(self) -> int:
        """Number of spans about which B alone is right."""
        return self.found_by_b + self.wrong_in_a

    @property
    def mcnemar(self) -> float:
        """P-value of McNemar's exact test (1947): the taggers are right about equally many spans.

        The test takes spans as independent, which those of one document are not. The bootstrap does not.
        """
        n, fewer = self.a_right + self.b_right, min(self.a_right, self.b_right)
        largest = lgamma(n + 1) - lgamma(fewer + 1) - lgamma(n - fewer + 1) - n * log(2)  # binomial(n, fewer) / 2**n
        total = term = 1.0  # the sum of the binomials, from the largest down, as multiples of it
        for k in range(fewer, 0, -1):
            term *= k / (n - k + 1)
            total += term
        return min(1.0, 2 * exp(largest) * total)


class Difference(NamedTuple):
    """F1 of A less that of B; the interval and the p-value are None for fewer than `LEAST_DOCUMENTS` documents."""

    f1: float
    low: float | None = None
    high: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class Slice:
    """The comparison of all spans, or of those of a label or a language."""

    a: Scores
    b: Scores
    difference: Difference
    agreement: Agreement

    def to_json(self) -> dict[str, Any]:
        """The slice as plain data."""
        test = {"a_right": self.agreement.a_right, "b_right": self.agreement.b_right, "p": self.agreement.mcnemar}
        return {
            "a": self.a,
            "b": self.b,
            "difference": self.difference._asdict(),
            "agreement": self.agreement._asdict(),
            "mcnemar": test,
        }


def compare(gold: Sequence[Document], a: Sequence[Document], b: Sequence[Document]) -> dict[str, Slice]:
    """Compare two taggers.

    Args:
        gold: annotated documents.
        a: the same documents with the spans of the first tagger.
        b: the same documents with the spans of the second one.
    Returns:
        The slice of all spans ("all"), those of the labels, and those of the languages if there are several.
    """
    found = {"all": compare_slice(gold, a, b)}
    for label in sorted({span.label for documents in (gold, a, b) for d in documents for span in d.spans}):
        found[label] = compare_slice(*(of_label(documents, label) for documents in (gold, a, b)))
    languages = sorted({document.language for document in gold})
    for language in languages if len(languages) > 1 else ():
        rows = [i for i, document in enumerate(gold) if document.language == language]
        found[f"language {language}"] = compare_slice(*([each[i] for i in rows] for each in (gold, a, b)))
    return found


def compare_slice(gold: Sequence[Document], a: Sequence[Document], b: Sequence[Document]) -> Slice:
    """Compare two taggers on all spans of documents."""
    return Slice(
        total_counts(gold, a).scores(), total_counts(gold, b).scores(), difference(gold, a, b), agree(gold, a, b)
    )


def difference(gold: Sequence[Document], a: Sequence[Document], b: Sequence[Document], seed: int = 0) -> Difference:
    """The difference in micro F1 by the paired bootstrap over documents (Berg-Kirkpatrick et al., 2012).

    Both taggers are scored on the same resamples. The p-value is twice the share of resamples on the other side of 0.
    """
    one, other = (SliceCounts.of(gold, found, frozenset()) for found in (a, b))
    value = float(f1(one.counts.sum(axis=0)[0]) - f1(other.counts.sum(axis=0)[0]))
    if len(gold) < LEAST_DOCUMENTS:
        return Difference(value)
    drawn = f1(one.resampled(seed)[:, 0]) - f1(other.resampled(seed)[:, 0])
    low, high = interval(drawn)
    beyond = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    return Difference(value, low, high, min(1.0, 2 * (beyond + 1) / (len(drawn) + 1)))


def agree(gold: Iterable[Document], a: Iterable[Document], b: Iterable[Document]) -> Agreement:
    """Count who has which span."""
    total = np.zeros(len(Agreement._fields), dtype=np.int64)
    for wanted, one, other in zip(gold, a, b, strict=True):
        right, first, second = set(wanted.spans), set(one.spans), set(other.spans)
        total += (
            len(right & first & second),
            len(right & first - second),
            len(right & second - first),
            len(right - first - second),
            len(first & second - right),
            len(first - second - right),
            len(second - first - right),
        )
    return Agreement(*total.tolist())


def of_label(documents: Iterable[Document], label: str) -> list[Document]:
    """Documents with the spans of a label only."""
    return [replace(d, spans=tuple(span for span in d.spans if span.label == label)) for d in documents]


def read_spans(path: Path, gold: Sequence[Document]) -> list[Document]:
    """Read a file of predictions: the output of `ner-head predict`, or of stage `evaluate`.

    Records belong to the documents that have their text.

    Args:
        path: a JSON record per line, with `text` and `spans`.
        gold: documents that predictions are wanted for.
    Returns:
        The documents with the predicted spans.
    Raises:
        DataError: a line is no prediction, or a document has none; names it.
    """
    records: dict[str, list[tuple[Span, ...]]] = defaultdict(list)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise system_error(error, path) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                content = json.loads(line)
                text = content["text"]
                records[text].append(tuple(sorted(_span(span, text) for span in content["spans"])))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise DataError(f"{path}:{number}: no prediction with text and spans: {error!r}") from None
    found = []
    for document in gold:
        spans = records[document.text]
        if not spans:
            raise DataError(
                f"{path}: no prediction for {document.key}; predict the same documents, with their exact text"
            )
        found.append(replace(document, spans=spans.pop(0) if len(spans) > 1 else spans[0]))
    return found


def _span(item: Any, text: str) -> Span:
    """A span of a record (`span_of`), or of the output of `ner-head predict`, which is an object."""
    if isinstance(item, dict):
        item = [item["start"], item["end"], item["label"], item.get("probability")]
    return replace(span_of(item, text), lemma=None, entity=None)


def table(found: dict[str, Slice]) -> str:
    """The comparison as text."""
    width = max(map(len, found))
    lines = [f"{'':{width}}  {'gold':>6}  {'F1 of A':>7}  {'F1 of B':>7}  {'A - B':>7}  {'95 %':^16}  {'p':>6}"]
    for name, row in found.items():
        value, low, high, p = row.difference
        between = "" if low is None or high is None else f"{low:+.3f} to {high:+.3f}"
        shown = "" if p is None else f"{p:.3f}"
        numbers = (
            f"{row.a['gold']:>6}  {row.a['f1']:>7.3f}  {row.b['f1']:>7.3f}  {value:>+7.3f}  {between:^16}  {shown:>6}"
        )
        lines.append(f"{name:{width}}  {numbers}")
    whole = found["all"]
    each = whole.agreement
    lines += [
        "",
        f"precision {whole.a['precision']:.3f} and {whole.b['precision']:.3f}, recall {whole.a['recall']:.3f} and "
        f"{whole.b['recall']:.3f}",
        f"gold spans: {each.found_by_both} found by both, {each.found_by_a} by A only, {each.found_by_b} by B only, "
        f"{each.found_by_none} by none",
        f"wrong spans: {each.wrong_in_both} in both, {each.wrong_in_a} in A only, {each.wrong_in_b} in B only",
        f"right where the other is wrong: A {each.a_right} times, B {each.b_right} times (McNemar's exact test: "
        f"p = {each.mcnemar:.3g})",
    ]
    if whole.difference.p is None:
        lines.append(f"no interval for fewer than {LEAST_DOCUMENTS} documents: too few to resample")
    return "\n".join(lines)


def as_json(found: dict[str, Slice]) -> dict[str, Any]:
    """The comparison as plain data."""
    return {name: row.to_json() for name, row in found.items()}
