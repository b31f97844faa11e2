"""The frozen encoder: hidden states of all layers for batches of word pieces."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from ner_head.base.files import digest_of_all
from ner_head.base.layers import LayerShape, spell
from ner_head.features.extraction.families import EncoderFiles
from ner_head.features.extraction.network import EncoderNetwork
from ner_head.features.extraction.passes import Pass, plan_passes
from ner_head.features.extraction.products import pack_products
from ner_head.features.store.batches import length_batches
from ner_head.features.store.codecs import Coded
from ner_head.features.store.shard_writer import CodedView
from ner_head.features.store.spec import DEFAULT_SPEC, EncoderSpec


@dataclass(frozen=True)
class Fingerprint:
    """Everything but the words that determines the features. Features with equal fingerprints are interchangeable.

    Attributes:
        weights: SHA-256 of the config and the weights.
        tokenizer: SHA-256 of the tokenizer.
        n_layers: number of layers.
        width: D, size of a hidden state.
        limit: number of word pieces in a pass, [CLS] and [SEP] included.
        spec: settings of the encoder.
    """

    weights: str
    tokenizer: str
    n_layers: int
    width: int
    limit: int
    spec: EncoderSpec = DEFAULT_SPEC

    @property
    def bytes_per_piece(self) -> int:
        """Bytes of one word piece's stored hidden states in all views."""
        return (1 + self.spec.views) * self.spec.codec.bytes_per_piece(len(self.stored), self.width)

    @property
    def stored(self) -> range:
        """The numbers of the stored layers.

        Raises:
            UsageError: the encoder does not have the layers of the settings.
        """
        return self.spec.stored(self.n_layers)

    def digest(self) -> str:
        """SHA-256 over all fields. The stored layers are a part of it unless they are all layers."""
        fields = {name: value for name, value in vars(self).items() if name != "spec"}
        fields |= self.spec.model_dump(exclude={"layers"})
        if self.stored != range(1, self.n_layers + 1):  # models of earlier versions keep their fingerprints
            fields["layers"] = spell(self.stored)
        if self.spec.context == "document":
            fields["windows"] = "shared"  # other states than those of one window per sentence, in earlier versions
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Encoding:
    """Batches that are being computed, and the hidden states that they write.

    Attributes:
        whole: states of all S sentences with N pieces: (N, L, D) of the pieces and (S, L, D) of [SEP], as stored.
        sentences: (P, L, D) of each sentence, views of `whole`.
        batches: the batches; `whole` is complete when all are done.
    """

    whole: CodedView
    sentences: list[Coded]
    batches: list[Future[None]]

    def wait(self) -> Encoding:
        """Wait for all batches; the error of a batch is raised."""
        for batch in self.batches:
            batch.result()
        return self


class Encoder:
    """A frozen encoder in evaluation mode."""

    def __init__(
        self,
        folder: Path,
        *,
        device: torch.device,
        spec: EncoderSpec = DEFAULT_SPEC,
        layers: range | None = None,
        load: bool = True,
    ) -> None:
        """Read the tokenizer and the config.

        Args:
            folder: folder of the encoder.
            device: where it is run.
            spec: its settings.
            layers: numbers of the layers that `encode` returns; by default those that the settings store.
            load: load the weights now, not when they are first used.
        Raises:
            DataError: the folder is not a usable encoder (`EncoderFiles.open`).
        """
        self.folder, self.device = folder, device
        self.files = EncoderFiles.open(folder)
        self.word_pieces = self.files.word_pieces
        config = self.files.config
        self.fingerprint = Fingerprint(
            weights=digest_of_all([folder / "config.json", *self.files.weights]),
            tokenizer=self.word_pieces.digest,
            n_layers=config.num_hidden_layers,
            width=config.hidden_size,
            limit=config.limit,
            spec=spec,
        )
        self.layers = layers or self.fingerprint.stored
        if load:
            _ = self.model

    @cached_property
    def model(self) -> EncoderNetwork:
        """The network, on its device.

        Raises:
            DataError: the weights cannot be read, or tensors are missing.
        """
        model = self.files.load(self.device, dropout=self.fingerprint.spec.views > 0)
        model.keep_layers(self.layers[-1])
        if self.device.type == "cpu" and self.fingerprint.spec.compute == "float32":
            pack_products(model)
        return model

    def layer_weights(self) -> dict[str, torch.Tensor]:
        """The weights of all layers, as `tensors.layer_weights` names them.

        Raises:
            DataError: the layers are not those of BERT, or the weights cannot be read.
        """
        return self.files.layer_weights()

    def layer_shape(self) -> LayerShape:
        """The shape of the layers.

        Raises:
            DataError: the layers are not those of BERT.
        """
        return self.files.config.layer_shape()

    def encode(
        self, documents: Sequence[Sequence[NDArray[np.int32]]], *, batch_pieces: int, view: int = 0
    ) -> list[Coded]:
        """Hidden states of `layers`.

        Args:
            documents: documents of sentences of piece ids (P,), [CLS] first.
            batch_pieces: largest number of pieces in a batch, padding included.
            view: 0 = without dropout.
        Returns:
            (P, L, D) per sentence, as stored, in the given order.
        """
        with self.threads() as threads:
            return self.start(documents, batch_pieces=batch_pieces, view=view, threads=threads).wait().sentences

    @contextmanager
    def threads(self) -> Iterator[ThreadPoolExecutor]:
        """A pool of threads for `start`. Each batch is computed on one thread, by setting torch's threads to 1.

        A matrix product that torch splits among threads differs in its last bits. Computing several batches at once,
        each on one thread, is as fast as one batch on several threads. On a GPU, and with dropout, whose random state
        is global, batches are computed one after the other. The number of torch's threads is global too, so a second
        caller waits until the first has closed its pool.
        """
        with _one_caller(os.getpid()):
            # each thread keeps the number it had when it first used torch; a new thread has the current number
            with ThreadPoolExecutor(1) as fresh:
                before = fresh.submit(torch.get_num_threads).result()
            torch.set_num_threads(1)
            alone = self.device.type != "cpu" or self.fingerprint.spec.views > 0
            pool = ThreadPoolExecutor(1 if alone else before)
            try:
                yield pool
            finally:
                pool.shutdown(cancel_futures=True)
                torch.set_num_threads(before)

    def start(
        self,
        documents: Sequence[Sequence[NDArray[np.int32]]],
        *,
        batch_pieces: int,
        view: int = 0,
        threads: ThreadPoolExecutor,
    ) -> Encoding:
        """Start the computation of `encode` on some threads.

        Sentences over the encoder's limit are encoded in overlapping windows; their [SEP] is that of the last window.
        Passes of similar lengths share a batch. In a view above 0 the encoder's dropout is on. There, each pass is a
        batch of its own with a seed that is computed from its pieces, so its result depends on nothing else.
        """
        mark = self.fingerprint
        offsets = np.cumsum([0, *(len(ids) for document in documents for ids in document)]).tolist()
        size = (len(self.layers), mark.width)
        whole = CodedView(*(mark.spec.codec.empty((n, *size)) for n in (offsets[-1], len(offsets) - 1)))
        sentences = [whole.pieces[start:end] for start, end in pairwise(offsets)]
        passes = plan_passes(documents, context=mark.spec.context, capacity=mark.limit - 2)

        def run(batch: range) -> None:
            members = passes[batch.start : batch.stop]
            states = self.forward([p.body for p in members]) if not view else self._dropped_out(members[0], view)
            for row, member in enumerate(members):
                for kept in member.kept:
                    place = sentences[kept.sentence]
                    place[kept.target : kept.target + kept.end - kept.start] = states[row][kept.start : kept.end]
                    if kept.target == 1:
                        place[0] = states[row][0]
                    if kept.target + kept.end - kept.start == len(place.values):
                        whole.separators[kept.sentence] = states[row][len(member) - 1]

        batches = length_batches([len(p) for p in passes], 1 if view else batch_pieces)
        # the longest first, so that all threads finish at about the same time
        return Encoding(whole, sentences, [threads.submit(run, batch) for batch in reversed(batches)])

    @torch.inference_mode()
    def forward(self, bodies: Sequence[NDArray[np.int32]]) -> Coded:
        """(B, P, L, D) as stored, for pieces without [CLS] and [SEP], padded to the longest."""
        longest = max(len(body) for body in bodies) + 2
        ids = np.full((len(bodies), longest), self.files.config.padding, dtype=np.int64)
        mask = np.zeros(ids.shape, dtype=np.bool_)
        for row, body in enumerate(bodies):
            ids[row, : len(body) + 2] = [self.word_pieces.cls, *body, self.word_pieces.sep]
            mask[row, : len(body) + 2] = True
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.fingerprint.spec.compute == "bfloat16"):
            layers = self.model(
                torch.from_numpy(ids).to(self.device),
                None if mask.all() else torch.from_numpy(mask).to(self.device),  # faster without a mask
                self.layers,
            )
        codec = self.fingerprint.spec.codec
        # rounding while the layers are joined takes one pass over memory instead of two
        kind: torch.dtype = getattr(torch, codec.working)
        states = torch.empty((*layers[0].shape[:2], len(layers), layers[0].shape[2]), dtype=kind, device=self.device)
        for number, layer in enumerate(layers):
            states[:, :, number] = layer
        return codec.encode(states)

    def _dropped_out(self, one: Pass, view: int) -> Coded:
        """(1, P, L, D) with dropout; the seed is computed from the pieces and the view."""
        seed = hashlib.sha256(one.body.astype("<i4").tobytes() + view.to_bytes(4, "little")).digest()
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(int.from_bytes(seed[:8], "little", signed=True))
            self.model.train()
            try:
                return self.forward([one.body])
            finally:
                self.model.eval()


@cache
def _one_caller(process: int) -> Lock:
    """The lock of a process. A forked child gets its own lock, because its parent may hold the other one."""
    return Lock()
