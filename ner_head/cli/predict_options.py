"""Parse and check the options of `predict`, before anything heavy is imported."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ner_head.base.errors import UsageError
from ner_head.prediction.choice import Choice, parts_of


class ModelFacts(NamedTuple):
    """The languages and labels of a model; empty if its manifest cannot be read, which loading the model reports."""

    languages: list[str]
    labels: list[str]


def read_facts(manifest: Path) -> ModelFacts:
    """Read the manifest of a model."""
    try:
        content = json.loads(manifest.read_bytes())
        return ModelFacts(list(map(str, content["languages"])), list(map(str, content["labels"])))
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ModelFacts([], [])


def parse_choice(min_probability: str, labels: str | None, precision: float | None = None) -> Choice:
    """The spans that are kept, as far as they do not depend on the model.

    Args:
        min_probability: `0.5`, `PER=0.8,ORG=0.9`, or both: `0.5,PER=0.8`.
        labels: `PER,LOC`; None for all.
        precision: the precision that is asked for, if any.
    Raises:
        UsageError: an option is malformed, or a precision is asked for beside smallest probabilities.
    """
    kept = None if labels is None else parts_of(labels)
    if kept == []:
        raise UsageError("--labels: no label in it; give them as PER,LOC")
    choice = Choice.parse(min_probability, kept, name="--min-probability")
    if precision is not None and (choice.least or choice.least_of):
        raise UsageError("--precision chooses the smallest probabilities; leave --min-probability out")
    return choice


def ordered_choice(folder: Path, precision: float | None, choice: Choice) -> Choice:
    """The spans of a precision. Labels that do not reach it are told on standard error, and left out.

    Args:
        folder: folder of the model.
        precision: the precision; None to keep the choice.
        choice: the labels that are kept.
    Raises:
        UsageError, DataError: as `prediction.precision.order`; or the model has no such label.
    """
    if precision is None:
        return choice

    from ner_head.cli.output import tell
    from ner_head.prediction.precision import order

    if facts := read_facts(folder / "manifest.json").labels:
        choice.check(facts)
    found = order(folder, precision, choice.labels)
    for note in found.notes:
        tell(f"ner-head: {note}")
    return found.choice


def check_name(option: str, name: str, known: Iterable[str]) -> None:
    """Check that the value of an option is one of some names.

    Raises:
        UsageError: it is not.
    """
    if name not in known:
        raise UsageError(f"{option} {name}: must be one of {', '.join(known)}")
