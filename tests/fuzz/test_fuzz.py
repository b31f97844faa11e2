"""A few hundred damaged inputs of every kind. `make fuzz` tries fifty thousand."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz import world
from tests.fuzz.__main__ import attempt
from tests.fuzz.door import judge, said_clearly
from tests.fuzz.mutate import damage
from tests.fuzz.targets import ATTEMPTS, TARGETS

SEED = 20


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return world.build(tmp_path_factory.mktemp("fuzz") / "sound")


def n_inputs(target: str) -> int:
    """Few of those that load an encoder."""
    return 150 if target == "server" else 5 if target.startswith("convert") else 2


@pytest.mark.parametrize("target", ATTEMPTS)
def test_damaged_input_ends_in_success_or_in_one_line(target: str, sound: Path) -> None:
    for number in range(n_inputs(target)):
        outcome, done = attempt(target, number, SEED, sound)
        assert outcome.finding == "", f"{done}: {outcome}"


@pytest.mark.parametrize("target", ["model", "feature store", "scored folders"])
def test_the_sound_files_are_accepted(target: str, sound: Path, tmp_path: Path) -> None:
    """A target that refuses sound files too would find nothing."""
    assert TARGETS[target].warm_up(sound, tmp_path) == []


@pytest.mark.parametrize(
    ("code", "err", "grown", "finding"),
    [
        (0, "", 0, ""),
        (3, "ner-head: a.txt: no text\n", 0, ""),
        (3, "ner-head: a.jsonl:1: no text\na.jsonl:2: no text\n", 0, ""),
        (3, "a note\nner-head: a.txt: no text\n", 0, ""),
        (2, "Usage: ner-head check\nTry ...\n\nError: No such option\n", 0, ""),
        (2, "Error: Option '--export' requires 2 arguments.\n", 0, ""),
        (70, "ner-head: unexpected: KeyError: 'x', please report, with a.log\n", 0, "exit code 70"),
        (1, "Traceback (most recent call last):\n", 0, "a traceback"),
        (3, "", 0, "no message"),
        (3, "ner-head: a\nb\n", 0, "more than one line"),
        (3, "something\n", 0, "more than one line"),
        (3, "ner-head: \x1b[31m\n", 0, "control characters in the message"),
        (3, f"ner-head: {'a' * 4000}\n", 0, "a message of thousands of characters"),
        (0, "", 3 << 30, "3.2 GB of memory"),
    ],
)
def test_what_counts_as_a_finding(code: int, err: str, grown: int, finding: str) -> None:
    assert judge(code, err, grown) == finding
    assert code == 0 or finding or said_clearly(err)


def test_the_same_seed_does_the_same_damage(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files = [tmp_path / name / f"{n}.json" for n in range(20)]
        for number, file in enumerate(files):
            file.write_text('{"a": [1, 2], "b": "text"}')
            damage(file, Random(f"0 {number}"))
        found.append([file.read_bytes() if file.is_file() else None for file in files])
    assert found[0] == found[1]
    assert len(set(found[0])) > 10
