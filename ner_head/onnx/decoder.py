"""Emissions -> spans and their probabilities, in plain numpy.

The results are those of `inference.span_decoder`, which needs torch. The probability of a span is computed in another
way: pieces inside of words are summed out first, so that a path has one tag per word for both tag schemes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ner_head.corpus.documents import Span
from ner_head.corpus.results import Temperatures
from ner_head.corpus.tagging import CLS, PAD, TagSet, X

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Words = NDArray[np.int32]


def log_sum(values: NDArray[Any], axis: int) -> Any:
    """log(sum(exp(values))) along an axis; -inf where all values are -inf."""
    top = values.max(axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(values - top).sum(axis)) + top.squeeze(axis)


@dataclass(frozen=True)
class PathScores:
    """The scores of a CRF, -inf where its rules forbid.

    Attributes:
        transitions: (T, T) [from, to].
        start: (T,).
        end: (T,).
    """

    transitions: NDArray[np.floating]
    start: NDArray[np.floating]
    end: NDArray[np.floating]

    def at(self, temperature: float) -> PathScores:
        """All scores divided by a temperature in float32, as torch divides them, then as float64."""
        parts = (self.transitions, self.start, self.end)
        return PathScores(*((part.astype(np.float32) / np.float32(temperature)).astype(np.float64) for part in parts))


def best_paths(emissions: Floats, lengths: Counts, scores: PathScores) -> list[list[int]]:
    """The best path of each sentence (Viterbi, 1967).

    Of paths with equal scores, the path with the lower last tag is taken, then with the lower last but one, and so on.

    Args:
        emissions: (B, S, T).
        lengths: number of steps of each sentence, (B,), at least 1.
        scores: of the CRF.
    """
    n_sentences, n_steps, n_tags = emissions.shape
    best = scores.start + emissions[:, 0]
    back = np.empty((n_steps, n_sentences, n_tags), np.int64)
    for step in range(1, n_steps):
        sums = best[:, :, None] + scores.transitions
        inside = (step < lengths)[:, None]
        back[step] = np.where(inside, sums.argmax(1), np.arange(n_tags))
        best = np.where(inside, sums.max(1) + emissions[:, step], best)
    tags = np.empty((n_steps, n_sentences), np.int64)
    tags[-1] = (best + scores.end).argmax(1)
    for step in range(n_steps - 1, 0, -1):
        tags[step - 1] = np.take_along_axis(back[step], tags[step][:, None], 1)[:, 0]
    return [tags[:length, row].tolist() for row, length in enumerate(lengths)]


@dataclass(frozen=True)
class WordChain:
    """Paths with one tag per word.

    Attributes:
        emissions: (B, W, T).
        links: scores from the tag of a word to that of the next word, (B, W, T, T) [from, to].
        start: (B, T).
        end: (B, T).
        lengths: number of words of each sentence, (B,).
    """

    emissions: Floats
    links: Floats
    start: Floats
    end: Floats
    lengths: Counts

    def forward(self) -> tuple[Floats, Floats]:
        """The logs of the forward messages, (B, W, T), and log Z, (B,) (Rabiner, 1989, section III A)."""
        ahead = np.empty_like(self.emissions)
        ahead[:, 0] = self.start + self.emissions[:, 0]
        for word in range(1, ahead.shape[1]):
            ahead[:, word] = log_sum(ahead[:, word - 1, :, None] + self.links[:, word - 1], 1) + self.emissions[:, word]
        last = ahead[np.arange(len(ahead)), self.lengths - 1]
        return ahead, log_sum(last + self.end, 1)

    def backward(self) -> Floats:
        """The logs of the backward messages, (B, W, T)."""
        behind = np.empty_like(self.emissions)
        behind[:, -1] = self.end
        for word in range(behind.shape[1] - 2, -1, -1):
            following = self.emissions[:, word + 1] + behind[:, word + 1]
            found = log_sum(self.links[:, word] + following[:, None, :], 2)
            behind[:, word] = np.where((word < self.lengths - 1)[:, None], found, self.end)
        return behind


class Decoder:
    """Finds spans in emissions, with calibrated probabilities.

    Args:
        tag_set: tags of the emissions.
        scores: of the CRF, without a temperature.
        temperatures: of the probabilities.
    """

    def __init__(self, tag_set: TagSet, scores: PathScores, temperatures: Temperatures) -> None:
        self.tag_set, self.temperatures = tag_set, temperatures
        self.over_pieces = tag_set.scheme == "iobx"
        self.scores = scores.at(temperatures.spans)

    def spans(
        self, emissions: NDArray[np.float32], lengths: Counts, words_of_pieces: Sequence[Words]
    ) -> list[list[Span]]:
        """The spans of the best path of each sentence, in words, with their probabilities.

        Args:
            emissions: of the head, (B, S, T).
            lengths: number of steps of each sentence, (B,).
            words_of_pieces: B arrays (P,), the word of each piece; -1 for [CLS].
        """
        cooled = (emissions / np.float32(self.temperatures.spans)).astype(np.float64)
        paths = best_paths(cooled, lengths, self.scores)
        found = [self._spans(tags, words) for tags, words in zip(paths, words_of_pieces, strict=True)]
        some = [row for row, spans in enumerate(found) if spans]
        if some:
            words = [words_of_pieces[row] for row in some]
            chances = self._probabilities([found[row] for row in some], self._chain(cooled[some], lengths[some], words))
            for row, values in zip(some, chances, strict=True):
                shifted = [self.temperatures.shifted(p, s.label) for p, s in zip(values, found[row], strict=True)]
                pairs = zip(found[row], shifted, strict=True)
                found[row] = [Span(s.start, s.end, s.label, probability) for s, probability in pairs]
        return found

    def language_log_probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-probabilities of the languages: (B, G) -> (B, G)."""
        cooled = logits.astype(np.float64) / self.temperatures.languages
        result: NDArray[np.float32] = (cooled - log_sum(cooled, 1)[:, None]).astype(np.float32)
        return result

    def _spans(self, tags: list[int], word_of_piece: Words) -> list[Span]:
        if self.over_pieces:
            tags = self.tag_set.vote(tags, word_of_piece.tolist(), int(word_of_piece[-1]) + 1)
        return self.tag_set.spans(tags)

    def _chain(self, emissions: Floats, lengths: Counts, words_of_pieces: Sequence[Words]) -> WordChain:
        """The paths over words, (B, S, T) -> W words.

        Over pieces, the first piece of a word cannot have X, and its other pieces can have nothing else. The scores of
        those pieces are the same for all paths of a sentence, and are left out.
        """
        scores, n_sentences = self.scores, len(emissions)
        pairs = np.broadcast_to(scores.transitions, (*emissions.shape[:2], *scores.transitions.shape))
        if not self.over_pieces:
            start, end = (np.broadcast_to(part, (n_sentences, len(part))) for part in (scores.start, scores.end))
            return WordChain(emissions, pairs, start, end, lengths)
        sizes = [np.bincount(words[1:]) for words in words_of_pieces]
        n_words = np.array([len(row) for row in sizes])
        first, inner = np.zeros((2, n_sentences, int(n_words.max())), np.int64)
        for row, counts in enumerate(sizes):
            first[row, : len(counts)] = 1 + np.cumsum(counts) - counts
            inner[row, : len(counts)] = counts > 1
        x = self.tag_set.index(X)
        chosen = np.take_along_axis(emissions, first[:, :, None], 1)
        chosen[:, :, [self.tag_set.index(tag) for tag in (PAD, X, CLS)]] = -np.inf
        through = scores.transitions[:, x, None] + scores.transitions[None, x]
        links = np.where(inner[:, :, None, None] > 0, through, scores.transitions)
        start = log_sum((scores.start + emissions[:, 0])[:, :, None] + scores.transitions, 1)
        ends_inside = inner[np.arange(n_sentences), n_words - 1][:, None] > 0
        end = np.where(ends_inside, scores.transitions[:, x], scores.end)
        return WordChain(chosen, links, start, end, n_words)

    def _probabilities(self, spans: Sequence[Sequence[Span]], chain: WordChain) -> list[list[float]]:
        """The probability of each span among the paths of a chain."""
        ahead, log_z = chain.forward()
        behind = chain.backward()
        return [
            [
                float(np.clip(np.exp(self._log_score(chain, row, span, ahead, behind) - log_z[row]), 0.0, 1.0))
                for span in found
            ]
            for row, found in enumerate(spans)
        ]

    def _log_score(self, chain: WordChain, row: int, span: Span, ahead: Floats, behind: Floats) -> float:
        """The log of the sum over all paths that have a span.

        A span of label x is B-x, or an I-x that continues no span of x, then I-x, and no I-x after it (`TagSet.spans`).
        """
        begin, inside = self.tag_set.index(f"B-{span.label}"), self.tag_set.index(f"I-{span.label}")
        emissions, links = chain.emissions[row], chain.links[row]
        scores = np.full(len(self.tag_set), -np.inf)
        scores[[begin, inside]] = ahead[row, span.start, [begin, inside]]
        if span.start:
            before = ahead[row, span.start - 1].copy()
            before[[begin, inside]] = -np.inf
            scores[inside] = log_sum(before + links[span.start - 1, :, inside], 0) + emissions[span.start, inside]
        for word in range(span.start + 1, span.end):
            going_on = log_sum(scores + links[word - 1, :, inside], 0) + emissions[word, inside]
            scores = np.full(len(self.tag_set), -np.inf)
            scores[inside] = going_on
        if span.end == chain.lengths[row]:
            return float(log_sum(scores + chain.end[row], 0))
        after = log_sum(scores[:, None] + links[span.end - 1], 0) + emissions[span.end] + behind[row, span.end]
        after[inside] = -np.inf
        return float(log_sum(after, 0))
