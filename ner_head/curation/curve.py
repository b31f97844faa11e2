"""Dev F1 against the number of training documents, and what more documents would bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document
from ner_head.corpus.near_copies import near_copies
from ner_head.evaluation.measures.slices import LEAST_DOCUMENTS, RESAMPLES, Interval, f1, interval
from ner_head.folds.groups import sample_groups
from ner_head.folds.heads import SubsetHeads
from ner_head.inference.predictions import predict_from_store
from ner_head.training.params import TrainingParams

LAST = 3  # sizes at the end of the curve from which the slope is computed
FEWEST = 10  # groups of near copies


@dataclass(frozen=True)
class Measured:
    """A head trained on some of the documents.

    Attributes:
        n_documents: number of documents.
        seed: seed of the documents and of the head.
        counts: numbers of correct, predicted and gold spans of each dev document, (D, 3).
    """

    n_documents: int
    seed: int
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class CurvePoint:
    """Mean F1 at a size, over seeds, with its 95 % interval."""

    n_documents: float
    f1: float
    interval: Interval
    seeds: list[float]


@dataclass(frozen=True)
class Curve:
    """A learning curve.

    Attributes:
        points: F1 at each size, the smallest first.
        slope: change of F1 for twice as many documents, at the end of the curve, and its interval.
        more: number of further documents.
        gain: change of F1 that they would bring, and its interval.
    """

    points: list[CurvePoint]
    slope: tuple[float, Interval]
    more: int
    gain: tuple[float, Interval]

    def as_dict(self) -> dict[str, Any]:
        """The curve as JSON."""
        rows = [
            {
                "documents": p.n_documents,
                "f1": p.f1,
                "f1_low": p.interval[0],
                "f1_high": p.interval[1],
                "seeds": p.seeds,
            }
            for p in self.points
        ]
        (slope, (slope_low, slope_high)), (gain, (low, high)) = self.slope, self.gain
        return {
            "points": rows,
            "doubling": {"gain": slope, "low": slope_low, "high": slope_high},
            "more": {"documents": self.more, "gain": gain, "low": low, "high": high},
            "pieces_computed": 0,
        }

    @property
    def sentence(self) -> str:
        """What the end of the curve says, in words."""
        gain, (low, high) = self.gain
        points = f"{100 * gain:.1f} points of F1 (95 %: {100 * low:.1f} to {100 * high:.1f})"
        if low <= 0:
            return f"Another {self.more:,} documents bring about {points}: a gain cannot be shown with these figures."
        return f"Another {self.more:,} documents bring about {points}, if the end of the curve goes on."


def measure(
    heads: SubsetHeads,
    documents: Sequence[Document],
    dev: Sequence[Document],
    fractions: Sequence[float],
    seeds: Sequence[int],
    training: TrainingParams,
) -> Iterator[Measured]:
    """Train a head for each seed and each fraction of the documents, and count its spans on dev.

    Near copies are taken together. Every head is trained for about as many steps as one of all documents, because heads
    of few documents would otherwise be undertrained, and the curve too steep. Dev selects nothing: the last epoch is
    scored.

    Args:
        heads: heads of a session over the documents.
        documents: documents to train on.
        dev: documents to score.
        fractions: fractions of the documents, above 0 and up to 1.
        seeds: seeds; each has its own documents and weights.
        training: training params.
    Raises:
        DataError: dev has no gold spans, or there are fewer than `FEWEST` groups of near copies.
    """
    check_sizes(documents, dev)
    groups = near_copies(documents)
    if len(groups) < FEWEST:
        raise DataError(
            f"{len(documents):,} train documents are {len(groups):,} groups of near copies, and {FEWEST} are needed "
            "for a curve"
        )
    for fraction in sorted(fractions):
        for seed in seeds:
            chosen = sample_groups(groups, round(fraction * len(documents)), seed=seed)
            subset = [documents[i] for i in chosen]
            params = training.model_copy(update={"seed": seed, "epochs": _epochs(training, documents, subset)})
            tagger = heads.tagger(subset, params)
            found = predict_from_store(tagger, dev, heads.store, heads.session.manifest.languages)
            yield Measured(len(subset), seed, _counts(dev, [each.document for each in found]))


def _epochs(training: TrainingParams, documents: Sequence[Document], subset: Sequence[Document]) -> int:
    """Number of epochs of a subset that takes as many steps as all documents."""
    whole, part = (sum(len(document.sentences) for document in each) for each in (documents, subset))
    return max(1, round(training.epochs_for(whole) * whole / max(part, 1)))


def check_sizes(documents: Sequence[Document], dev: Sequence[Document]) -> None:
    """Check that there is something to train on and to score.

    Raises:
        DataError: there is not.
    """
    if not any(document.spans for document in dev):
        raise DataError(
            "dev has no gold spans, so there is no F1 to draw; name annotated documents in prepare.splits.dev"
        )
    if len(dev) < LEAST_DOCUMENTS:
        raise DataError(f"dev has {len(dev)} documents, and {LEAST_DOCUMENTS} are needed for an interval")
    if len(documents) < FEWEST:
        raise DataError(f"train has {len(documents)} documents, and {FEWEST} are needed for a curve")


def _counts(dev: Sequence[Document], found: Sequence[Document]) -> NDArray[np.int64]:
    pairs = [(set(wanted.spans), set(each.spans)) for wanted, each in zip(dev, found, strict=True)]
    return np.array([[len(wanted & each), len(each), len(wanted)] for wanted, each in pairs], dtype=np.int64)


def fit_curve(measured: Sequence[Measured], *, more: int, seed: int = 0) -> Curve:
    """Means, intervals and the slope at the end.

    The slope is that of F1 over the logarithm of the number of documents, by least squares on the last `LAST` sizes.
    Each of `RESAMPLES` resamples draws dev documents and seeds with replacement, the same for all sizes, so that the
    difficulty of the drawn documents cancels out of the slope.

    Args:
        measured: results with the same seeds at each size, in the order of `measure`.
        more: number of further documents.
        seed: seed of the resamples.
    """
    n_seeds = len({each.seed for each in measured})
    counts = np.stack([each.counts for each in measured]).reshape(-1, n_seeds, *measured[0].counts.shape)
    sizes = np.array([each.n_documents for each in measured]).reshape(-1, n_seeds).mean(axis=1)
    rng = np.random.default_rng(seed)
    n_dev = counts.shape[2]
    times = rng.multinomial(n_dev, [1 / n_dev] * n_dev, size=RESAMPLES)
    drawn = f1(np.tensordot(times, counts, axes=(1, 2)))  # (R, sizes, seeds)
    picks = rng.integers(n_seeds, size=(RESAMPLES, n_seeds))
    means = np.take_along_axis(drawn, picks[:, None, :], axis=2).mean(axis=2)
    each = f1(counts.sum(axis=2))
    points = [
        CurvePoint(round(float(size), 1), float(row.mean()), interval(means[:, i]), row.tolist())
        for i, (size, row) in enumerate(zip(sizes, each, strict=True))
    ]
    slope, slopes = _slope(sizes, each.mean(axis=1)[None])[0], _slope(sizes, means)
    ahead = np.log2(1 + more / sizes[-1])
    return Curve(
        points,
        (float(slope), interval(slopes)),
        more,
        (float(slope * ahead), interval(slopes * ahead)),
    )


def _slope(sizes: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slopes of rows of scores, (R, sizes) -> (R,), over log2 of the last sizes."""
    x = np.log2(sizes[-LAST:])
    x = x - x.mean()
    found: NDArray[np.float64] = scores[:, -LAST:] @ x / max(float(x @ x), 1e-12)
    return found


def table(curve: Curve) -> str:
    """The curve as text, and what its end says."""
    lines = [f"{'documents':>10}{'F1':>8}   95 % interval     seeds"]
    for point in curve.points:
        low, high = point.interval
        seeds = " ".join(f"{score:.3f}" for score in point.seeds)
        lines.append(f"{point.n_documents:>10,.0f}{point.f1:>8.3f}   {low:.3f} to {high:.3f}    {seeds}")
    return "\n".join([*lines, curve.sentence])
