"""Run the frozen encoder over prepared documents and keep what it gives, shard by shard.

A shard is named by everything that decides its bytes, and finished shards stay in a pool outside of DVC's outs:
an interrupted, edited or switched-back extraction computes only what the pool lacks.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ner_head.base.files import Buffer, check_room, link
from ner_head.corpus.documents import Document
from ner_head.features.extraction.encode import PieceCounts, count_pieces, start_shard
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.plans import ShardPlan, plan_shards
from ner_head.features.extraction.pool import Pool
from ner_head.features.extraction.progress import ShardProgress
from ner_head.features.extraction.workers import Receipt, Workers, run_on_workers
from ner_head.features.store.store import DocumentRows, EncoderRecord, ShardRecord, StoreManifest, write_manifest

UNKNOWN_SHARE = 0.02  # of the words: more are told
AHEAD = 1  # shards that are begun while one is finished; each is in memory as a whole


def extract(
    documents: Iterable[Document],
    encoder: Encoder,
    *,
    model: str,
    shard_words: int,
    batch_pieces: int,
    pool: Pool,
    output: Path,
    workers: Workers | None = None,
) -> StoreManifest:
    """Fill `output` with shards (linked from the pool) and a manifest that lists them.

    Args:
        documents: with sentences; their order is the store's.
        encoder: weights may be left unloaded where other processes do the work.
        model: the encoder's name, for the manifest.
        shard_words: words in a shard, about.
        batch_pieces: pieces in one pass of the encoder, padding included.
        pool: where finished shards are kept.
        output: the store's folder.
        workers: who computes; None = this process.
    Raises:
        ResourceError: the disk lacks room (says how much is needed), or shards kill their workers (names them).
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
    tell_unknown(counts.values())
    # the largest first: workers end together, and the last shard, whose writing nothing overlaps, is a small one
    missing.sort(key=lambda plan: -pieces[plan.key])
    check_room(pool.directory, sum(pieces.values()) * encoder.fingerprint.bytes_per_piece)
    with ShardProgress(workers.show, n_shards=len(plans), pieces=pieces) as progress:
        for receipt in _compute(missing, encoder, batch_pieces=batch_pieces, pool=pool, workers=workers):
            found[receipt.key] = receipt.sha256
            progress.finished(receipt.key)
    return _assemble(plans, found, encoder, model=model, pool=pool, output=output)


def tell_unknown(counts: Iterable[PieceCounts]) -> None:
    """Warn of a corpus that the tokenizer does not know, on standard error."""
    total = sum(counts, PieceCounts(0, 0, Counter()))
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
    """Compute shards into the pool, in any order."""
    if missing and not workers.in_this_process:
        yield from run_on_workers(missing, encoder, batch_pieces=batch_pieces, pool=pool.directory, workers=workers)
        return
    yield from _compute_here(missing, encoder, batch_pieces=batch_pieces, pool=pool)


def _compute_here(
    missing: Sequence[ShardPlan], encoder: Encoder, *, batch_pieces: int, pool: Pool
) -> Iterator[Receipt]:
    """Compute shards in this process: while one is hashed and written, the next one's batches run already."""

    def write(plan: ShardPlan, finish: Callable[[], list[Buffer]]) -> Receipt:
        shard = pool.add(plan.key, *finish())
        return Receipt(shard.key, shard.sha256)

    # in this order: what stops the run cancels batches first, and so the shards that wait for them
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
    plans: Sequence[ShardPlan], digests: dict[str, str], encoder: Encoder, *, model: str, pool: Pool, output: Path
) -> StoreManifest:
    """Link the shards into the store, and write its manifest last."""
    records = []
    for plan in plans:
        link(pool.path(plan.key, digests[plan.key]), output / f"{plan.key}.h5")
        rows = [
            DocumentRows(key=name, n_sentences=len(words)) for name, words in zip(plan.names, plan.words, strict=True)
        ]
        records.append(ShardRecord(key=plan.key, sha256=digests[plan.key], documents=rows))
    mark = encoder.fingerprint
    record = EncoderRecord(
        model=model,
        local=Path(model).is_dir(),
        fingerprint=mark.digest(),
        n_layers=mark.n_layers,
        width=mark.width,
        **mark.spec.model_dump(),
    )
    manifest = StoreManifest(encoder=record, shards=records)
    write_manifest(output, manifest)
    return manifest
