"""Faults in every stage: a full disk, folders that cannot be written, damaged inputs.

unshare --map-root-user --mount python -m benchmarks.reliability.faults FOLDER [--project PROJECT] [--flips 10]

`unshare` allows mounting a small tmpfs. PROJECT is a small project after `dvc repro`; without it one is made. A stage
has to end in the right files, or in one clear line and a documented exit code, and after the fault is mended the same
stage has to end in the right files, with nothing else beside them.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from benchmarks.reliability.in_process import Outcome, give_up_override, run_stage, shape_of
from benchmarks.reliability.small_project import ENCODER, ROOT, copy, differences, make, repro, tree
from benchmarks.report import write_results
from ner_head.base import files

PAGE = 4096  # bytes, of a tmpfs
NEEDED = ("params.yaml", "dvc.yaml", "data", "models", "reports", "encoders", ".dvc/plots")  # by the stages themselves
OUTPUTS = ("data", "models", "reports")


@cache
def pipeline() -> dict[str, dict[str, list[str]]]:
    """Data that each stage reads (`deps`) and writes (`outs`), in the order of the pipeline."""
    found: dict[str, dict[str, list[str]]] = {}
    stages = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name, stage in stages.items():
        outs = [*stage["outs"], *stage.get("metrics", ())]
        found[name] = {
            "deps": [dep for dep in stage["deps"] if dep.startswith(OUTPUTS)],
            "outs": [next(iter(out)) if isinstance(out, dict) else out for out in outs],
        }
    return found


def sources(project: Path, folder: Path) -> Path:
    """A copy of what the stages of a project read and write, without DVC and code."""
    for name in NEEDED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy(project / name, folder / name)
    return folder


def remove_outs(project: Path, stage: str) -> None:
    """Remove the outputs of a stage, as DVC does before it runs."""
    for out in pipeline()[stage]["outs"]:
        path = project / out
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, source: Path) -> Iterator[Callable[[int], None]]:
    """A tmpfs with a copy of a project; yields a function that sets how many bytes are free."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(folder)], check=True)
    try:
        sources(source, folder)

        def leave(free: int) -> None:
            subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)
            size = shutil.disk_usage(folder).used + free
            subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)

        yield leave
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


def no_reserve() -> None:
    """Let `extract` start on a disk where it does not keep its reserve."""
    files.SPARE_BYTES = -(1 << 40)


class Tally:
    """Outcomes of a fault in a stage."""

    def __init__(self, fault: str, stage: str) -> None:
        self.fault, self.stage = fault, stage
        self.right, self.lines, self.bad = 0, Counter[str](), list[str]()

    def add(self, outcome: Outcome, wrong: list[str]) -> None:
        """Count an outcome. `wrong` are the files that differ from the right ones, if it ended well."""
        if not outcome.is_clear:
            self.bad.append(f"exit {outcome.exit}: {outcome.stderr[-1500:]}")
        elif outcome.exit:
            self.lines[f"exit {outcome.exit}: {shape_of(outcome.error)}"] += 1
        elif wrong:
            self.bad.append(f"exit 0, but {'; '.join(wrong)}")
        else:
            self.right += 1

    def record(self) -> dict[str, object]:
        """The figures; also printed."""
        print(f"{self.fault} | {self.stage} | {self.right} right, {self.lines.total()} lines, {len(self.bad)} bad")
        for line, count in self.lines.most_common():
            print(f"    {count} x {line}")
        for line in self.bad:
            print(f"    BAD {line}")
        sys.stdout.flush()
        return {
            "fault": self.fault,
            "stage": self.stage,
            "right": self.right,
            "clear": dict(self.lines),
            "bad": self.bad,
        }


def compare(project: Path, source: Path) -> list[str]:
    """Differences of the data, models and reports of two projects."""
    found, expected = (
        {name: digest for name, digest in tree(p).items() if name.startswith(OUTPUTS)} for p in (project, source)
    )
    return differences(found, expected)


def disk_full(source: Path, folder: Path, stage: str) -> dict[str, object]:
    """A disk with room for a part of the outputs, more each time, until the stage ends well."""
    tally = Tally("disk full", stage)
    with small_disk(folder / f"full-{stage}", source) as leave:
        project, pages, ended = folder / f"full-{stage}", 0, False
        while not ended:
            remove_outs(project, stage)
            if stage == "extract":
                shutil.rmtree(project / "data/pool")
            leave(pages * PAGE)
            outcome = run_stage(project, stage, before=no_reserve)
            ended = not outcome.exit
            tally.add(outcome, compare(project, source) if ended else [])
            pages = 2 * pages or 1
        if litter := [str(path) for path in project.rglob(".*.tmp")]:
            tally.bad.append(f"left: {litter}")
    return tally.record()


def read_only(source: Path, folder: Path, stage: str) -> dict[str, object]:
    """Each folder that the stage writes to, without permission to write; then with it."""
    tally = Tally("read-only folder", stage)
    project = sources(source, folder / f"closed-{stage}")
    places = {str(Path(out).parent) for out in pipeline()[stage]["outs"]}
    places |= {"extract": {"data/pool"}, "train": {"data/training"}}.get(stage, set())
    for place in sorted(places):
        remove_outs(project, stage)
        if stage == "extract":
            shutil.rmtree(project / "data/pool", ignore_errors=True)
        (project / place).mkdir(parents=True, exist_ok=True)
        (project / place).chmod(0o555)
        tally.add(run_stage(project, stage, before=give_up_override), ["it wrote to a closed folder"])
        (project / place).chmod(0o755)
    remove_outs(project, stage)
    tally.add(run_stage(project, stage), compare(project, source))
    shutil.rmtree(project)
    return tally.record()


def damaged(source: Path, folder: Path, stage: str, flips: int, seed: int) -> dict[str, object]:
    """Flip one bit of an input, and run the stage. What it does not notice is counted by file."""
    tally, rng, unnoticed = Tally("flipped bit", stage), random.Random(f"{seed} {stage}"), Counter[str]()
    project = sources(source, folder / f"flipped-{stage}")
    inputs = [path for dep in pipeline()[stage]["deps"] for path in each_file(project / dep)]
    for path in inputs:
        content = path.read_bytes()
        for _ in range(min(flips, 8 * len(content))):
            place, bit = rng.randrange(len(content)), rng.randrange(8)
            broken = bytearray(content)
            broken[place] ^= 1 << bit
            replace(path, bytes(broken))
            remove_outs(project, stage)
            outcome = run_stage(project, stage)
            replace(path, content)
            if not outcome.exit and compare(project, source):
                unnoticed[str(path.relative_to(project))] += 1
            else:
                tally.add(outcome, [])
    shutil.rmtree(project)
    return {**tally.record(), "unnoticed": dict(unnoticed)}


def each_file(path: Path) -> list[Path]:
    """A file, or the files in a folder."""
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def replace(path: Path, content: bytes) -> None:
    """Write a new file; other hard links of the old one stay as they are."""
    path.unlink()
    path.write_bytes(content)


def main() -> None:
    """Run all faults; exit code 1 if one ended badly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--project", type=Path)
    parser.add_argument("--flips", type=int, default=10, help="of each input file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", default="full,read-only,flips")
    parser.add_argument("--stages", default=",".join(pipeline()))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if (source := options.project) is None:
        source = make(options.folder / "project")
        repro(source).check_returncode()
    assert (source / ENCODER).is_dir()
    records = []
    for stage in options.stages.split(","):
        if "full" in options.faults:
            records.append(disk_full(source, options.folder, stage))
        if "read-only" in options.faults:
            records.append(read_only(source, options.folder, stage))
        if "flips" in options.faults:
            records.append(damaged(source, options.folder, stage, options.flips, options.seed))
    write_results("faults", {"seed": options.seed, "faults": records}, ("torch", "dvc"))
    sys.exit(any(record["bad"] for record in records))


if __name__ == "__main__":
    main()
