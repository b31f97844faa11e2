"""Features in, word spans out: what the dev score, the evaluation and the recogniser share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_head.corpus.documents import Span
from ner_head.corpus.tagging import Scheme, TagSet
from ner_head.features.batches import first_pieces, keep_pieces, length_batches, pad_features, pad_rows
from ner_head.features.shard import Features
from ner_head.head.committee import AnyHead
from ner_head.head.crf import Hypothesis, LinearChainCRF, SpanPattern
from ner_head.head.model import HeadOutput, Steps
from ner_head.head.words import Words
from ner_head.posterior import SpanPatterns, Temperatures, span_probabilities, tempered

BATCH_PIECES = 2048  # one decoding batch, padding included: more would not fit the caches of a CPU


def step_pieces(word_of_piece: NDArray[np.int32], scheme: Scheme) -> NDArray[np.int64]:
    """The pieces that get a tag: each word's first for `iob`, every one for `iobx`."""
    return np.arange(len(word_of_piece)) if scheme == "iobx" else first_pieces(word_of_piece)


def pad_steps(sentences: Sequence[Features], scheme: Scheme) -> Steps:
    """The steps of a batch, padded with piece 0."""
    pieces, mask = pad_rows([step_pieces(s.word_of_piece, scheme) for s in sentences])
    return Steps(torch.from_numpy(pieces), torch.from_numpy(mask))


def pad_words(sentences: Sequence[Features], word_ids: Sequence[NDArray[np.uint32]]) -> Words:
    """The words of a batch, padded with features 0 and, for the pieces, with word -1."""
    ids, _ = pad_rows(word_ids)
    of_piece, _ = pad_rows([s.word_of_piece for s in sentences], fill=-1)
    return Words(torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(of_piece.astype(np.int64)))


@dataclass(frozen=True)
class Tagged:
    """What the head says of one sentence.

    Attributes:
        spans: entities, in words.
        hypotheses: the n best paths over the CRF's steps.
        languages: (G,) log-probabilities; empty without a classifier.
        alternatives: the spans of each hypothesis, where more than one was asked for.
    """

    spans: list[Span]
    hypotheses: list[Hypothesis]
    languages: NDArray[np.float32]
    alternatives: list[list[Span]]


@dataclass(frozen=True)
class OutputBatch:
    """What the network says of some sentences, before anything is decoded.

    Attributes:
        members: their places among the sentences given.
        words_of_pieces: (P,) each.
        steps: where the tags stand.
        output: emissions (B, S, T) and language logits (B, G).
    """

    members: list[int]
    words_of_pieces: list[NDArray[np.int32]]
    steps: Steps
    output: HeadOutput


class Tagger:
    """A head or a committee that finds spans, with the names of its tags and the temperatures of its probabilities."""

    def __init__(
        self, head: AnyHead, tag_set: TagSet, device: torch.device, temperatures: Temperatures | None = None
    ) -> None:
        self.head, self.tag_set, self.device = head, tag_set, device
        self.temperatures = temperatures or Temperatures()
        self.patterns = SpanPatterns(tag_set, head.crf.rules)
        self._crf: LinearChainCRF | None = None

    def spans(self, tags: Sequence[int], word_of_piece: NDArray[np.int32]) -> list[Span]:
        """A path over the steps of a sentence -> word spans."""
        if self.tag_set.scheme == "iobx":
            tags = self.tag_set.vote(tags, word_of_piece.tolist(), int(word_of_piece[-1]) + 1)
        return self.tag_set.spans(tags)

    @torch.inference_mode()
    def tag(
        self,
        sentences: Sequence[Features],
        word_ids: Sequence[NDArray[np.uint32]] = (),
        *,
        n_best: int = 1,
        probabilities: bool = False,
    ) -> list[Tagged]:
        """Tag sentences; results in the order given.

        Args:
            sentences: their features.
            word_ids: features of their words, where the head has a part for them (`document_word_ids`).
            n_best: so many hypotheses for each.
            probabilities: whether spans carry theirs.
        """
        self._crf = crf = tempered(self.head.crf, self.temperatures.spans, into=self._crf)
        results: dict[int, Tagged] = {}
        for batch in self.outputs(sentences, word_ids):
            results |= zip(batch.members, self._decode(batch, crf, n_best, probabilities), strict=True)
        return [results[i] for i in range(len(sentences))]

    @torch.inference_mode()
    def outputs(
        self, sentences: Sequence[Features], word_ids: Sequence[NDArray[np.uint32]] = ()
    ) -> Iterator[OutputBatch]:
        """Run the network over sentences, similar lengths together."""
        self.head.eval()
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i].piece_ids))
        for run in length_batches([len(sentences[i].piece_ids) for i in order], BATCH_PIECES):
            members = order[run.start : run.stop]
            chosen = [keep_pieces(sentences[i], self.head.pieces) for i in members]
            batch = pad_features(chosen, self.head.layers).to(self.device)
            steps = pad_steps(chosen, self.tag_set.scheme).to(self.device)
            words = None
            if self.head.reads_words:
                words = pad_words(chosen, [word_ids[i] for i in members]).to(self.device)
            output = self.head(batch.hidden, batch.mask, steps, words)
            yield OutputBatch(members, [s.word_of_piece for s in chosen], steps, output)

    def _decode(self, batch: OutputBatch, crf: LinearChainCRF, n_best: int, probabilities: bool) -> list[Tagged]:
        """Paths, spans and languages of a batch; `crf` is the tempered one."""
        emissions, mask = batch.output.emissions / self.temperatures.spans, batch.steps.mask
        paths = crf.decode(emissions, mask, n_best)
        spans = [self.spans(best[0].tags, words) for best, words in zip(paths, batch.words_of_pieces, strict=True)]
        if probabilities:
            spans = self.with_probabilities(spans, batch, crf)
        languages = np.zeros((len(paths), 0), dtype=np.float32)
        if batch.output.language_logits is not None:
            logits = batch.output.language_logits.float() / self.temperatures.languages
            languages = logits.log_softmax(-1).cpu().numpy()
        alternatives: list[list[list[Span]]] = [[] for _ in paths]
        if n_best > 1:
            rows = zip(paths, batch.words_of_pieces, strict=True)
            alternatives = [[self.spans(one.tags, words) for one in found] for found, words in rows]
        return [Tagged(*each) for each in zip(spans, paths, languages, alternatives, strict=True)]

    def with_probabilities(
        self, spans: Sequence[Sequence[Span]], batch: OutputBatch, crf: LinearChainCRF
    ) -> list[list[Span]]:
        """The spans of each sentence of a batch with their probabilities; `crf` is the tempered one."""
        emissions = self.well_formed(batch) / self.temperatures.spans
        chances = iter(span_probabilities(crf, emissions, batch.steps.mask, self.patterns_of(spans, batch)))
        shifted = self.temperatures.shifted
        return [[replace(s, probability=shifted(next(chances), s.label)) for s in found] for found in spans]

    def patterns_of(self, spans: Sequence[Sequence[Span]], batch: OutputBatch) -> list[list[SpanPattern]]:
        """The patterns of the spans of each sentence of a batch, span after span."""
        places = enumerate(zip(spans, batch.words_of_pieces, strict=True))
        return [self.patterns.of(span, row, words) for row, (found, words) in places for span in found]

    def well_formed(self, batch: OutputBatch) -> Tensor:
        """The emissions of a batch that spans get their probabilities from, (B, S, T)."""
        return self.patterns.well_formed(batch.output.emissions, batch.words_of_pieces)
