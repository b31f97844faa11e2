"""Run a command and watch what it takes: CPU seconds, memory, and how much of a file it has read."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """A look at a running process.

    Attributes:
        cpu: CPU seconds so far.
        rss: memory in MB, the pages of mapped files included.
        most: the most memory so far.
        read: bytes that it has read of the watched file.
    """

    cpu: float
    rss: float
    read: int
    most: float = 0.0


@dataclass(frozen=True)
class Run:
    """What a command took.

    Attributes:
        cpu: CPU seconds.
        wall: seconds by the clock, which other programs on the machine lengthen.
        peak: most memory at once, in MB.
        code: exit code; negative for the signal that ended it.
        error: last line that it wrote on standard error.
        samples: looks at it, in order of time.
    """

    cpu: float
    wall: float
    peak: float
    code: int
    error: str
    samples: list[Sample] = field(default_factory=list)

    def parts(self, number: int = 4) -> list[tuple[float, float, float]]:
        """The time in which the watched file was read, in equal parts of its bytes.

        Returns:
            For each part: MB read until its end, bytes a CPU second in it, and the most memory in it in MB.
        """
        seen = [s for s in self.samples if s.read]
        if len(seen) <= number:
            return []
        found, last = [], seen[0]
        total = seen[-1].read - last.read
        for part in range(1, number + 1):
            until = seen[0].read + total * part // number
            inside = [s for s in seen if last.read < s.read <= until] or [last]
            end = inside[-1]
            found.append(
                (end.read / 1e6, (end.read - last.read) / max(end.cpu - last.cpu, 0.01), max(s.rss for s in inside))
            )
            last = end
        return found


def run(
    command: Sequence[str], *, watch: Path | None = None, every: float = 0.2, limit: float = 0, cwd: Path | None = None
) -> Run:
    """Run a command, whose standard output is dropped.

    Args:
        command: program and arguments; `python` is this Python.
        watch: file whose read position is sampled.
        every: seconds between two samples.
        limit: seconds after which it is ended; 0 for never.
        cwd: folder in which it runs.
    """
    program = [sys.executable if command[0] == "python" else command[0], *command[1:]]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    start, samples = time.perf_counter(), list[Sample]()
    with subprocess.Popen(
        program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=cwd
    ) as process:
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if sample := look(process.pid, watch):
                samples.append(sample)
            if limit and time.perf_counter() - start > limit:
                process.terminate()
            time.sleep(every)
        process.returncode = os.waitstatus_to_exitcode(status)
        lines = (process.stderr.read() if process.stderr else "").splitlines()
    wall = time.perf_counter() - start
    # not ru_maxrss, which counts the memory of this process before the command has replaced it
    peak = max((sample.most for sample in samples), default=0.0)
    return Run(usage.ru_utime + usage.ru_stime, wall, peak, process.returncode, lines[-1] if lines else "", samples)


def look(pid: int, watch: Path | None) -> Sample | None:
    """A look at a process; None if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        rss, most = (int(status.get(name, "0").split()[0]) / 1e3 for name in ("VmRSS", "VmHWM"))
        cpu = (int(fields[11]) + int(fields[12])) / TICKS
        return Sample(cpu, rss, position(pid, watch) if watch else 0, most)
    except OSError:
        return None


def position(pid: int, watch: Path) -> int:
    """How far a process has read a file that it has open; 0 if it has not."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if os.path.realpath(link) == str(watch.resolve()):
            info = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text()
            return int(next(line.split()[1] for line in info.splitlines() if line.startswith("pos")))
    return 0
