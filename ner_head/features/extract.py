"""Run the frozen encoder over prepared documents and keep what it gives, shard by shard.

A shard is named by everything that decides its bytes, and finished shards stay in a pool outside of DVC's outs:
an interrupted, edited or switched-back extraction computes only what the pool lacks.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ner_head.corpus.documents import Document
from ner_head.errors import ResourceError
from ner_head.features.encoder import Encoder
from ner_head.features.shard import VERSION, Features, digest_of, shard_bytes, write_whole
from ner_head.features.store import DocumentRows, EncoderRecord, ShardRecord, StoreManifest, write_manifest

SPARE_BYTES = 1 << 28  # left free on the disk
SECONDS_BETWEEN_LINES = 5.0


@dataclass(frozen=True)
class ShardPlan:
    """Whole documents that go into one shard, and the key that their words and the encoder give it."""

    documents: tuple[Document, ...]
    key: str

    @property
    def sentences(self) -> list[list[str]]:
        """The words of every sentence, in order."""
        return [[word.text for word in s.words] for d in self.documents for s in d.sentences]


def plan_shards(documents: Iterable[Document], *, shard_words: int, fingerprint: str) -> list[ShardPlan]:
    """Group documents, in their order, into shards of about `shard_words` words.

    A shard ends behind a document whose hash says so, with a chance of its words / `shard_words`. Boundaries
    depend on single documents only, so a change of one document changes one or two shards.
    """
    plans, group = [], list[Document]()
    for document in documents:
        if not document.sentences:
            continue
        group.append(document)
        words = sum(len(sentence.words) for sentence in document.sentences)
        draw = int.from_bytes(hashlib.sha256(document.key.encode()).digest()[:8], "big") / 2**64
        if draw < words / shard_words:
            plans.append(_plan(group, fingerprint))
            group = []
    return [*plans, _plan(group, fingerprint)] if group else plans


def _plan(documents: Sequence[Document], fingerprint: str) -> ShardPlan:
    words = [[word.text for word in s.words] for d in documents for s in d.sentences]
    content = json.dumps([VERSION, fingerprint, words], ensure_ascii=False)
    return ShardPlan(tuple(documents), hashlib.sha256(content.encode()).hexdigest())


class Pool:
    """Finished shards as `KEY.SHA256.h5`: the name tells what a file has to contain."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def find(self, key: str) -> tuple[Path, str] | None:
        """A shard's path and digest, if it is here undamaged; a damaged one is removed."""
        for path in sorted(self.directory.glob(f"{key}.*.h5")):
            digest = path.name.split(".")[1]
            if digest_of(path) == digest:
                return path, digest
            path.unlink()
        return None

    def add(self, key: str, content: bytes) -> tuple[Path, str]:
        """Write a shard whole."""
        digest = hashlib.sha256(content).hexdigest()
        path = self.directory / f"{key}.{digest}.h5"
        write_whole(path, content)
        return path, digest


def encode_shard(plan: ShardPlan, encoder: Encoder, *, batch_pieces: int) -> bytes:
    """The bytes of a shard. Batches are formed inside of it, so they depend on nothing else."""
    pieces = encoder.word_pieces.split(plan.sentences)
    hidden = encoder.hidden_layers([p.ids for p in pieces], batch_pieces=batch_pieces)
    return shard_bytes(hidden, pieces, key=plan.key, fingerprint=encoder.fingerprint.digest())


def encode_sentences(sentences: Sequence[Sequence[str]], encoder: Encoder, *, batch_pieces: int) -> list[Features]:
    """Features of sentences that are not worth caching (prediction), rounded just as cached ones."""
    pieces = encoder.word_pieces.split(sentences)
    hidden = encoder.hidden_layers([p.ids for p in pieces], batch_pieces=batch_pieces)
    return [Features(h, p.ids, p.word_of_piece) for h, p in zip(hidden, pieces, strict=True)]


def link(source: Path, target: Path) -> None:
    """Hard link, or copy where the file system cannot."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def extract(
    documents: Iterable[Document],
    encoder: Encoder,
    *,
    model: str,
    shard_words: int,
    batch_pieces: int,
    pool: Pool,
    output: Path,
) -> StoreManifest:
    """Fill `output` with shards (linked from the pool) and a manifest that lists them.

    Raises:
        ResourceError: the disk lacks room; says how much is needed.
    """
    fingerprint = encoder.fingerprint
    plans = plan_shards(documents, shard_words=shard_words, fingerprint=fingerprint.digest())
    found = {plan.key: pool.find(plan.key) for plan in plans}
    missing = list({plan.key: plan for plan in plans if found[plan.key] is None}.values())
    pieces = [sum(map(len, encoder.word_pieces.split(plan.sentences))) for plan in missing]
    check_room(pool.directory, sum(pieces) * fingerprint.n_layers * fingerprint.width * 2)
    progress = Progress(len(plans), len(missing), sum(pieces))
    for plan, n_pieces in zip(missing, pieces, strict=True):
        found[plan.key] = pool.add(plan.key, encode_shard(plan, encoder, batch_pieces=batch_pieces))
        progress.advance(n_pieces)
    output.mkdir(parents=True, exist_ok=True)
    records = []
    for plan in plans:
        shard = found[plan.key]
        assert shard is not None  # every missing one was just added
        link(shard[0], output / f"{plan.key}.h5")
        rows = [DocumentRows(key=d.key, n_sentences=len(d.sentences)) for d in plan.documents]
        records.append(ShardRecord(key=plan.key, sha256=shard[1], documents=rows))
    record = EncoderRecord(
        model=model, fingerprint=fingerprint.digest(), n_layers=fingerprint.n_layers, width=fingerprint.width
    )
    manifest = StoreManifest(encoder=record, shards=records)
    write_manifest(output, manifest)
    return manifest


def check_room(directory: Path, needed: int) -> None:
    """Refuse to start what cannot end.

    Raises:
        ResourceError: less than `needed` bytes (and a reserve) are free where `directory` is or will be.
    """
    place = next(folder for folder in (directory, *directory.absolute().parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if needed and free < needed + SPARE_BYTES:
        raise ResourceError(
            f"{directory}: the features need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
            "free some, set runtime.pool to another disk, or take a smaller encoder"
        )


class Progress:
    """Lines on standard error: shards done, pieces a second, time left."""

    def __init__(self, n_shards: int, n_missing: int, n_pieces: int) -> None:
        self.total, self.done, self.left = n_pieces, 0, n_missing
        self.start = self.shown = time.monotonic()
        print(f"{n_shards} shards, {n_missing} to compute: {n_pieces:,} pieces", file=sys.stderr)

    def advance(self, n_pieces: int) -> None:
        """Count a finished shard; say so now and then."""
        self.done += n_pieces
        self.left -= 1
        now = time.monotonic()
        if self.left and now - self.shown < SECONDS_BETWEEN_LINES:
            return
        self.shown = now
        rate = self.done / max(now - self.start, 1e-9)
        seconds = (self.total - self.done) / rate
        print(f"{self.left} shards left, {rate:,.0f} pieces/s, {seconds:,.0f} s to go", file=sys.stderr)
