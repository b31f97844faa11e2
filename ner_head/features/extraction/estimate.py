"""What an extraction will take, before it runs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ner_head.base.files import SPARE_BYTES, free_bytes
from ner_head.corpus.documents import Document
from ner_head.features.extraction.encode import count_pieces, split_words
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.plans import ShardPlan, plan_shards
from ner_head.features.extraction.pool import Pool

PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class Estimate:
    """What there is, what the pool lacks, and what that takes.

    Attributes:
        sentences, pieces, shards: of the whole store; `missing_...`: of what has to be computed.
        bytes_to_write: of the missing shards' hidden states.
        bytes_free: on the pool's disk.
        pieces_per_second: what the probe gave, one process; 0 without a probe.
        seconds: for what is missing, with `workers` processes; 0 where nothing is.
    """

    documents: int
    sentences: int
    pieces: int
    shards: int
    missing_shards: int
    missing_pieces: int
    bytes_to_write: int
    bytes_free: int
    fits: bool
    pieces_per_second: float
    seconds: float

    def as_dict(self) -> dict[str, int | float | bool]:
        """For JSON."""
        return asdict(self)


def estimate(
    documents: Sequence[Document],
    encoder: Encoder,
    *,
    shard_words: int,
    batch_pieces: int,
    pool: Path,
    workers: int = 1,
    probe_seconds: float = PROBE_SECONDS,
) -> Estimate:
    """Count everything exactly, and time the encoder on some of the missing sentences.

    The pool is asked by name: a damaged shard counts as there, and will be computed nevertheless.
    """
    plans = plan_shards(
        documents,
        shard_words=shard_words,
        fingerprint=encoder.fingerprint.digest(),
        spaces=encoder.word_pieces.marks_spaces,
    )
    have = Pool(pool)
    pieces = {plan.key: count_pieces(plan.words, encoder).pieces for plan in plans}
    missing = list({plan.key: plan for plan in plans if not have.has(plan.key)}.values())
    to_compute = sum(pieces[plan.key] for plan in missing)
    needed, free = to_compute * encoder.fingerprint.bytes_per_piece, free_bytes(pool)
    rate = probe(missing, encoder, batch_pieces=batch_pieces, seconds=probe_seconds) if missing else 0.0
    return Estimate(
        documents=sum(len(plan.names) for plan in plans),
        sentences=sum(len(document) for plan in plans for document in plan.words),
        pieces=sum(pieces[plan.key] for plan in plans),
        shards=len(plans),
        missing_shards=len(missing),
        missing_pieces=to_compute,
        bytes_to_write=needed,
        bytes_free=free,
        fits=not needed or free >= needed + SPARE_BYTES,
        pieces_per_second=round(rate, 1),
        seconds=round(to_compute / rate / workers, 1) if rate else 0.0,
    )


def probe(plans: Sequence[ShardPlan], encoder: Encoder, *, batch_pieces: int, seconds: float) -> float:
    """Pieces a second of the encoder, on documents from all over the plans, for about so many seconds."""
    documents = [document for plan in plans for document in plan.words]
    step = max(1, len(documents) // 97)
    order = itertools.cycle(documents[first] for start in range(step) for first in range(start, len(documents), step))
    ids = [[p.ids for p in split_words((next(order),), encoder)[0]]]
    encoder.encode(ids, batch_pieces=batch_pieces)  # memory and kernels are found once
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds or not done:
        words = tuple(itertools.islice(order, 8))
        batch = [[p.ids for p in document] for document in split_words(words, encoder)]
        for view in range(1 + min(1, encoder.fingerprint.spec.views)):
            encoder.encode(batch, batch_pieces=batch_pieces, view=view)
        done += sum(len(ids) for document in batch for ids in document)
    return done / (time.perf_counter() - start)
