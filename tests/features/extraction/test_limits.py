"""Errors of the machine say nothing about a shard; few descriptors are open; readers survive fork and spawn."""

from __future__ import annotations

import builtins
import errno
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest

from ner_head.base.errors import DamagedShardError, DataError, NerHeadError, ResourceError
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.pool import Pool
from ner_head.features.store import shard
from ner_head.features.store.mapping import MappedFile
from ner_head.features.store.store import FeatureStore
from ner_head.features.store.verify import check_shards
from tests.features.documents import many
from tests.features.extraction.test_processes import total


@pytest.fixture
def shards(tmp_path: Path, encoder: Encoder) -> Path:
    """A store of about 200 shards."""
    pool = Pool(tmp_path / "pool")
    extract(many(200), encoder, encoder_name="x", shard_words=1, batch_pieces=256, pool=pool, output=tmp_path / "store")
    assert len(list((tmp_path / "store").glob("*.h5"))) > 150
    return tmp_path / "store"


def refuse(monkeypatch: pytest.MonkeyPatch, number: int, names: str = ".h5") -> None:
    """Every opening of a shard fails."""
    real = io.open

    def opened(path: object, *args: object, **kwargs: object) -> object:
        if str(path).endswith(names):
            raise OSError(number, os.strerror(number), str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(io, "open", opened)
    monkeypatch.setattr(builtins, "open", opened)


@pytest.mark.parametrize(
    ("number", "kind", "code", "hint"),
    [
        (errno.EMFILE, ResourceError, 4, "Too many open files; raise this process's limit of open files (`ulimit -n`)"),
        (errno.ENFILE, ResourceError, 4, "the whole system has too many open files"),
        (errno.EIO, ResourceError, 4, "Input/output error; the disk or its connection fails"),
        (errno.ENOMEM, ResourceError, 4, "free some memory"),
        (errno.ESTALE, ResourceError, 4, "Stale file handle"),
        (errno.EACCES, DataError, 3, "Permission denied; run `dvc repro extract`"),
        (errno.ENOENT, DataError, 3, "No such file or directory; run `dvc repro extract`"),
    ],
)
@pytest.mark.parametrize("at", ["digest", "hdf5", "map"])
def test_what_the_system_refuses_is_no_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch, at: str, number: int, kind: type[NerHeadError], code: int, hint: str
) -> None:
    store = FeatureStore.open(folder)

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, f"Unable to synchronously open file (errno = {number})")

    if at == "digest":
        refuse(monkeypatch, number)
    elif at == "hdf5":
        monkeypatch.setattr(h5py, "File", fail)
    else:
        monkeypatch.setattr(shard, "MappedFile", fail)
    found = list(check_shards(store))
    assert len(found) == len(store.manifest.shards) > 2
    for error in found:
        assert type(error) is kind
        assert error.exit_code == code
        assert ".h5: " in str(error)
        assert hint in str(error)
        assert "\n" not in str(error)
    monkeypatch.undo()
    assert not [error for error in check_shards(store) if isinstance(error, NerHeadError)]  # it was a passing one


def test_memory_that_is_out_is_no_damage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(shard.Shard, "_read_index", fail)
    with pytest.raises(ResourceError, match=r"\.h5: not enough memory to open it"):
        FeatureStore.open(folder).shard(0)


def test_what_libhdf5_says_of_the_disk_is_no_damage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("Can't synchronously read data (file read failed: errno = 5, error message = 'I/O error')")

    monkeypatch.setattr(shard.Shard, "_read_index", fail)
    with pytest.raises(ResourceError):
        FeatureStore.open(folder).shard(0)


def test_a_pooled_shard_that_cannot_be_read_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(folder.parent / "pool")
    before = list(pool.shards())
    refuse(monkeypatch, errno.EMFILE)
    with pytest.raises(ResourceError, match="ulimit -n"):
        pool.find(before[0].key)
    monkeypatch.undo()
    assert list(Pool(pool.directory).shards()) == before
    before[0].path.chmod(0o644)
    before[0].path.write_bytes(b"other")
    assert Pool(pool.directory).find(before[0].key) is None
    assert list(Pool(pool.directory).shards()) == before[1:]


READER = """
import resource, sys
from pathlib import Path
from ner_head.features.store.store import FeatureStore
store = FeatureStore.open(Path(sys.argv[1]))
store[next(iter(store))]
import os
used = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 10
resource.setrlimit(resource.RLIMIT_NOFILE, (used + 4, used + 4))
kept = [store[name] for name in store]
print(len(store._shards), sum(float(each.hidden.sum()) for each in kept))
"""


def test_hundreds_of_shards_are_held_open_with_a_handful_of_descriptors(shards: Path) -> None:
    done = subprocess.run([sys.executable, "-c", READER, str(shards)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    number, total = done.stdout.split()
    store = FeatureStore.open(shards)
    assert int(number) == len(store.manifest.shards)
    assert float(total) == pytest.approx(sum(float(store[name].hidden.sum()) for name in store))


VERIFY = """
import resource, sys
from ner_head.cli import main as cli
import ner_head.features.store.store, ner_head.features.store.verify
limit = int(sys.argv[1])
handles = [open("/dev/null") for _ in range(20)]
resource.setrlimit(resource.RLIMIT_NOFILE, (handles[-1].fileno() + 1 + limit,) * 2)
sys.argv = ["ner-head", "verify", sys.argv[2], "--remove"]
cli.main()
"""


def test_verify_at_the_limit_names_it_and_removes_nothing(folder: Path) -> None:
    before = sorted(folder.parent.rglob("*.h5"))

    def verify(limit: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", VERIFY, str(limit), str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder.parent)

    outcomes = [verify(limit) for limit in (0, 1, 3)]
    for done in outcomes:
        assert done.returncode in (0, 4), done.stderr
        assert "Traceback" not in done.stderr
        assert ("ulimit -n" in done.stderr) == (done.returncode == 4)
    assert outcomes[0].returncode == 4
    assert sorted(folder.parent.rglob("*.h5")) == before


def test_a_store_is_read_where_no_thread_can_start(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    expected = total(FeatureStore.open(folder))
    monkeypatch.setattr(threading.Thread, "start", fail)
    assert total(FeatureStore.open(folder)) == expected


def test_a_mapped_file_is_read_only_and_outlives_its_descriptor_and_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bytes(range(256)) * 100)
    mapped = MappedFile(path)
    array = np.frombuffer(mapped.view, np.uint8)
    mapped.will_need(5000, 9000)
    path.unlink()
    del mapped
    assert array.tobytes() == bytes(range(256)) * 100
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_maps_are_given_back(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100_000)
    maps = Path("/proc/self/maps")
    if not maps.is_file():
        pytest.skip("no list of maps here")
    mapped = MappedFile(path)
    assert str(path) in maps.read_text()
    array = np.frombuffer(mapped.view, np.uint8)[5:]
    del mapped
    assert str(path) in maps.read_text()
    del array
    assert str(path) not in maps.read_text()


def test_a_map_that_the_system_refuses_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(OSError, match="Invalid argument"):
        MappedFile(tmp_path / "empty")


def test_damage_is_still_damage(folder: Path) -> None:
    victim = next(folder.glob("*.h5"))
    content = bytearray(victim.read_bytes())
    content[100] ^= 1
    victim.unlink()
    victim.write_bytes(content)
    found = [error for error in check_shards(FeatureStore.open(folder)) if isinstance(error, NerHeadError)]
    assert {type(error) for error in found} == {DamagedShardError}
    assert {error.path for error in found if isinstance(error, DamagedShardError)} == {victim}
