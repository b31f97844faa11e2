"""Spans of a wanted precision, by the thresholds that were found on dev."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from ner_head.base.errors import DataError, UsageError
from ner_head.evaluation.figures import NAME, find_figures, read_figures
from ner_head.evaluation.thresholds import least_of
from ner_head.prediction.choice import Choice


class Ordered(NamedTuple):
    """The spans that are kept, and a line for each label that does not reach the precision."""

    choice: Choice
    notes: list[str]


def order(model: Path, precision: float, labels: Collection[str] | None = None) -> Ordered:
    """The choice of spans that have a precision, by label. Labels that do not reach it are left out.

    Args:
        model: folder of a model.
        precision: the precision, above 0 and below 1.
        labels: labels that are kept; None for all.
    Raises:
        UsageError: the precision is out of its range.
        DataError: the model has no figures, or none of dev; or they are damaged or about another model.
    """
    if not 0 < precision < 1:
        raise UsageError(f"--precision: must be above 0 and below 1, got {precision:g}")
    path = find_figures(model)
    if path is None:
        raise DataError(f"{model}: has no {NAME}, with the thresholds for --precision; run `dvc repro evaluate`")
    found = read_figures(path, model).thresholds
    if not found:
        raise DataError(f"{path}: has no thresholds, because there were no dev documents; use --min-probability")
    wanted = {label: each for label, each in found.items() if labels is None or label in labels}
    least = least_of(wanted, precision)
    notes = [
        f"{label}: precision {precision:g} is not reached on dev, {each.highest:.2f} at most, so no {label} is kept"
        for label, each in wanted.items()
        if label not in least
    ]
    return Ordered(Choice(least_of=least, labels=frozenset(least)), notes)
