"""The frozen encoder: batches of word pieces in, hidden states of every layer out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from ner_head.base.files import digest_of_all
from ner_head.features.extraction.families import Checkpoint
from ner_head.features.extraction.passes import Pass, plan_passes
from ner_head.features.extraction.products import pack_products
from ner_head.features.store.batches import length_batches
from ner_head.features.store.codes import Coded, bytes_per_piece, encode
from ner_head.features.store.spec import DEFAULT_SPEC, EncoderSpec

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # read when transformers is first imported
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


@dataclass(frozen=True)
class Fingerprint:
    """What the features depend on, beside the words. Two stores with equal ones can be mixed."""

    weights: str
    tokenizer: str
    n_layers: int
    width: int
    limit: int
    spec: EncoderSpec = DEFAULT_SPEC

    @property
    def bytes_per_piece(self) -> int:
        """Bytes of a piece's hidden states, all views."""
        return (1 + self.spec.views) * bytes_per_piece(self.spec.dtype, self.n_layers, self.width)

    def digest(self) -> str:
        """SHA-256 over all fields."""
        fields = {**asdict(self), **self.spec.model_dump()}
        del fields["spec"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Encoding:
    """Batches that run, and the hidden states that they fill.

    Attributes:
        whole: (N, L, D) of all sentences, as stored.
        sentences: (P, L, D) of each, parts of `whole`.
        batches: what has to end before either is read.
    """

    whole: Coded
    sentences: list[Coded]
    batches: list[Future[None]]

    def wait(self) -> Encoding:
        """Come back when all batches are through; what stopped one is raised."""
        for batch in self.batches:
            batch.result()
        return self


class Encoder:
    """A checkpoint, frozen, in evaluation mode."""

    def __init__(
        self,
        folder: Path,
        *,
        device: torch.device,
        spec: EncoderSpec = DEFAULT_SPEC,
        load: bool = True,
    ) -> None:
        """Read the tokenizer and the config, and load the weights (`load`) or leave them until they are needed.

        Raises:
            DataError: the folder is not a usable encoder (`Checkpoint.open`).
        """
        self.folder, self.device = folder, device
        self.checkpoint = Checkpoint.open(folder)
        self.word_pieces = self.checkpoint.word_pieces
        config = self.checkpoint.config
        self.fingerprint = Fingerprint(
            weights=digest_of_all([folder / "config.json", *self.checkpoint.weights]),
            tokenizer=self.word_pieces.digest,
            n_layers=config.num_hidden_layers,
            width=config.hidden_size,
            limit=self.checkpoint.limit,
            spec=spec,
        )
        if load:
            _ = self.model

    @cached_property
    def model(self) -> torch.nn.Module:
        """The network, on its device.

        Raises:
            DataError: the weights cannot be read, or some are missing.
        """
        model = self.checkpoint.load(self.device)
        if self.device.type == "cpu" and self.fingerprint.spec.compute == "float32":
            pack_products(model)
        return model

    def encode(
        self, documents: Sequence[Sequence[NDArray[np.int32]]], *, batch_pieces: int, view: int = 0
    ) -> list[Coded]:
        """The hidden states of every layer but the embeddings', for sentences that begin with [CLS].

        Args:
            documents: piece ids (P,) of their sentences.
            batch_pieces: pieces in a batch, at most.
            view: 0 = without dropout.
        Returns:
            (P, L, D) per sentence, as stored, in the order given.
        """
        with self.threads() as threads:
            return self.start(documents, batch_pieces=batch_pieces, view=view, threads=threads).wait().sentences

    @contextmanager
    def threads(self) -> Iterator[ThreadPoolExecutor]:
        """Threads for `start`; torch itself uses one meanwhile: a product split among threads has other last bits.

        Several batches at once, each on one thread, take no longer than one batch on several. A GPU, and dropout,
        whose random numbers belong to the process, take one batch after the other. The number of torch's threads is the
        process's, so one caller has it at a time, and others wait.
        """
        with _one_caller(os.getpid()):
            # a thread keeps the number that it found when it first used torch: only a fresh one knows the present one
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
        """Begin what `encode` does, on some threads.

        Sentences over the encoder's limit go through overlapping windows. Similar lengths share a batch of at
        most `batch_pieces` pieces, padding included. In a view above 0 the encoder's dropout is on, and each
        pass runs alone, with a seed from its pieces: it depends on nothing but them.
        """
        mark = self.fingerprint
        offsets = np.cumsum([0, *(len(ids) for document in documents for ids in document)]).tolist()
        whole = Coded.empty(mark.spec.dtype, (offsets[-1], mark.n_layers, mark.width))
        sentences = [whole[start:end] for start, end in pairwise(offsets)]
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

        batches = length_batches([len(p) for p in passes], 1 if view else batch_pieces)
        # the longest first, so that threads end together
        return Encoding(whole, sentences, [threads.submit(run, batch) for batch in reversed(batches)])

    @torch.inference_mode()
    def forward(self, bodies: Sequence[NDArray[np.int32]]) -> Coded:
        """(B, P, L, D) as stored, for pieces between [CLS] and [SEP], padded to the longest."""
        longest = max(len(body) for body in bodies) + 2
        ids = np.full((len(bodies), longest), self.checkpoint.padding, dtype=np.int64)
        mask = np.zeros(ids.shape, dtype=np.int64)
        for row, body in enumerate(bodies):
            ids[row, : len(body) + 2] = [self.word_pieces.cls, *body, self.word_pieces.sep]
            mask[row, : len(body) + 2] = 1
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.fingerprint.spec.compute == "bfloat16"):
            output = self.model(
                input_ids=torch.from_numpy(ids).to(self.device),
                attention_mask=torch.from_numpy(mask).to(self.device),
                output_hidden_states=True,
            )
        layers = output.hidden_states[1:]
        # rounded while they are joined: one pass over memory instead of two
        kind = torch.float16 if self.fingerprint.spec.dtype == "float16" else torch.float32
        states = torch.empty((*layers[0].shape[:2], len(layers), layers[0].shape[2]), dtype=kind, device=self.device)
        for number, layer in enumerate(layers):
            states[:, :, number] = layer
        return encode(states, self.fingerprint.spec.dtype)

    def _dropped_out(self, one: Pass, view: int) -> Coded:
        """(1, P, L, D) with dropout, seeded by the pieces and the view."""
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
    """The lock of a process; a forked child, whose parent may hold it, gets its own."""
    return Lock()
