"""Time and disk space that an extraction will take."""

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
    """Size of a store, and the cost of the shards that are missing in the pool.

    Attributes:
        documents, sentences, pieces, shards: size of the whole store.
        missing_shards, missing_pieces: size of what has to be computed.
        bytes_to_write: size of the missing shards' hidden states.
        bytes_free: free space on the pool's disk.
        fits: whether there is enough free space.
        pieces_per_second: measured rate of one process; 0 if nothing was measured.
        seconds: estimated time for the missing shards with `workers` processes; 0 if there are none.
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
    """Count all documents exactly, and measure the encoder on some of the missing sentences.

    Shards of the pool are not read, so a damaged shard is not counted as missing, though it will be computed again.
    """
    plans = plan_shards(
        documents,
        shard_words=shard_words,
        fingerprint=encoder.fingerprint.digest(),
        spaces=encoder.word_pieces.marks_spaces,
    )
    have = Pool(pool)
    counts = {plan.key: count_pieces(plan.words, encoder) for plan in plans}
    missing = list({plan.key: plan for plan in plans if not have.has(plan.key)}.values())
    to_compute = sum(counts[plan.key].pieces for plan in missing)
    vectors = sum(counts[plan.key].vectors for plan in missing)
    needed, free = vectors * encoder.fingerprint.bytes_per_piece, free_bytes(pool)
    rate = probe(missing, encoder, batch_pieces=batch_pieces, seconds=probe_seconds) if missing else 0.0
    return Estimate(
        documents=sum(len(plan.names) for plan in plans),
        sentences=sum(len(document) for plan in plans for document in plan.words),
        pieces=sum(counts[plan.key].pieces for plan in plans),
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
    """Pieces per second of the encoder, measured for about `seconds` on documents from all parts of the plans."""
    documents = [document for plan in plans for document in plan.words]
    step = max(1, len(documents) // 97)
    order = itertools.cycle(documents[first] for start in range(step) for first in range(start, len(documents), step))
    ids = [[p.ids for p in split_words((next(order),), encoder)[0]]]
    encoder.encode(ids, batch_pieces=batch_pieces)  # warm-up
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds or not done:
        words = tuple(itertools.islice(order, 8))
        batch = [[p.ids for p in document] for document in split_words(words, encoder)]
        for view in range(1 + min(1, encoder.fingerprint.spec.views)):
            encoder.encode(batch, batch_pieces=batch_pieces, view=view)
        done += sum(len(ids) for document in batch for ids in document)
    return done / (time.perf_counter() - start)
