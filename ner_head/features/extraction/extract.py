"""Extraction: hidden states of prepared documents, computed by the frozen encoder and written shard by shard.

The key of a shard is a hash of everything that determines its bytes. Finished shards are kept in a pool, outside of
DVC's outs. So a run that was interrupted, or repeated with other documents or settings, computes only missing shards.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from safetensors.torch import save

from ner_head.base.errors import DataError
from ner_head.base.files import Buffer, check_room, link, portable, write_whole
from ner_head.corpus.documents import Document
from ner_head.features.extraction.encode import PieceCounts, count_pieces, start_shard
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.plans import ShardPlan, plan_shards
from ner_head.features.extraction.pool import Pool
from ner_head.features.extraction.progress import ShardProgress
from ner_head.features.extraction.workers import Receipt, Workers, run_on_workers
from ner_head.features.store.manifest import (
    LAYERS,
    EncoderRecord,
    LayersRecord,
    ShardDocument,
    ShardRecord,
    StoreManifest,
    write_manifest,
)

UNKNOWN_SHARE = 0.02  # share of unknown words above which there is a warning
AHEAD = 1  # shards that are started before one is written; each of them is in memory


def extract(
    documents: Iterable[Document],
    encoder: Encoder,
    *,
    encoder_name: str,
    shard_words: int,
    batch_pieces: int,
    pool: Pool,
    output: Path,
    workers: Workers | None = None,
    with_weights: bool = False,
) -> StoreManifest:
    """Write a store: shards, which are hard links to the pool, and a manifest that lists them.

    Args:
        documents: documents with sentences; the store has the same order.
        encoder: the encoder. Its weights need not be loaded if other processes compute.
        encoder_name: folder or hub name of the encoder, for the manifest.
        shard_words: average number of words in a shard.
        batch_pieces: largest number of pieces in one pass of the encoder, padding included.
        pool: where finished shards are kept.
        output: folder of the store.
        workers: processes that compute; None = this process.
        with_weights: whether to write the weights of the encoder's layers too, so that heads can train them.
    Raises:
        ResourceError: there is too little free disk space, or shards killed their workers (named in the error).
    """
    workers = workers or Workers()
    plans = plan_shards(
        documents,
        shard_words=shard_words,
        fingerprint=encoder.fingerprint.digest(),
        spaces=encoder.word_pieces.marks_spaces,
    )
    pool.clean()
    found = {plan.key: shard.sha256 for plan in plans if (shard := pool.find(plan.key))}
    missing = list({plan.key: plan for plan in plans if plan.key not in found}.values())
    counts = {plan.key: count_pieces(plan.words, encoder) for plan in missing}
    pieces = {key: count.pieces for key, count in counts.items()}
    warn_of_unknown_words(counts.values())
    # the largest first: workers finish at about the same time, and writing the last shard, which no computation
    # overlaps, takes little time
    missing.sort(key=lambda plan: -pieces[plan.key])
    vectors = sum(count.vectors for count in counts.values())
    check_room(pool.directory, vectors * encoder.fingerprint.bytes_per_piece)
    with ShardProgress(workers.show, n_shards=len(plans), pieces=pieces) as progress:
        for receipt in _compute(missing, encoder, batch_pieces=batch_pieces, pool=pool, workers=workers):
            found[receipt.key] = receipt.sha256
            progress.finished(receipt.key)
    layers = write_layers(encoder, output) if with_weights else None
    return _assemble(plans, found, encoder, layers, encoder_name=encoder_name, pool=pool, output=output)


def write_layers(encoder: Encoder, output: Path) -> LayersRecord | None:
    """Write `layers.safetensors`; None, and no file, if the encoder's layers are not those of BERT."""
    try:
        weights, shape = encoder.layer_weights(), encoder.layer_shape()
    except DataError:
        return None  # training.tune_layers says so, if it is used
    content = save(weights)
    write_whole(output / LAYERS, content)
    return LayersRecord(sha256=hashlib.sha256(content).hexdigest(), shape=shape)


def warn_of_unknown_words(counts: Iterable[PieceCounts]) -> None:
    """Warn, on standard error, if many words have characters that the tokenizer does not know."""
    total = sum(counts, PieceCounts(0, 0, 0, Counter()))
    unknown = total.unknown.total()
    if unknown > UNKNOWN_SHARE * total.words:
        examples = " ".join(form for form, _ in total.unknown.most_common(5))
        print(
            f"warning: {unknown:,} of {total.words:,} words ({unknown / total.words:.0%}) hold characters that the "
            f"encoder does not know, such as {examples}; choose an encoder for this script (encoder.model)",
            file=sys.stderr,
        )


def _compute(
    missing: Sequence[ShardPlan], encoder: Encoder, *, batch_pieces: int, pool: Pool, workers: Workers
) -> Iterable[Receipt]:
    """Compute shards and add them to the pool, in any order."""
    if missing and not workers.in_this_process:
        yield from run_on_workers(missing, encoder, batch_pieces=batch_pieces, pool=pool.directory, workers=workers)
        return
    yield from _compute_here(missing, encoder, batch_pieces=batch_pieces, pool=pool)


def _compute_here(
    missing: Sequence[ShardPlan], encoder: Encoder, *, batch_pieces: int, pool: Pool
) -> Iterator[Receipt]:
    """Compute shards in this process. While one is hashed and written, the batches of the next one are computed."""

    def write(plan: ShardPlan, finish: Callable[[], list[Buffer]]) -> Receipt:
        shard = pool.add(plan.key, *finish())
        return Receipt(shard.key, shard.sha256)

    # in this order, an error first cancels the batches, and then the shards that wait for them
    with ThreadPoolExecutor(1) as writer, encoder.threads() as threads:
        written = deque[Future[Receipt]]()
        for plan in missing:
            finish = start_shard(plan.words, encoder, key=plan.key, batch_pieces=batch_pieces, threads=threads)
            written.append(writer.submit(write, plan, finish))
            if len(written) > AHEAD:
                yield written.popleft().result()
        while written:
            yield written.popleft().result()


def _assemble(
    plans: Sequence[ShardPlan],
    digests: dict[str, str],
    encoder: Encoder,
    layers: LayersRecord | None,
    *,
    encoder_name: str,
    pool: Pool,
    output: Path,
) -> StoreManifest:
    """Link the shards into the store, then write its manifest."""
    records = []
    for plan in plans:
        link(pool.path(plan.key, digests[plan.key]), output / f"{plan.key}.h5")
        rows = [
            ShardDocument(key=name, n_sentences=len(words)) for name, words in zip(plan.names, plan.words, strict=True)
        ]
        records.append(ShardRecord(key=plan.key, sha256=digests[plan.key], documents=rows))
    mark = encoder.fingerprint
    record = EncoderRecord(
        model=portable(encoder_name),
        local=Path(encoder_name).is_dir(),
        fingerprint=mark.digest(),
        n_layers=mark.n_layers,
        width=mark.width,
        **mark.spec.model_dump(),
    )
    manifest = StoreManifest(encoder=record, layers=layers, shards=records)
    write_manifest(output, manifest)
    return manifest
