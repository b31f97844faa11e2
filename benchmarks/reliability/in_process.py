"""Run a stage in a fork of this process, which has imported it: a fault costs a second instead of five."""

from __future__ import annotations

import ctypes
import os
import re
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import stages

CODES = {0, 2, 3, 4}
"""Documented exit codes: fine, usage, bad data, resources."""
CAPABILITIES, OVERRIDE = 0x20080522, 0b110  # _LINUX_CAPABILITY_VERSION_3; CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class Outcome(NamedTuple):
    """How a stage ended."""

    exit: int
    stderr: str

    @property
    def error(self) -> str:
        """The line that says why it failed; empty if it did not."""
        return next((line for line in self.stderr.splitlines() if line.startswith("error: ")), "")

    @property
    def is_clear(self) -> bool:
        """Whether the exit code is documented, and an error is the last line, and there is no traceback."""
        lines = self.stderr.splitlines()
        said = not self.exit or (bool(lines) and lines[-1] == self.error and self.stderr.count("error: ") == 1)
        return self.exit in CODES and said and "Traceback" not in self.stderr


def run_stage(project: Path, stage: str, *, before: Callable[[], None] | None = None) -> Outcome:
    """Run a stage of a project, after `before` in its process."""
    log = project.parent / f"{project.name}.{stage}.log"
    module = import_module(f"stages.{stage}")
    pid = os.fork()
    if not pid:
        _run(project, log, module.main, before)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    said = log.read_text(encoding="utf-8", errors="replace")
    log.unlink()
    return Outcome(code, said)


def _run(project: Path, log: Path, main: Callable[[], None], before: Callable[[], None] | None) -> None:
    """The child's part; it does not return."""
    code = 99
    try:
        with log.open("wb") as handle:
            os.dup2(handle.fileno(), 1)
            os.dup2(handle.fileno(), 2)
        sys.stdout = sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        os.chdir(project)
        if before:
            before()
        stages.run(main)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def give_up_override() -> None:
    """Make the permissions of files count for root too: give up CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = (ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    if libc.capget(header, data):
        raise OSError(ctypes.get_errno(), "capget")
    data[0] &= ~OVERRIDE
    if libc.capset(header, data):
        raise OSError(ctypes.get_errno(), "capset")


def shape_of(message: str) -> str:
    """A message without its numbers, names of temporary files and digests, so that equal ones are counted together."""
    return re.sub(r"[0-9a-f]{12,}|\d[\d,.]*", "N", message)
