"""Run a command of `ner-head` or a stage in this process, as its `main` would, and judge how it ended."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from unittest import mock

from ner_head.base import entry

LIMIT_SECONDS = 20.0  # of the processor, for one input
LIMIT_BYTES = 2 << 30
CODES = (0, 2, 3, 4)
LONGEST = 3000  # characters of an error message
TERMINAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")
"""Control characters that a message must not bring to a terminal."""


class Hang(BaseException):
    """An input took longer than the limit."""


@dataclass(frozen=True)
class Outcome:
    """How an input ended.

    Attributes:
        code: exit code; the status divided by 100 for an answer of the server.
        err: standard error.
        out: standard output, or the answer.
        seconds: of the processor.
        grown: bytes by which the peak of resident memory exceeded that before.
        finding: what is wrong; "" if nothing is.
    """

    code: int
    err: str
    out: str
    seconds: float
    grown: int
    finding: str = ""


def run(main: Callable[[], None], arguments: list[str], *, name: str = "ner-head") -> Outcome:
    """Run a program with arguments. Nothing that it does ends this process, except a crash."""
    out, err = io.BytesIO(), io.BytesIO()
    streams = {"stdout": io.TextIOWrapper(out, "utf-8"), "stderr": io.TextIOWrapper(err, "utf-8")}
    code, problem, begun = 0, "", time.process_time()
    before = reset_peak()
    with mock.patch.multiple(sys, argv=["ner-head", *arguments], stdin=io.TextIOWrapper(io.BytesIO()), **streams):
        try:
            kept = mock.patch.object(warnings, "formatwarning", warnings.formatwarning)  # the program sets its own
            with alarm(LIMIT_SECONDS), warnings.catch_warnings(), kept:
                entry.run(main, name=name)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        except Hang:
            problem = f"more than {LIMIT_SECONDS:.0f} s"
        except BaseException as error:
            problem = f"leaves the program: {type(error).__name__}: {error}"
        for stream in streams.values():
            with suppress(ValueError):
                stream.flush()
    grown = max(0, peak() - before)
    text = err.getvalue().decode("utf-8", "replace")
    shown = out.getvalue().decode("utf-8", "replace")
    problem = problem or judge(code, text, grown)
    return Outcome(code, text, shown, time.process_time() - begun, grown, problem)


def judge(code: int, err: str, grown: int) -> str:
    """What is wrong with an exit code, standard error and memory; "" if nothing is."""
    if "Traceback (most recent call last)" in err:
        return "a traceback"
    if code not in CODES:
        return f"exit code {code}"
    if grown > LIMIT_BYTES:
        return f"{grown / 1e9:.1f} GB of memory"
    if code and not err.strip():
        return "no message"
    if TERMINAL.search(err):
        return "control characters in the message"
    if any(len(line) > LONGEST for line in err.splitlines()):
        return "a message of thousands of characters"
    if code and not said_clearly(err):
        return "more than one line"
    return ""


def said_clearly(err: str) -> bool:
    """Whether the error is one line after notes, one line for each place, or typer's message about usage."""
    lines = [line for line in err.splitlines() if line.strip()]
    if lines[0].startswith(("Usage:", "Error:")):
        return lines[-1].startswith("Error:")
    starts = [n for n, line in enumerate(lines) if re.match(r"(ner-head|error): (?!warning|skipped)", line)]
    return bool(starts) and all(re.match(r"\S.*:\d+: ", line) for line in lines[starts[-1] + 1 :])


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise `Hang` after some seconds."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def reset_peak() -> int:
    """Begin a new peak of resident memory, on Linux. Returns the peak from now on, in bytes."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


def peak() -> int:
    """Peak of resident memory in bytes; 0 where the system does not tell."""
    with suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Run in a folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
