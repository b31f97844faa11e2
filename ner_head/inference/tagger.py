"""Features -> word spans, for training, evaluation and prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from ner_head.corpus.documents import Span
from ner_head.corpus.results import Temperatures
from ner_head.corpus.tagging import Scheme, TagSet
from ner_head.features.store.batches import keep_pieces, length_batches, pad_features
from ner_head.features.store.pieces import first_pieces, pad_rows
from ner_head.features.store.shard import Features
from ner_head.head.committee import AnyHead
from ner_head.head.model import HeadOutput, Steps
from ner_head.head.words import WordFeatures
from ner_head.inference.span_decoder import SpanDecoder, SpanQuery
from ner_head.inference.tagged import Tagged

BATCH_PIECES = 2048  # pieces of a decoding batch with padding; larger batches do not fit the caches of a CPU


def step_pieces(word_of_piece: NDArray[np.int32], scheme: Scheme) -> NDArray[np.int64]:
    """The pieces that get a tag: the first of each word for `iob`, all for `iobx`."""
    return np.arange(len(word_of_piece)) if scheme == "iobx" else first_pieces(word_of_piece)


def pad_steps(sentences: Sequence[Features], scheme: Scheme) -> Steps:
    """The steps of a batch, with 0 for padding."""
    pieces, mask = pad_rows([step_pieces(s.word_of_piece, scheme) for s in sentences])
    return Steps(torch.from_numpy(pieces), torch.from_numpy(mask))


def pad_words(sentences: Sequence[Features], word_ids: Sequence[NDArray[np.uint32]]) -> WordFeatures:
    """The word features of a batch, with 0 for padding and word -1 for padding pieces."""
    ids, _ = pad_rows(word_ids)
    of_piece, _ = pad_rows([s.word_of_piece for s in sentences], fill=-1)
    return WordFeatures(torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(of_piece.astype(np.int64)))


def similar_lengths(sentences: Sequence[Features]) -> list[list[int]]:
    """Batches of sentences of similar length, as indices."""
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i].piece_ids))
    runs = length_batches([len(sentences[i].piece_ids) for i in order], BATCH_PIECES)
    return [order[run.start : run.stop] for run in runs]


@dataclass(frozen=True)
class OutputBatch:
    """The output of the network for some sentences, before decoding.

    Attributes:
        members: B indices into the sentences given.
        words_of_pieces: B arrays (P,), the word of each piece; -1 for [CLS].
        steps: pieces that get a tag.
        output: emissions (B, S, T) and language logits (B, G).
    """

    members: list[int]
    words_of_pieces: list[NDArray[np.int32]]
    steps: Steps
    output: HeadOutput


class Tagger:
    """Finds spans in features.

    Args:
        head: a head or a committee. It is put in evaluation mode at each call.
        tag_set: tags of the head.
        device: device of the head.
        temperatures: of the probabilities.
    """

    def __init__(
        self, head: AnyHead, tag_set: TagSet, device: torch.device, temperatures: Temperatures | None = None
    ) -> None:
        self.head, self.tag_set, self.device = head, tag_set, device
        self.temperatures = temperatures or Temperatures()
        self.decoder = SpanDecoder(head.crf, tag_set, self.temperatures.spans)

    @torch.inference_mode()
    def tag(
        self,
        sentences: Sequence[Features],
        word_ids: Sequence[NDArray[np.uint32]] = (),
        *,
        n_best: int = 1,
        probabilities: bool = False,
        threads: Executor | None = None,
    ) -> list[Tagged]:
        """Tag sentences.

        Args:
            sentences: features of the sentences.
            word_ids: hashed features of their words (`document_word_ids`), if the head uses them.
            n_best: number of hypotheses per sentence.
            probabilities: whether to compute the probability of each span.
            threads: threads that compute the batches; None for this thread.
        Returns:
            one result per sentence, in the order given.
        """
        self.head.eval()

        @torch.inference_mode()
        def run(members: list[int]) -> list[tuple[int, Tagged]]:
            batch = self._output(members, sentences, word_ids)
            return list(zip(members, self._decode(batch, n_best, probabilities), strict=True))

        batches = similar_lengths(sentences)
        found = map(run, batches) if threads is None else threads.map(run, batches)
        results = dict(chain.from_iterable(found))
        return [results[i] for i in range(len(sentences))]

    @torch.inference_mode()
    def outputs(
        self, sentences: Sequence[Features], word_ids: Sequence[NDArray[np.uint32]] = ()
    ) -> Iterator[OutputBatch]:
        """Run the network, on batches of sentences of similar length."""
        self.head.eval()
        for members in similar_lengths(sentences):
            yield self._output(members, sentences, word_ids)

    def _output(
        self, members: list[int], sentences: Sequence[Features], word_ids: Sequence[NDArray[np.uint32]]
    ) -> OutputBatch:
        chosen = [keep_pieces(sentences[i], self.head.pieces) for i in members]
        batch = pad_features(chosen, self.head.layers, separator=self.head.reads_separator).to(self.device)
        steps = pad_steps(chosen, self.tag_set.scheme).to(self.device)
        words = None
        if self.head.reads_words:
            words = pad_words(chosen, [word_ids[i] for i in members]).to(self.device)
        output = self.head(batch.hidden, batch.mask, steps, words, batch.separator)
        return OutputBatch(members, [s.word_of_piece for s in chosen], steps, output)

    def query(self, spans: Sequence[Sequence[Span]], batch: OutputBatch) -> SpanQuery:
        """The input of `decoder.probabilities`, for the spans of each sentence of a batch."""
        return self.decoder.query(spans, batch.output.emissions, batch.steps.mask, batch.words_of_pieces)

    def _decode(self, batch: OutputBatch, n_best: int, probabilities: bool) -> list[Tagged]:
        """Paths, spans and languages of a batch."""
        paths = self.decoder.paths(batch.output.emissions, batch.steps.mask, n_best)
        rows = list(zip(paths, batch.words_of_pieces, strict=True))
        spans = [self.decoder.spans(best[0].tags, words) for best, words in rows]
        if probabilities:
            chances = iter(self.decoder.probabilities(self.query(spans, batch)))
            shifted = self.temperatures.shifted
            spans = [[replace(s, probability=shifted(next(chances), s.label)) for s in found] for found in spans]
        languages = np.zeros((len(paths), 0), dtype=np.float32)
        if batch.output.language_logits is not None:
            logits = batch.output.language_logits.float() / self.temperatures.languages
            languages = logits.log_softmax(-1).cpu().numpy()
        alternatives: list[list[list[Span]]] = [[] for _ in paths]
        if n_best > 1:
            alternatives = [[self.decoder.spans(one.tags, words) for one in found] for found, words in rows]
        return [Tagged(*each) for each in zip(spans, paths, languages, alternatives, strict=True)]
