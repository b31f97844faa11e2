"""SIGKILL of `dvc repro` and all its processes at random moments; then outputs, caches and leftovers are compared.

python -m benchmarks.reliability.kills FOLDER [--chains 20] [--kills 5] [--seed 0]

A chain is a fresh copy of a small project that is killed several times, each time in the next `dvc repro`, and then
runs once to its end. Each kill aims at a stage and at a moment, both drawn at random: half of the moments anywhere
between the start of the stage and the start of the next one, half in the last third, where outputs are written and
moved into DVC's cache. Moments are counted in CPU time, so that other load on the machine does not shift them. After
the chain every file of the project has to be as after an undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from benchmarks.reliability.small_project import copy, differences, environment, make, repro, stages_run, tree
from benchmarks.report import write_results

LAST = 2 / 3  # start of the last third of a stage
TICK = os.sysconf("SC_CLK_TCK")
POLL = 0.005  # seconds


class Hit(NamedTuple):
    """Where a kill hit: `where` is `program`, or `dvc` if the program of the stage did not run at that moment."""

    stage: str
    where: str


@dataclass
class Chain:
    """What a chain of kills did and left."""

    number: int
    hits: list[Hit] = field(default_factory=list)
    helped: list[str] = field(default_factory=list)
    exit: int = 0
    differences: list[str] = field(default_factory=list)
    left_by_dvc: list[str] = field(default_factory=list)


class Undisturbed:
    """A project whose pipeline ran to its end, and how much CPU time each stage took."""

    def __init__(self, folder: Path) -> None:
        self.start = folder / "start"
        if not self.start.exists():
            make(self.start)
            first = copy(self.start, folder / "first")  # compiles: its times are not those of the others
            repro(first)
            for name in ("ner_head", "stages"):
                shutil.rmtree(self.start / name)
                copy(first / name, self.start / name)
            shutil.rmtree(first)
        self.project = folder / "undisturbed"
        shutil.rmtree(self.project, ignore_errors=True)
        copy(self.start, self.project)
        self.seconds = self._run()
        self.tree = tree(self.project)
        self.temporary = temporary_files(self.project)

    def _run(self) -> dict[str, float]:
        """Run the pipeline; CPU seconds of each stage, until the next one starts."""
        starts, last = list[tuple[str, float]](), 0.0
        run = Repro(self.project, self.project.with_suffix(".log"))
        while run.is_on():
            last = run.cpu() or last
            starts += [(name, last) for name in run.stages()[len(starts) :]]
        assert run.process.returncode == 0
        return {name: after - at for (name, at), (_, after) in pairwise([*starts, ("", last)])}


class Repro:
    """A running `dvc repro`, a process group of its own."""

    def __init__(self, project: Path, log: Path) -> None:
        self.log = log
        with log.open("wb") as handle:
            self.process = subprocess.Popen(
                ["dvc", "repro"],
                cwd=project,
                env=environment(PYTHONUNBUFFERED="1"),
                stdout=handle,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def is_on(self) -> bool:
        """Whether it still runs, after a short pause."""
        time.sleep(POLL)
        return self.process.poll() is None

    def said(self) -> str:
        """All output so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stages(self) -> list[str]:
        """The stages that started."""
        return stages_run(self.said())

    def cpu(self) -> float:
        """CPU seconds so far, of all its processes."""
        return sum(sum(map(int, stat[11:15])) for stat, _ in self.processes()) / TICK

    def processes(self) -> list[tuple[list[str], bytes]]:
        """Fields of /proc/PID/stat after the name, and the command line, of each process."""
        found, todo = [], [self.process.pid]
        while todo:
            folder = Path(f"/proc/{todo.pop()}")
            try:
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                found.append((stat, (folder / "cmdline").read_bytes()))
                todo += [
                    int(pid) for task in (folder / "task").iterdir() for pid in (task / "children").read_text().split()
                ]
            except OSError:
                continue  # it has just ended
        return found

    def kill(self) -> Hit:
        """Kill all its processes."""
        hit = "program" if any(b"stages." in command for _, command in self.processes()) else "dvc"
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        return Hit((self.stages() or ["start"])[-1], hit)


def temporary_files(project: Path) -> set[str]:
    """Files of DVC's own temporary folder."""
    folder = project / ".dvc/tmp"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def kill_once(project: Path, stage: str, seconds: float, log: Path) -> Hit | int:
    """Run `dvc repro` and kill it some CPU seconds after the start of a stage; its exit code if it ended before."""
    run, start = Repro(project, log), None
    while run.is_on():
        if start is None and stage in run.stages():
            start = run.cpu()
        if start is not None and run.cpu() - start >= seconds:
            return run.kill()
    return int(run.process.returncode)


def help_dvc(project: Path, said: str) -> str:
    """Remove the file that DVC wrote in part and cannot read, as docs/reliability.md tells users; DVC's message."""
    if "Unable to read RWLock-file" in said:
        (project / ".dvc/tmp/rwlock").unlink()
    elif "dvc.lock" in said:
        (project / "dvc.lock").unlink()
    return " ".join(said.split())[-300:]


def run_chain(number: int, n_kills: int, seed: int, undisturbed: Undisturbed, folder: Path) -> Chain:
    """Kill a fresh project several times, run it to its end, and compare."""
    rng = random.Random(f"{seed} {number}")
    names = list(undisturbed.seconds)
    # every stage is aimed at in turn; within a chain in the order of the pipeline, so that few stages run twice
    aims = sorted((number * n_kills + i) % len(names) for i in range(n_kills))
    project, log = copy(undisturbed.start, folder / f"chain-{number}"), folder / f"chain-{number}.log"
    result = Chain(number)
    for at in aims:
        share = rng.random() if rng.random() < 0.5 else rng.uniform(LAST, 1.0)
        for _ in range(2):
            ended = kill_once(project, names[at], share * undisturbed.seconds[names[at]], log)
            if isinstance(ended, Hit):
                result.hits.append(ended)
            elif ended:
                result.helped.append(help_dvc(project, log.read_text(encoding="utf-8", errors="replace")))
                continue
            break  # killed, or the moment was after the end
    done = repro(project)
    if done.returncode and (said := help_dvc(project, done.stderr)):
        result.helped.append(said)
        done = repro(project)
    result.exit = done.returncode
    result.differences = differences(tree(project), undisturbed.tree)
    result.left_by_dvc = sorted(temporary_files(project) - undisturbed.temporary)
    if not result.exit and not result.differences:
        shutil.rmtree(project)
        log.unlink()
    return result


def main() -> None:
    """Run the chains; a table of kills by stage. Exit code 1 if a chain ended with other files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder for the projects")
    parser.add_argument("--chains", type=int, default=20)
    parser.add_argument("--kills", type=int, default=5, help="of each chain")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    undisturbed = Undisturbed(options.folder)
    chains = list[Chain]()
    for number in range(options.chains):
        chains.append(run_chain(number, options.kills, options.seed, undisturbed, options.folder))
        print(json.dumps(asdict(chains[-1]), ensure_ascii=False), flush=True)
    kills = Counter(hit for chain in chains for hit in chain.hits)
    stages = ["start", *undisturbed.seconds]
    figures = {
        "seed": options.seed,
        "kills": kills.total(),
        "by_stage": {stage: {where: kills[Hit(stage, where)] for where in ("program", "dvc")} for stage in stages},
        "chains": len(chains),
        "chains_that_differ": sum(bool(chain.exit or chain.differences) for chain in chains),
        "helped": [said for chain in chains for said in chain.helped],
        "left_by_dvc": sorted({name for chain in chains for name in chain.left_by_dvc}),
    }
    print(json.dumps(figures, indent=1, ensure_ascii=False))
    write_results("kills", figures, ("torch", "dvc"))
    sys.exit(bool(figures["chains_that_differ"]))


if __name__ == "__main__":
    main()
