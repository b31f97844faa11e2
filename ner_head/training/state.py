"""Checkpoints of training runs: a resumed run ends with the same weights as an uninterrupted one.

A checkpoint is one safetensors file with a JSON record in its header. Its name is a digest of everything that decides
the result of the run, so a run with other data, params or code does not find it. Checkpoints are not DVC outputs,
because DVC deletes the outputs of a stage before it runs.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ner_head.base.errors import system_error
from ner_head.base.files import remove_leftovers, write_whole
from ner_head.base.params import Params

RECORD = "ner-head training"
KEPT = 4  # checkpoints of interrupted runs


class Epoch(Params):
    """One epoch of the learning curve."""

    epoch: int
    loss: float
    dev_f1: float
    seconds: float


class RunRecord(Params):
    """The learning curve of a run so far."""

    version: Literal[1] = 1
    curve: list[Epoch] = Field(min_length=1)
    best: Epoch


@dataclass(frozen=True)
class RunState:
    """A record, and tensors: last weights (`last.*`), best weights (`best.*`), optimizer moments (`optimizer.*`)."""

    record: RunRecord
    tensors: dict[str, Tensor]

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors named `NAME.*`, by their names without this prefix."""
        start = f"{name}."
        return {key.removeprefix(start): tensor for key, tensor in self.tensors.items() if key.startswith(start)}


def run_key(parts: Mapping[str, str]) -> str:
    """The key of a run: a digest of `parts` and of the project's code."""
    digest = hashlib.sha256()
    for name, value in sorted({**parts, **_sources()}.items()):
        digest.update(f"{len(name)} {name} {len(value)} {value}\n".encode())
    return digest.hexdigest()


@cache
def _sources() -> dict[str, str]:
    """Digests of source files by package and file, computed once, so that later imports do not change the key.

    All files of a package with a loaded module are included, because the CRF's kernels are imported lazily.
    """
    loaded = [
        (name if hasattr(module, "__path__") else name.rpartition(".")[0], Path(module.__file__))
        for name, module in sys.modules.items()
        if name.split(".")[0] in ("ner_head", "stages") and module.__file__
    ]
    files = {(package, path) for package, file in loaded for path in (file, *file.parent.glob("*.py"))}
    return {f"{package}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for package, path in sorted(files)}


class Checkpoint:
    """The checkpoint of one run, in a folder of checkpoints."""

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"{key}.safetensors"

    def save(self, state: RunState) -> None:
        """Write a state, replacing the previous one atomically.

        Raises:
            ResourceError: The disk is full or not writable.
        """
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        write_whole(self.path, save(tensors, {RECORD: state.record.model_dump_json()}))

    def load(self) -> RunState | None:
        """Read the last state; None if there is none or it is damaged.

        Raises:
            NerHeadError: The file exists, but reading it failed. A new run would overwrite it.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                record = RunRecord.model_validate_json((file.metadata() or {}).get(RECORD, ""))
                return RunState(record, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
        except (SafetensorError, ValidationError):
            return None
        except OSError as error:
            raise system_error(error, self.path) from None

    def discard(self) -> None:
        """Remove the checkpoint of a finished run, and old checkpoints of interrupted runs."""
        self.path.unlink(missing_ok=True)
        remove_leftovers(self.path.parent)
        states = sorted(self.path.parent.glob("*.safetensors"), key=lambda path: path.stat().st_mtime)
        for path in states[:-KEPT]:
            path.unlink(missing_ok=True)
