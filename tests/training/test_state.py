from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest
import torch

from ner_head import head
from ner_head.base.errors import ResourceError
from ner_head.training import state as module
from ner_head.training.state import Checkpoint, Epoch, RunRecord, RunState, run_key

FIRST, SECOND = (Epoch(epoch=i, loss=1.0 / i, dev_f1=0.5, seconds=2.0) for i in (1, 2))
STATE = RunState(
    RunRecord(curve=[FIRST, SECOND], best=FIRST),
    {"last.a": torch.arange(6.0).view(2, 3), "best.a": torch.zeros(2, 3), "optimizer.steps": torch.tensor(7)},
)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "runs", "key")
    checkpoint.save(STATE)
    found = checkpoint.load()
    assert found is not None
    assert found.record == STATE.record
    assert found.tensors.keys() == STATE.tensors.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in STATE.tensors.items())
    assert set(found.part("optimizer")) == {"steps"}
    assert Checkpoint(tmp_path / "runs", "other").load() is None


@pytest.mark.parametrize("damage", [b"", b"\xff" * 100, b"cut"])
def test_a_damaged_state_is_no_state(tmp_path: Path, damage: bytes) -> None:
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.save(STATE)
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(content[:-5] if damage == b"cut" else damage)
    assert checkpoint.load() is None


def test_a_state_of_another_version_is_no_state(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "key")
    checkpoint.save(STATE)
    content = checkpoint.path.read_bytes()
    assert content.count(b'version\\":1') == 1
    checkpoint.path.write_bytes(content.replace(b'version\\":1', b'version\\":2'))
    assert checkpoint.load() is None


def test_a_run_that_ended_leaves_nothing_and_few_others(tmp_path: Path) -> None:
    for number in range(7):
        Checkpoint(tmp_path, f"old{number}").save(STATE)
    (tmp_path / f".x.{module.__name__}.tmp").touch()
    mine = Checkpoint(tmp_path, "mine")
    mine.save(STATE)
    mine.discard()
    assert mine.load() is None
    assert len(list(tmp_path.glob("*.safetensors"))) == module.KEPT
    mine.discard()  # twice is fine


def test_the_key_tells_runs_apart_and_knows_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"a": "1", "b": "2"}
    assert run_key(parts) == run_key(dict(reversed(parts.items())))
    assert len({run_key(parts), run_key({"a": "12", "b": ""}), run_key({"a": "1", "b": "3"}), run_key({})}) == 4
    before = run_key(parts)
    monkeypatch.setattr(module, "__file__", __file__)
    assert run_key(parts) == before  # of this process
    module._sources.cache_clear()
    assert run_key(parts) != before
    module._sources.cache_clear()


def test_a_state_that_cannot_be_read_now_is_not_taken_for_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = Checkpoint(tmp_path, "0" * 64)
    assert checkpoint.load() is None
    checkpoint.save(STATE)

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(module, "safe_open", refused)
    with pytest.raises(ResourceError, match="ulimit -n"):
        checkpoint.load()


def test_the_key_knows_code_that_is_imported_later() -> None:
    module._sources.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("numba_engine", "kernels", "search"):
            patch.delitem(sys.modules, f"ner_head.head.crf.{name}", raising=False)
        found = module._sources()
    module._sources.cache_clear()
    package = Path(head.__file__).parent
    assert {f"ner_head.head/{path.name}" for path in package.glob("*.py")} <= found.keys()
