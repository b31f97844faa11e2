"""Features in, word spans out: what the dev score, the evaluation and the recogniser share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ner_head.corpus.documents import Span
from ner_head.corpus.tagging import Scheme, TagSet
from ner_head.features.batches import first_pieces, keep_pieces, length_batches, pad_features, pad_rows
from ner_head.features.shard import Features
from ner_head.head.crf import Hypothesis
from ner_head.head.model import Head, Steps
from ner_head.head.words import Words

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
    """

    spans: list[Span]
    hypotheses: list[Hypothesis]
    languages: NDArray[np.float32]


class Tagger:
    """A head in evaluation mode, with the names of its tags."""

    def __init__(self, head: Head, tag_set: TagSet, device: torch.device) -> None:
        self.head, self.tag_set, self.device = head, tag_set, device

    def spans(self, tags: Sequence[int], word_of_piece: NDArray[np.int32]) -> list[Span]:
        """A path over the steps of a sentence -> word spans."""
        if self.tag_set.scheme == "iobx":
            tags = self.tag_set.vote(tags, word_of_piece.tolist(), int(word_of_piece[-1]) + 1)
        return self.tag_set.spans(tags)

    @torch.inference_mode()
    def tag(
        self, sentences: Sequence[Features], word_ids: Sequence[NDArray[np.uint32]] = (), *, n_best: int = 1
    ) -> list[Tagged]:
        """Tag sentences, similar lengths together; results in the order given.

        Args:
            sentences: their features.
            word_ids: features of their words, where the head has a part for them (`document_word_ids`).
            n_best: so many hypotheses for each.
        """
        self.head.eval()
        order = sorted(range(len(sentences)), key=lambda i: len(sentences[i].piece_ids))
        results: dict[int, Tagged] = {}
        for run in length_batches([len(sentences[i].piece_ids) for i in order], BATCH_PIECES):
            members = order[run.start : run.stop]
            chosen = [keep_pieces(sentences[i], self.head.pieces) for i in members]
            words = [word_ids[i] for i in members if word_ids]
            for index, tagged in zip(members, self._tag_batch(chosen, words, n_best), strict=True):
                results[index] = tagged
        return [results[i] for i in range(len(sentences))]

    def _tag_batch(self, sentences: list[Features], word_ids: list[NDArray[np.uint32]], n_best: int) -> list[Tagged]:
        batch = pad_features(sentences, self.head.layers).to(self.device)
        steps = pad_steps(sentences, self.tag_set.scheme).to(self.device)
        words = pad_words(sentences, word_ids).to(self.device) if self.head.words is not None else None
        output = self.head(batch.hidden, batch.mask, steps, words)
        paths = self.head.crf.decode(output.emissions, steps.mask, n_best)
        if output.language_logits is None:
            languages = np.zeros((len(sentences), 0), dtype=np.float32)
        else:
            languages = output.language_logits.float().log_softmax(-1).cpu().numpy()
        return [
            Tagged(self.spans(hypotheses[0].tags, sentence.word_of_piece), hypotheses, row)
            for sentence, hypotheses, row in zip(sentences, paths, languages, strict=True)
        ]
