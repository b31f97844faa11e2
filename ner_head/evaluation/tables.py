"""The scores of a run as Markdown tables, for `reports/results.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import regex

from ner_head.evaluation.figures import Order
from ner_head.evaluation.measures.slices import LEAST_DOCUMENTS, StrictScores
from ner_head.evaluation.measures.spans import Counts, Scores
from ner_head.evaluation.report import Metrics

_MARKUP = regex.compile(r"[\\`*<>\[\]|~]|(?<![^\W_])_|_(?![^\W_])")  # an underscore inside a word is not markup


def plain(name: str) -> str:
    """Escape the markup in the name of a label, language or topic."""
    return _MARKUP.sub(r"\\\g<0>", name)


def tables(split: str, taggers: Mapping[str, Metrics]) -> str:
    """All tables of a split: the strict scores of all taggers side by side, then the other scores of each tagger."""
    found = [strict_table(f"{split}, strict spans", taggers)]
    for tagger, scores in taggers.items():
        name = f"{split}, {tagger}"
        found.append(schema_table(name, scores))
        if "oracle" in scores:
            found.append(oracle_table(name, scores["oracle"]))
        if "calibration" in scores:
            found.append(calibration_table(name, scores["calibration"]))
    return "\n".join(found)


def strict_table(name: str, taggers: Mapping[str, Metrics]) -> str:
    """Strict span scores of several taggers side by side, followed by a line of other scores for each tagger.

    Args:
        name: Title of the table.
        taggers: Scores of the same documents, by name of the tagger.
    """
    columns = "".join(f" {tagger} precision | recall | F1 (95 %) |" for tagger in taggers)
    lines = [f"| {name} | gold spans |{columns}", "|---|---|" + "---|---|---|" * len(taggers)]
    found = [rows(scores["strict"]) for scores in taggers.values()]
    for place in sorted(set().union(*found)):
        cells = [scores.get(place, Counts().scores()) for scores in found]
        gold = max(cell["gold"] for cell in cells)
        numbers = "".join(f" {c['precision']:.3f} | {c['recall']:.3f} | {f1_cell(c)} |" for c in cells)
        lines.append(f"| {place[1]} | {gold} |{numbers}")
    lines += ["", *(f"- {tagger}: {below(scores)}" for tagger, scores in taggers.items())]
    lines += [
        f"- {tagger} above baseline: {_gain(scores['gain'])}" for tagger, scores in taggers.items() if "gain" in scores
    ]
    if any("f1_low" not in cell for scores in found for cell in scores.values()):
        lines.append(f"- no interval for fewer than {LEAST_DOCUMENTS} documents: too few to resample")
    return "\n".join(lines) + "\n"


def _gain(scores: Scores) -> str:
    interval = f" (95 %: {scores['f1_low']:+.3f} to {scores['f1_high']:+.3f})" if "f1_low" in scores else ""
    return f"{scores['f1']:+.3f} F1{interval}"


def f1_cell(scores: Scores) -> str:
    """F1, and its interval if there is one."""
    interval = f" ({scores['f1_low']:.3f}–{scores['f1_high']:.3f})" if "f1_low" in scores else ""
    return f"{scores['f1']:.3f}{interval}"


def rows(strict: StrictScores) -> dict[tuple[int, str], Scores]:
    """The rows of a strict table, by position and name: all, types, languages, topics if several, kinds of forms."""
    found = {(0, "**all (micro)**"): strict["micro"]}
    found |= {(1, plain(label)): scores for label, scores in strict["per_type"].items()}
    found |= {(2, f"language {plain(language)}"): scores for language, scores in strict["per_language"].items()}
    if len(strict["per_topic"]) > 1:
        found |= {(3, f"topic {plain(topic)}"): scores for topic, scores in strict["per_topic"].items()}
    return found | {(4, f"{kind} forms"): scores for kind, scores in strict["per_form"].items()}


def below(scores: Metrics) -> str:
    """A line with the scores that are not in the table."""
    line = (
        f"macro F1 over types {f1_cell(scores['strict']['macro'])}; "
        f"strict F1 of the BSNLP task (forms, not positions) {scores['bsnlp_strict']['all']['f1']:.3f}; "
        f"word-level macro F1 (with O) {scores['word']['macro_f1']:.3f}"
    )
    if "language" in scores:
        hits = scores["language"]
        line += f"; language accuracy {hits['accuracy']:.3f} over {hits['sentences']} sentences"
    return line


def schema_table(name: str, scores: Metrics) -> str:
    """Scores by the four schemas of nervaluate, with the F1 of each type."""
    labels = list(scores["schemas"]["strict"]["per_type"])
    counts = ("correct", "incorrect", "partial", "missed", "spurious")
    columns = [name, "precision", "recall", "F1", *counts, *(f"F1 {plain(label)}" for label in labels)]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for schema, found in scores["schemas"].items():
        whole, by_type = found["all"], found["per_type"]
        cells = [f"{whole[measure]:.3f}" for measure in ("precision", "recall", "f1")]
        cells += [str(whole[count]) for count in counts] + [f"{by_type[label]['f1']:.3f}" for label in labels]
        lines.append(f"| {schema} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def calibration_table(name: str, calibration: Mapping[str, Scores]) -> str:
    """Expected calibration errors (ECE) with and without temperatures."""
    lines = [f"| {name} | temperature | ECE without it | ECE with it |", "|---|---|---|---|"]
    lines += [
        f"| probabilities of {what} | {found['temperature']:.3f} | {found['ece_before']:.4f} | {found['ece']:.4f} |"
        for what, found in calibration.items()
    ]
    return "\n".join(lines) + "\n"


def order_table(name: str, orders: Sequence[Order]) -> str:
    """What it costs to keep only spans of some precision: thresholds, precision and recall.

    Args:
        name: title of the table.
        orders: the precisions that are asked for.
    """
    labels = list(orders[0].per_type)
    shown = "".join(f" {plain(label)} from | recall |" for label in labels)
    lines = [
        f"| {name}, precision asked for | precision | recall | precision, checked | recall, checked |{shown}",
        "|---" * (5 + 2 * len(labels)) + "|",
    ]
    for row in orders:
        checked = "– | –" if row.checked is None else f"{row.checked.precision:.3f} | {row.checked.recall:.3f}"
        cells = "".join(
            " not reached | 0 |" if kept.threshold is None else f" {kept.threshold:.3f} | {kept.recall:.3f} |"
            for kept in row.per_type.values()
        )
        asked = f"{row.precision:g}" if row.precision else "all spans"
        lines.append(f"| {asked} | {row.all.precision:.3f} | {row.all.recall:.3f} | {checked} |{cells}")
    lines += [
        "",
        "- `from`: the smallest probability of the spans of a type that are kept; no span of a type is kept if the "
        "precision is not reached",
        "- `checked`: on documents that the thresholds were not chosen on (five parts of dev, each with the thresholds "
        "of the other four)",
    ]
    return "\n".join(lines) + "\n"


def oracle_table(name: str, oracle: Scores) -> str:
    """F1 of the best choice among n readings."""
    lines = [f"| {name}, n best | {' | '.join(oracle)} |", "|---" * (1 + len(oracle)) + "|"]
    lines.append(f"| F1 of the best choice | {' | '.join(f'{f1:.3f}' for f1 in oracle.values())} |")
    return "\n".join(lines) + "\n"
