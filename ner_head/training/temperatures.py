"""Temperature scaling (Guo et al., 2017) of a head's probabilities, fitted on held-out documents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ner_head.corpus.documents import Document, Span, character_span, word_spans
from ner_head.corpus.results import Temperatures, shift_log_odds
from ner_head.corpus.word_features import document_word_ids
from ner_head.evaluation.measures.calibration import Confidence, fit_temperature
from ner_head.evaluation.measures.slices import Form, form
from ner_head.features.store.store import FeatureStore
from ner_head.inference.predictions import features_of
from ner_head.inference.span_decoder import SpanQuery
from ner_head.inference.tagger import OutputBatch, Tagger

MOST_SHIFT = 3.0  # of log-odds: a factor of 20
FEWEST = 50  # smallest number of predicted spans, or sentences, to fit a temperature on


@dataclass(frozen=True)
class HeldOut:
    """Predictions of a tagger on held-out documents.

    Attributes:
        queries: The N predicted spans, by batch.
        labels: Label of each predicted span, (N,).
        right: Whether each predicted span has the offsets and label of a gold span, (N,).
        kinds: Kind of each predicted span, (N,): "new" if it overlaps a gold span whose form is unseen in training,
            "known" if it overlaps other gold spans only, "none" if it overlaps no gold span.
        gold: Numbers of new and of known gold spans.
        languages: Logits and indices of the correct languages, of the sentences whose language the head knows.
    """

    queries: list[SpanQuery]
    labels: NDArray[np.str_]
    right: NDArray[np.bool_]
    kinds: NDArray[np.str_]
    gold: tuple[int, int]
    languages: tuple[torch.Tensor, torch.Tensor]


def fit_temperatures(
    tagger: Tagger,
    documents: Sequence[Document],
    store: FeatureStore,
    languages: Sequence[str],
    *,
    seen: Collection[Form],
    new_forms: float,
    notify: Callable[[list[str]], None] = lambda lines: None,
) -> Temperatures:
    """Fit the calibration of spans and of languages on documents that the head was not trained on.

    The temperature of spans minimises the log loss of "the predicted span is correct". Held-out documents of a train
    topic have few new names, and a head is more confident and more accurate on names that it knows. Therefore predicted
    spans that overlap gold spans are weighted as if a share of `new_forms` of the gold spans had new forms. Other
    predicted spans have weight 1. The temperature of languages minimises the cross-entropy.

    The shifts of labels (`label_shifts`) are fitted after the temperature, on the same spans.

    Args:
        tagger: Tagger without temperatures.
        documents: Held-out documents.
        store: Features of the documents.
        languages: Names of the language logits.
        seen: Forms of the documents that the head was trained on.
        new_forms: Expected share of gold spans with a new form, in the texts that the model is used on.
        notify: Function that receives a message for each temperature with too few data to fit it.
    Returns:
        The temperatures; 1, and no shift of a label, where there are too few data.
    """
    found = predicted(tagger, documents, store, languages, seen)
    notify(shortages(found, has_languages=tagger.head.predicts_languages))
    weights = span_weights(found.kinds, found.gold, new_forms)
    spans = _of_spans(tagger, found, weights)
    shifts = label_shifts(_chances(tagger, found, spans), found.right, found.labels, weights)
    return Temperatures(spans=spans, labels=shifts, languages=_of_languages(*found.languages))


def shortages(found: HeldOut, *, has_languages: bool) -> list[str]:
    """A message for each temperature with too few data to fit it."""
    counts = [("spans", len(found.right), "predicted spans")]
    if has_languages:
        counts.append(("languages", len(found.languages[1]), "sentences of known language"))
    return [
        f"temperatures: 1.0 of {what}, as the held-out documents have {count} {things}, and {FEWEST} are needed"
        for what, count, things in counts
        if count < FEWEST
    ]


def _of_spans(tagger: Tagger, found: HeldOut, weights: NDArray[np.float64]) -> float:
    if len(found.right) < FEWEST:
        return 1.0
    return fit_temperature(lambda t: Confidence(_chances(tagger, found, t), found.right).log_loss(weights))


@torch.inference_mode()
def _chances(tagger: Tagger, found: HeldOut, temperature: float) -> NDArray[np.float64]:
    """The probability of each predicted span at a temperature, (N,)."""
    decoder = tagger.decoder.at(temperature)
    return np.array([chance for query in found.queries for chance in decoder.probabilities(query)])


def label_shifts(
    chances: NDArray[np.float64], right: NDArray[np.bool_], labels: NDArray[np.str_], weights: NDArray[np.float64]
) -> dict[str, float]:
    """Shifts of the log-odds by label, such that the probabilities of a label sum to its number of correct spans.

    One temperature calibrates the mean over all labels. A head can be overconfident about one label and underconfident
    about another. A shift is the intercept of a logistic regression with slope 1 (Platt, 1999).

    Args:
        chances: Probability of each of N spans, (N,).
        right: Whether each is correct, (N,).
        labels: Label of each, (N,).
        weights: Weight of each, (N,).
    Returns:
        Shifts from -`MOST_SHIFT` to `MOST_SHIFT`, of the labels with at least `FEWEST` spans.
    """
    from scipy.optimize import brentq  # of the extra `train`

    shifts = {}
    for label in sorted(set(labels.tolist())):
        mine = labels == label
        if mine.sum() < FEWEST:
            continue
        goal = float(weights[mine] @ right[mine])

        def excess(shift: float, mine: NDArray[np.bool_] = mine, goal: float = goal) -> float:
            return float(weights[mine] @ shift_log_odds(chances[mine], shift)) - goal

        low, high = excess(-MOST_SHIFT), excess(MOST_SHIFT)
        if low < 0 < high:
            shifts[label] = round(brentq(excess, -MOST_SHIFT, MOST_SHIFT, xtol=1e-7), 6)
        else:  # fewer, or more, correct spans than the largest shift can express
            shifts[label] = MOST_SHIFT if high <= 0 else -MOST_SHIFT
    return shifts


def span_weights(kinds: NDArray[np.str_], gold: tuple[int, int], new_forms: float) -> NDArray[np.float64]:
    """Weights of predicted spans, (N,), that make the share of new gold spans `new_forms`.

    All weights are 1 if there are no new or no known gold spans.
    """
    new, known = gold
    if not new or not known:
        return np.ones(len(kinds))
    total = new + known
    of_kind = {"new": new_forms * total / new, "known": (1 - new_forms) * total / known, "none": 1.0}
    return np.array([of_kind[kind] for kind in kinds.tolist()])


def _of_languages(logits: torch.Tensor, right: torch.Tensor) -> float:
    if len(right) < FEWEST:
        return 1.0
    return fit_temperature(lambda t: float(torch.nn.functional.cross_entropy(logits / t, right)))


def predicted(
    tagger: Tagger,
    documents: Sequence[Document],
    store: FeatureStore,
    languages: Sequence[str],
    seen: Collection[Form],
) -> HeldOut:
    """Predict held-out documents, and compare the predicted spans of labels that they annotate with the gold."""
    places = [(document, i) for document in documents for i in range(len(document.sentences))]
    features = [each for document in documents for each in features_of(store, document)]
    ids = [each for document in documents for each in document_word_ids(document)]
    batches, queries, rows = list[OutputBatch](), list[SpanQuery](), list[tuple[str, bool, str]]()
    golds = [sentence_gold(*place, seen) for place in places]
    for batch in tagger.outputs(features, ids):
        paths = tagger.decoder.paths(batch.output.emissions, batch.steps.mask)
        rows_of = zip(paths, batch.words_of_pieces, strict=True)
        spans = [tagger.decoder.spans(best.tags, words) for (best,), words in rows_of]
        spans = [places[i][0].judge(each) for i, each in zip(batch.members, spans, strict=True)]
        batches.append(batch)
        queries.append(tagger.query(spans, batch))
        rows += [
            (span.label, span in golds[i], kind(span, golds[i]))
            for i, each in zip(batch.members, spans, strict=True)
            for span in each
        ]
    new = sum(is_new for gold in golds for is_new in gold.values())
    return HeldOut(
        queries,
        np.array([label for label, _, _ in rows], dtype=np.str_),
        np.array([right for _, right, _ in rows], dtype=bool),
        np.array([found for _, _, found in rows], dtype=np.str_),
        (new, sum(map(len, golds)) - new),
        _language_logits(batches, [document.language for document, _ in places], languages),
    )


def sentence_gold(document: Document, number: int, seen: Collection[Form]) -> dict[Span, bool]:
    """The gold spans of a sentence, in words, and whether each one's form is new."""
    sentence = document.sentences[number]
    spans = word_spans(sentence, document.spans)
    return {span: form(document, character_span(sentence, span)) not in seen for span in spans}


def kind(span: Span, gold: dict[Span, bool]) -> str:
    """The kind of a predicted span (see `HeldOut.kinds`)."""
    touched = [is_new for other, is_new in gold.items() if other.start < span.end and span.start < other.end]
    return ("new" if any(touched) else "known") if touched else "none"


def _language_logits(
    batches: Sequence[OutputBatch], known: Sequence[str], languages: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    rows, right = [torch.zeros(0, len(languages))], list[int]()
    for batch in batches:
        if batch.output.language_logits is not None:
            chosen = [k for k, i in enumerate(batch.members) if known[i] in languages]
            rows.append(batch.output.language_logits[chosen].float().cpu())
            right += [languages.index(known[batch.members[k]]) for k in chosen]
    return torch.cat(rows), torch.tensor(right, dtype=torch.int64)
