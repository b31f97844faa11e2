"""Try damaged inputs: `python -m tests.fuzz --inputs 50000 --out FOLDER`. `--replay FOLDER/NAME` repeats a finding.

Input number N of a target depends on the seed, the target and N only. Inputs run in child processes, so that a crash or
a hang of a library ends one child. The memory of a child is limited.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.fuzz import world
from tests.fuzz.door import LIMIT_BYTES, LIMIT_SECONDS, Outcome, inside
from tests.fuzz.targets import ATTEMPTS, TARGETS

BATCH = 200  # inputs of a child process
SPARE_SECONDS = 160.0  # until a child that ignores its alarm, or sleeps, is killed


def attempt(target: str, number: int, seed: int, sound: Path) -> tuple[Outcome, str]:
    """Try one input in a new folder, which is removed."""
    rng = Random(f"{seed} {target} {number}")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch, inside(Path(scratch)):
        return ATTEMPTS[target][0](sound, Path(scratch), rng)


def plan(inputs: int, only: list[str]) -> list[tuple[str, int]]:
    """How many inputs each target gets."""
    weights = {name: weight for name, (_, weight) in ATTEMPTS.items() if not only or name in only}
    total = sum(weights.values())
    return [(name, max(1, round(inputs * weight / total))) for name, weight in weights.items()]


def child(pipe: int, target: str, numbers: range, seed: int, sound: Path) -> None:
    """Try inputs, and write a line before and after each."""
    soft = LIMIT_BYTES + data_bytes()
    resource.setrlimit(resource.RLIMIT_DATA, (2 * soft, 2 * soft))
    with os.fdopen(pipe, "w") as report:
        for number in numbers:
            print(json.dumps({"begun": number}), file=report, flush=True)
            outcome, done = attempt(target, number, seed, sound)
            record = {"number": number, "done": done, **asdict(outcome)}
            record["out"], record["err"] = outcome.out[:2000], outcome.err[:5000]
            print(json.dumps(record), file=report, flush=True)


def data_bytes() -> int:
    """Bytes of data of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    return pages * os.sysconf("SC_PAGE_SIZE")


def fork(target: str, numbers: range, seed: int, sound: Path) -> list[dict[str, Any]]:
    """Try inputs in a child. An input that ends the child is a finding, and the inputs after it are left out."""
    read, written = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        try:
            child(written, target, numbers, seed, sound)
        finally:
            os._exit(0)
    os.close(written)
    found, last = list[dict[str, Any]](), time.monotonic()
    signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    with os.fdopen(read) as report:
        signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS + SPARE_SECONDS)
        begun = numbers.start
        for line in report:
            signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS + SPARE_SECONDS)
            record = json.loads(line)
            if "begun" in record:
                begun, last = record["begun"], time.monotonic()
            else:
                found.append(record)
    signal.setitimer(signal.ITIMER_REAL, 0)
    _, status = os.waitpid(pid, 0)
    if len(found) < len(numbers) and (not found or found[-1]["number"] != begun):
        how = f"the process ended with {os.waitstatus_to_exitcode(status)}"
        found.append({"number": begun, "done": "", "code": -1, "err": "", "seconds": time.monotonic() - last,
                      "grown": 0, "finding": how})  # fmt: skip
    return found


def try_target(target: str, n_inputs: int, seed: int, sound: Path, out: Path) -> Counter[str]:
    """Try all inputs of a target. Findings are written to a folder each."""
    counts, number = Counter[str](), 0
    if target in TARGETS and not TARGETS[target].threads:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
            for line, outcome in TARGETS[target].warm_up(sound, Path(scratch)):
                sys.exit(f"{target}: fails without damage: {line}: {outcome}")
    while number < n_inputs:
        for record in fork(target, range(number, min(n_inputs, number + BATCH)), seed, sound):
            number = record["number"] + 1
            counts["inputs"] += 1
            counts["seconds"] += record["seconds"]
            counts["slowest"] = max(counts["slowest"], record["seconds"])
            counts["grown"] = max(counts["grown"], record["grown"])
            if record["finding"]:
                counts["findings"] += 1
                save(record, target, seed, out)
            else:
                counts[str(record["code"])] += 1
            if record["code"] == 4:
                save(record, target, seed, out / "resources")
    return counts


def save(record: dict[str, Any], target: str, seed: int, out: Path) -> None:
    """Write a finding, with the command that repeats it."""
    folder = out / f"{target.replace(' ', '-').replace(',', '')}-{record['number']}"
    folder.mkdir(parents=True, exist_ok=True)
    again = f"python -m tests.fuzz --seed {seed} --replay {json.dumps(target)} {record['number']}"
    (folder / "finding.json").write_text(json.dumps({"again": again, **record}, indent=1))


def table(counts: dict[str, Counter[str]]) -> str:
    """The table of docs/reliability.md."""
    columns = ["inputs", "ok", "usage(2)", "data(3)", "resources(4)", "findings", "mean,ms", "slowest,s", "memory,MB"]
    rows = [f"| target | {' | '.join(columns)} |", f"|---{'|---:' * len(columns)}|"]
    total = sum(counts.values(), Counter[str]())
    for name, each in [*counts.items(), ("all", total)]:
        codes = {int(key): value for key, value in each.items() if key.lstrip("-").isdigit()}
        ok = sum(value for code, value in codes.items() if code == 0 or 100 <= code < 400)
        data = codes.get(3, 0) + sum(value for code, value in codes.items() if code >= 400)
        slowest = max((found["slowest"] for found in counts.values()), default=0) if name == "all" else each["slowest"]
        grown = max((found["grown"] for found in counts.values()), default=0) if name == "all" else each["grown"]
        cells = [each["inputs"], ok, codes.get(2, 0), data, codes.get(4, 0), each["findings"]]
        shown = " | ".join(f"{cell:,}" for cell in cells)
        mean = 1000 * each["seconds"] / max(1, each["inputs"])
        rows.append(f"| {name} | {shown} | {mean:.0f} | {slowest:.1f} | {grown / 1e6:,.0f} |")
    return "\n".join(rows)


def main() -> None:
    """Run the fuzzer."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", action="append", default=[], choices=list(ATTEMPTS))
    parser.add_argument("--out", type=Path, default=Path("reports/fuzz"), help="folder of the findings")
    parser.add_argument("--replay", nargs=2, metavar=("TARGET", "NUMBER"))
    options = parser.parse_args()
    sound = options.out.absolute() / "sound"
    if not sound.is_dir():
        world.build(sound)
    if options.replay:
        outcome, done = attempt(options.replay[0], int(options.replay[1]), options.seed, sound)
        print(done, outcome, sep="\n")
        sys.exit(bool(outcome.finding))
    counts = dict[str, Counter[str]]()
    print(table({}).splitlines()[0], file=sys.stderr)
    for name, n_inputs in plan(options.inputs, options.target):
        counts[name] = try_target(name, n_inputs, options.seed, sound, options.out)
        print(table({name: counts[name]}).splitlines()[2], file=sys.stderr, flush=True)
    print(table(counts))
    shutil.rmtree(sound)
    sys.exit(any(each["findings"] for each in counts.values()))


if __name__ == "__main__":
    main()
