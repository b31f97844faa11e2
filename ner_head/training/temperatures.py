"""The temperatures of a head's probabilities, fitted on documents that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ner_head.corpus.documents import Document, Span, character_span, word_spans
from ner_head.corpus.word_features import document_word_ids
from ner_head.evaluation.calibration import Confidence, fit_temperature
from ner_head.evaluation.slices import Form, form
from ner_head.features.store import FeatureStore
from ner_head.head.crf import SpanPattern
from ner_head.posterior import Temperatures, shift_log_odds, span_probabilities, tempered
from ner_head.predictions import features_of
from ner_head.tagger import OutputBatch, Tagger

MOST_SHIFT = 3.0  # of log-odds: a factor of 20
FEWEST = 50  # predicted spans, or sentences, that a temperature is fitted on


@dataclass(frozen=True)
class HeldOut:
    """What a tagger found in held-out documents, in batches.

    Attributes:
        emissions: of each batch, well-formed, (B, S, T), and its mask, (B, S).
        patterns: of the N spans found, by batch.
        labels: of each, (N,).
        right: whether each has the offsets and label of a gold span, (N,).
        kinds: of each, (N,): "new" if it touches a gold span of a form unseen in training, "known" if it touches
            other gold spans only, "none" if it touches none.
        gold: how many gold spans are new, and how many known.
        languages: logits and index of the right one, for sentences of the manifest's languages.
    """

    emissions: list[tuple[torch.Tensor, torch.Tensor]]
    patterns: list[list[list[SpanPattern]]]
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
    tell: Callable[[list[str]], None] = lambda lines: None,
) -> Temperatures:
    """Fit them on documents that the tagger's head was not trained on.

    The spans' temperature has the lowest log loss of "this span is right" over predicted spans. Held-out documents of
    a train topic have few new names, and a head is surer, and right more often, where it knows the name. So spans at
    names count as if `new_forms` of the gold's names were new; those at no name count as they are. The shifts of labels
    (`label_shifts`) are fitted after it on the same spans. The languages' temperature has the lowest cross-entropy.

    Args:
        tagger: without temperatures.
        documents: held out.
        store: their features.
        languages: names of the language logits.
        seen: forms of the documents that the head was trained on.
        new_forms: share of gold spans whose form is new, where the model will be used.
        tell: is given a line for each that there is too little to fit on.
    Returns:
        1, and no shift of a label, for what there is too little to fit on.
    """
    found = predicted(tagger, documents, store, languages, seen)
    tell(shortages(found, has_languages=tagger.head.guesses_languages))
    weights = span_weights(found.kinds, found.gold, new_forms)
    spans = _of_spans(tagger, found, weights)
    shifts = label_shifts(_chances(tagger, found, spans), found.right, found.labels, weights)
    return Temperatures(spans=spans, labels=shifts, languages=_of_languages(*found.languages))


def shortages(found: HeldOut, *, has_languages: bool) -> list[str]:
    """A line for each temperature that there is too little to fit on."""
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
    """The probability of each span at a temperature, (N,)."""
    crf = tempered(tagger.head.crf, temperature)
    batches = zip(found.emissions, found.patterns, strict=True)
    return np.array(
        [
            chance
            for (emissions, mask), patterns in batches
            for chance in span_probabilities(crf, emissions / temperature, mask, patterns)
        ]
    )


def label_shifts(
    chances: NDArray[np.float64], right: NDArray[np.bool_], labels: NDArray[np.str_], weights: NDArray[np.float64]
) -> dict[str, float]:
    """What to add to the log-odds of each label's spans, so that as many are right as their probabilities say.

    One temperature makes probabilities right on average over all labels, while a head can be too sure of one type
    and not sure enough of another. A shift is the intercept of a logistic regression of slope 1 (Platt, 1999), for a
    label with at least `FEWEST` spans; its size is at most `MOST_SHIFT`.

    Args:
        chances: the probability of each of N spans, (N,).
        right: whether it is right, (N,).
        labels: of each, (N,).
        weights: of each, (N,).
    """
    shifts = {}
    for label in sorted(set(labels.tolist())):
        mine = labels == label
        if mine.sum() < FEWEST:
            continue
        low, high = -MOST_SHIFT, MOST_SHIFT
        goal = float(weights[mine] @ right[mine])
        while high - low > 1e-6:  # the expected number of right spans grows with the shift
            middle = (low + high) / 2
            if float(weights[mine] @ shift_log_odds(chances[mine], middle)) < goal:
                low = middle
            else:
                high = middle
        shifts[label] = round((low + high) / 2, 6)
    return shifts


def span_weights(kinds: NDArray[np.str_], gold: tuple[int, int], new_forms: float) -> NDArray[np.float64]:
    """(N,) weights that make `new_forms` of the gold new; all 1 where one of its kinds is not there to count more."""
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
    """Run the network over documents and see what it finds."""
    places = [(document, i) for document in documents for i in range(len(document.sentences))]
    features = [each for document in documents for each in features_of(store, document)]
    ids = [each for document in documents for each in document_word_ids(document)]
    batches, patterns, rows = [], [], list[tuple[str, bool, str]]()
    golds = [sentence_gold(*place, seen) for place in places]
    for batch in tagger.outputs(features, ids):
        paths = tagger.head.crf.decode(batch.output.emissions, batch.steps.mask)
        spans = [tagger.spans(best.tags, words) for (best,), words in zip(paths, batch.words_of_pieces, strict=True)]
        batches.append(batch)
        patterns.append(tagger.patterns_of(spans, batch))
        rows += [
            (span.label, span in golds[i], kind(span, golds[i]))
            for i, each in zip(batch.members, spans, strict=True)
            for span in each
        ]
    new = sum(is_new for gold in golds for is_new in gold.values())
    return HeldOut(
        [(tagger.well_formed(batch), batch.steps.mask) for batch in batches],
        patterns,
        np.array([label for label, _, _ in rows], dtype=np.str_),
        np.array([right for _, right, _ in rows], dtype=bool),
        np.array([found for _, _, found in rows], dtype=np.str_),
        (new, sum(map(len, golds)) - new),
        _language_logits(batches, [document.language for document, _ in places], languages),
    )


def sentence_gold(document: Document, number: int, seen: Collection[Form]) -> dict[Span, bool]:
    """The gold spans of a sentence, in words, and whether the form of each is new."""
    sentence = document.sentences[number]
    spans = word_spans(sentence, document.spans)
    return {span: form(document, character_span(sentence, span)) not in seen for span in spans}


def kind(span: Span, gold: dict[Span, bool]) -> str:
    """Whether a predicted span touches a new gold span, known ones only, or none."""
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
