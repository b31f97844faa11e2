"""What Windows and macOS refuse or lack: open files, open folders, functions of POSIX, names, code pages."""

from __future__ import annotations

import ast
import errno
import os
import pickle
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest

from ner_head.base import entry, files, runtime
from ner_head.base.files import link, new_folder, portable, remove_leftovers, write_whole
from ner_head.cli import init, workers
from ner_head.corpus.documents import Document
from ner_head.evaluation.bsnlp_documents import free_path, safe_name
from ner_head.features.extraction import workers as extraction
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import Pool, extract
from ner_head.features.extraction.plans import ShardPlan
from ner_head.features.store import mapping
from ner_head.features.store.store import FeatureStore
from ner_head.head.crf import kernel_cache
from ner_head.inference.saved_model import SavedModel
from tests.conftest import ROOT
from tests.platforms.windows import Windows, simulate

SOURCES = [path for folder in ("ner_head", "stages") for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.fixture
def windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch)  # after pytest has made the folder


@pytest.mark.usefixtures("windows")
def test_files_and_folders_are_whole_where_nothing_in_use_is_renamed(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        write_whole(tmp_path / "a.h5", content)
        link(tmp_path / "a.h5", tmp_path / "linked.h5")
    assert (tmp_path / "linked.h5").read_bytes() == b"second"
    (tmp_path / "new").mkdir()
    with new_folder(tmp_path / "new") as folder:
        (folder / "a").write_bytes(b"x")
    assert (tmp_path / "new/a").read_bytes() == b"x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "linked.h5", "new"]


@pytest.mark.usefixtures("windows")
def test_old_leftovers_are_removed_where_no_open_file_is(tmp_path: Path) -> None:
    (tmp_path / ".a.h5.1.tmp").write_bytes(b"half")
    os.utime(tmp_path / ".a.h5.1.tmp", (time.time() - 2 * files.DAY,) * 2)
    assert remove_leftovers(tmp_path) == 1


@pytest.mark.usefixtures("windows")
def test_a_store_and_a_model_are_written_and_written_again(
    documents: list[Document], encoder: Encoder, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapping, "os", Windows())  # shards are mapped as on Windows
    for _ in range(2):
        options = {"encoder_name": "tiny", "shard_words": 10, "batch_pieces": 256}
        extract(documents[:2], encoder, **options, pool=Pool(tmp_path / "pool"), output=tmp_path / "store")  # type: ignore[arg-type]
        store = FeatureStore.open(tmp_path / "store")
        assert [store[name].hidden.shape[1:] for name in store] == [(3, 16)] * len(store)
        del store
        SavedModel.load(model, device="cpu").save(tmp_path / "model")  # type: ignore[arg-type]
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_folder_that_cannot_be_synced_is_no_error_but_a_failing_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(number: int) -> None:
        def fsync(descriptor: int) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)

    refuse(errno.EINVAL)  # some network drives
    files.sync_folder(tmp_path)
    refuse(errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        files.sync_folder(tmp_path)


@pytest.mark.usefixtures("windows")
def test_without_the_functions_of_posix_the_same_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert workers.threads_each(0, 2) == extraction.Workers(2).threads_each == 2
    runtime.compute_alone_after_fork.__wrapped__()  # type: ignore[attr-defined]
    monkeypatch.setattr(kernel_cache.tempfile, "gettempdir", lambda: str(tmp_path))
    assert kernel_cache.private_folder() == tmp_path / "ner-head-kernels-0"


def test_a_closed_pipe_is_told_from_a_wrong_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    closed, wrong = OSError(errno.EINVAL, "Invalid argument"), OSError(errno.EINVAL, "Invalid argument", "a:b")
    assert entry.is_closed_pipe(BrokenPipeError())
    assert not entry.is_closed_pipe(closed)
    monkeypatch.setattr(entry, "os", Windows())
    assert entry.is_closed_pipe(closed)
    assert not entry.is_closed_pipe(wrong)


def test_paths_in_files_for_other_machines_have_slashes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert portable("a\\b/c") == "a\\b/c"  # a name on POSIX
    assert init.source_name(tmp_path / "corpus/a", tmp_path) == "corpus/a"
    monkeypatch.setattr(files, "os", Windows())
    assert portable("C:\\corpora\\a/b") == "C:/corpora/a/b"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a:b\\c|d?", "a%3Ab%5Cc%7Cd%3F"),
        ("NUL", "%4EUL"),
        ("con.a", "%63on.a"),
        ("COM1", "%43OM1"),
        ("console", "console"),
        ("brexit.", "brexit%2E"),
        ("..", "%2E%2E"),
        (" ", "_"),
        ("a" * 49 + ". b", "a" * 49),
    ],
)
def test_names_of_files_are_ones_that_windows_takes(name: str, expected: str) -> None:
    assert safe_name(name) == expected


def test_names_that_differ_in_case_or_composition_only_get_numbers(tmp_path: Path) -> None:
    taken = set[str]()
    names = ["É", "é", unicodedata.normalize("NFD", "é")]  # macOS takes all for one
    assert [free_path(tmp_path, name, ".out", taken).name.partition(".")[0][-2:] for name in names] == ["É", "~2", "~3"]


def test_what_a_worker_is_sent_can_be_pickled() -> None:
    plan = ShardPlan([[("word",)]], ("a",), "key")  # type: ignore[list-item]
    jobs = (extraction.Job("f", "cpu", None, "p", 8, 1), workers.Job(workers.ModelSource("f", None, "cpu", 1), 1, None))  # type: ignore[arg-type]
    sent = (extraction.compute_shard, workers.recognize_group, plan, *jobs)
    assert pickle.loads(pickle.dumps(sent)) == sent  # by spawned processes, which share nothing


def test_text_files_name_their_encoding_and_their_ends_of_lines() -> None:
    """The defaults differ: Windows writes CRLF, in the code page of its region."""
    wrong = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            options = {keyword.arg for keyword in node.keywords}
            modes = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            method = isinstance(node.func, ast.Attribute)  # the function of base/files.py names both
            writes = (called == "write_text" and method) or (
                called == "open" and any(mode in ("w", "a", "x") for mode in modes)
            )
            if writes and "force_zip64" not in options and not {"encoding", "newline"} <= options:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wrong == ["ner_head/bundles/wheel.py:146"]  # an entry of an archive, which has bytes


def test_the_rename_that_windows_refuses_is_not_used() -> None:
    assert [path for path in SOURCES if "os.rename(" in (text := path.read_text("utf-8")) or ".rename(" in text] == []


def test_cyrillic_is_printed_whatever_the_code_page_is() -> None:
    program = "from ner_head.base.entry import use_utf8; use_utf8(); print('Полша', '\\udc80')"
    variables = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, check=True)
    assert done.stdout.decode() == "Полша \\udc80\n"
