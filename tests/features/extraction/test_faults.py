"""Damage, kills and failing disks: never a wrong number, and the next run gives the same bytes.

The flips and truncations run in one process: the digest is checked in pure Python's hashlib before any parser sees a
byte, so no damaged input reaches code that could crash or hang; `test_hostile.py` covers files with right digests.
"""

from __future__ import annotations

import errno
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ner_head.base.errors import DataError, ResourceError
from ner_head.corpus.documents import Document
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.pool import Pool
from ner_head.features.store.store import FeatureStore
from tests.features.documents import many
from tests.features.store.test_hostile import KEY, hostile, store_of

FLIPS, TRUNCATIONS, KILLS = 150, 50, 60


def refused(folder: Path) -> bool:
    """Whether reading every sentence through the public API ends in a DataError that names the file."""
    try:
        store = FeatureStore.open(folder)
        for name in store:
            store[name].hidden.sum()
    except DataError as error:
        return f"{KEY}.h5" in str(error)
    return False


def overwrite(path: Path, content: bytes) -> None:
    """In place: emptying a file first makes ext4 write to the disk each time."""
    with path.open("r+b") as handle:
        handle.write(content)
        handle.truncate()


def test_a_flipped_bit_and_a_truncation_are_found_wherever_they_are(tmp_path: Path) -> None:
    rng = random.Random(0)
    path = tmp_path / f"{KEY}.h5"
    hostile(path, "")
    store_of(tmp_path)
    image = path.read_bytes()
    assert not refused(tmp_path)
    for number in range(FLIPS):
        damaged = bytearray(image)
        # one flip in each part of the file, and its first and its last byte
        place = (number * (len(image) - 1)) // (FLIPS - 1)
        damaged[place] ^= 1 << rng.randrange(8)
        overwrite(path, damaged)
        assert refused(tmp_path)
    for _ in range(TRUNCATIONS):
        overwrite(path, image[: rng.randrange(len(image))])
        assert refused(tmp_path)
    overwrite(path, image)
    assert not refused(tmp_path)


def test_a_writer_killed_at_any_moment_leaves_no_wrong_shard(tmp_path: Path) -> None:
    """kill -9 at random moments of a process that writes without a break; some of them are in the middle of a write."""
    rng, caught = random.Random(0), 0
    contents = {f"{i:064x}": hashlib.sha256(bytes([i])).digest() * 4096 for i in range(4)}
    fork = os.fork if hasattr(os, "fork") else pytest.skip("no fork here")
    for number in range(10 * KILLS):
        if number >= KILLS and caught > KILLS / 20:
            break
        reading, writing = os.pipe()
        child = fork()
        if child == 0:
            try:
                os.write(writing, b"!")  # a busy machine may start it late
                while True:
                    for key, content in contents.items():
                        Pool(tmp_path).add(key, content)
            finally:
                os._exit(1)
        os.read(reading, 1)
        time.sleep(rng.uniform(0.0005, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
        caught += any(tmp_path.glob(".*.tmp"))
        pool = Pool(tmp_path)
        pool.clean()
        assert not list(tmp_path.glob(".*"))
        for shard in pool.shards():
            assert shard.path.read_bytes() == contents[shard.key]
            assert pool.find(shard.key) is not None  # undamaged by its own name
    assert caught > KILLS / 20  # so the moments were no easy ones
    for key, content in contents.items():
        assert Pool(tmp_path).add(key, content).path.read_bytes() == content


EXTRACTION = """
import sys, torch
from pathlib import Path
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.pool import Pool
from tests.features.documents import many
folder = Path(sys.argv[2])
encoder = Encoder(Path(sys.argv[1]), device=torch.device("cpu"))
print("ready", flush=True)
pool = Pool(folder / "pool")
extract(many(200), encoder, encoder_name="x", shard_words=20, batch_pieces=64, pool=pool, output=folder)
"""


def test_an_extraction_killed_again_and_again_ends_with_the_same_bytes(
    tiny_encoder: Path, encoder: Encoder, tmp_path: Path
) -> None:
    def whole(folder: Path) -> object:
        return extract(
            many(200),
            encoder,
            encoder_name="x",
            shard_words=20,
            batch_pieces=64,
            pool=Pool(folder / "pool"),
            output=folder,
        ).shards

    undisturbed = whole(tmp_path / "whole")
    folder, rng = tmp_path / "killed", random.Random(0)
    for _ in range(2):
        command = [sys.executable, "-c", EXTRACTION, str(tiny_encoder), str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(rng.uniform(0.05, 0.4))
            child.kill()
    assert whole(folder) == undisturbed


class Failing:
    """Makes the n-th call of some functions of `os` fail, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, n: int, error: int) -> None:
        self.calls, self.n, self.error = 0, n, error
        for module, name in ((os, "fsync"), (os, "open"), (os, "link"), (Path, "replace"), (Path, "mkdir")):
            monkeypatch.setattr(module, name, self.wrap(getattr(module, name)))
        monkeypatch.setattr(Path, "open", self.opened(Path.open))

    def count(self) -> None:
        self.calls += 1
        if self.calls == self.n:
            raise OSError(self.error, os.strerror(self.error))

    def wrap(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            self.count()
            return real(*args, **kwargs)

        return call

    def opened(self, real: Callable[..., object]) -> Callable[..., object]:
        def call(path: Path, mode: str = "r", *args: object, **kwargs: object) -> object:
            if mode != "wb":
                return real(path, mode, *args, **kwargs)
            self.count()
            handle = real(path, mode, *args, **kwargs)
            return Writing(handle, self)

        return call


class Writing:
    """A file whose writes are counted, and whose failing write leaves half of the bytes."""

    def __init__(self, handle: object, failing: Failing) -> None:
        self.handle, self.failing = handle, failing

    def __enter__(self) -> Writing:
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.close()

    def write(self, content: bytes) -> None:
        try:
            self.failing.count()
        except OSError:
            self.handle.write(content[: len(content) // 2])
            raise
        self.handle.write(content)

    def __getattr__(self, name: str) -> object:
        return getattr(self.handle, name)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_failure_of_any_call_is_one_line_and_the_next_run_goes_on(
    error: int, documents: list[Document], encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(folder: Path) -> object:
        return extract(
            documents,
            encoder,
            encoder_name="x",
            shard_words=10,
            batch_pieces=256,
            pool=Pool(folder / "pool"),
            output=folder,
        ).shards

    whole = run(tmp_path / "whole")
    number, survived, lines = 0, 0, list[tuple[str, str, int]]()
    while True:
        number += 1
        folder = tmp_path / str(number)
        with monkeypatch.context() as patch:
            failing = Failing(patch, number, error)
            try:
                run(folder)
                survived += 1
            except ResourceError as problem:
                lines.append((str(problem), str(folder), problem.exit_code))
        if failing.calls < number:
            break  # every call has failed once
        for shard in Pool(folder / "pool").shards():
            assert hashlib.sha256(shard.path.read_bytes()).hexdigest() == shard.sha256
        assert not list(folder.rglob(".*.tmp"))
        assert run(folder) == whole
    assert number > 20
    for line, folder_name, code in lines:
        assert re.fullmatch(rf"{re.escape(folder_name)}/\S+: cannot write [\d,]+ bytes: .+", line)
        assert code == 4
    assert survived <= 1 + len(whole)  # a link that fails is copied instead; the last round fails nothing


def test_a_full_disk_is_one_line_and_leaves_no_partial_shard(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        pool = Pool(disk)
        pool.add("0" * 64, b"x" * 200_000)
        with pytest.raises(ResourceError, match=r"cannot write 100,000 bytes: No space left on device"):
            pool.add("1" * 64, b"y" * 100_000)
        assert [shard.key for shard in pool.shards()] == ["0" * 64]
        assert not list(disk.glob(".*"))
        next(iter(pool.shards())).path.unlink()
        assert pool.add("1" * 64, b"y" * 100_000).path.stat().st_size == 100_000
    finally:
        subprocess.run(["umount", str(disk)], check=True)
