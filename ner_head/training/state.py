"""A training run on disk: enough to go on after the last finished epoch as if nothing had happened.

One safetensors file, its record as JSON in the header, named by what decides the run's result: other data, params or
code find nothing. It lies outside of what DVC tracks, because DVC deletes a stage's outputs before it runs.
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
KEPT = 4  # states of runs that did not end


class Epoch(Params):
    """One line of the learning curve."""

    epoch: int
    loss: float
    dev_f1: float
    seconds: float


class RunRecord(Params):
    """Where a run is."""

    version: Literal[1] = 1
    curve: list[Epoch] = Field(min_length=1)
    best: Epoch


@dataclass(frozen=True)
class RunState:
    """A record and its tensors: weights (`last.*`), the best epoch's (`best.*`), the optimizer's."""

    record: RunRecord
    tensors: dict[str, Tensor]

    def part(self, name: str) -> dict[str, Tensor]:
        """The tensors named `NAME.*`, without that."""
        start = f"{name}."
        return {key.removeprefix(start): tensor for key, tensor in self.tensors.items() if key.startswith(start)}


def run_key(parts: Mapping[str, str]) -> str:
    """A name for a run: everything that decides its result, the project's own code included."""
    digest = hashlib.sha256()
    for name, value in sorted({**parts, **_sources()}.items()):
        digest.update(f"{len(name)} {name} {len(value)} {value}\n".encode())
    return digest.hexdigest()


@cache
def _sources() -> dict[str, str]:
    """Digests by package and file, once: what training imports on its way does not make another run of it.

    Packages of which a module is loaded count as a whole: the CRF's kernels are imported when they are first needed.
    """
    loaded = [
        (name if hasattr(module, "__path__") else name.rpartition(".")[0], Path(module.__file__))
        for name, module in sys.modules.items()
        if name.split(".")[0] in ("ner_head", "stages") and module.__file__
    ]
    files = {(package, path) for package, file in loaded for path in (file, *file.parent.glob("*.py"))}
    return {f"{package}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for package, path in sorted(files)}


class Checkpoint:
    """The state of one run, in a folder of such."""

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"{key}.safetensors"

    def save(self, state: RunState) -> None:
        """Write it whole; the one before stays until then.

        Raises:
            ResourceError: the disk is full or not writable.
        """
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
        write_whole(self.path, save(tensors, {RECORD: state.record.model_dump_json()}))

    def load(self) -> RunState | None:
        """What was saved last; None where nothing was, or it is damaged.

        Raises:
            NerHeadError: the system cannot read it now; a run that starts anew would overwrite it.
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
        """The run has ended: remove its state, and those of all but the last few that did not."""
        self.path.unlink(missing_ok=True)
        remove_leftovers(self.path.parent)
        states = sorted(self.path.parent.glob("*.safetensors"), key=lambda path: path.stat().st_mtime)
        for path in states[:-KEPT]:
            path.unlink(missing_ok=True)
