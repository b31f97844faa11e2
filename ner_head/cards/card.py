"""The model card, as Markdown, made from the manifest of a model and its figures."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ner_head.base.errors import DataError
from ner_head.evaluation.figures import Figures, Order, SpanScores, SplitScores, find_figures, read_figures
from ner_head.evaluation.tables import f1_cell, order_table, plain

if TYPE_CHECKING:
    from ner_head.inference.saved_model import ModelManifest

LICENCE = re.compile(r"^\W*licen[cs]e\W*[:|]\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)
FEW = 50  # spans of a type in train
WEAK = 0.1  # difference in F1 from that of all spans, from which the card says it


@dataclass(frozen=True)
class Description:
    """What its author says about a model.

    Attributes:
        name: its name.
        summary: what it is, in one line. If it is empty, `with_summary` makes one.
        about: what it is good for and what not, as Markdown.
    """

    name: str
    summary: str = ""
    about: str = ""

    def with_summary(self, manifest: ModelManifest) -> Description:
        """The description with a summary: if it has none, one made from the manifest."""
        made = f"Finds {listed(manifest.labels)} in texts in {listed(manifest.languages)}."
        return self if self.summary else replace(self, summary=made)


def figures_of(model: Path) -> Figures | None:
    """The figures of a model; None without any, and with a warning if they are damaged or about another model."""
    path = find_figures(model)
    try:
        return None if path is None else read_figures(path, model)
    except DataError as error:
        warnings.warn(f"not on the card: {error}", stacklevel=2)
        return None


def licence_of(encoder: Path) -> str:
    """What the README in an encoder's folder says about its licence; "" if it says nothing."""
    readme = encoder / "README.md"
    found = LICENCE.search(readme.read_text(encoding="utf-8", errors="replace")) if readme.is_file() else None
    return found[1].strip(" |*\"'") if found else ""


def card(manifest: ModelManifest, description: Description, *, load: str, licence: str, figures: Figures | None) -> str:
    """The card.

    Args:
        manifest: the manifest of the model.
        description: what its author says.
        load: how the model is named to load it: a folder, or the name of a package.
        licence: the licence of the encoder; "" if it is unknown.
        figures: sizes of the splits, scores and thresholds, if they are known.
    """
    about = f"\n{description.about.strip()}\n" if description.about else ""
    rows = "\n".join(f"| {key} | {value} |" for key, value in facts(manifest, licence).items())
    sections = [score_section(manifest, figures)]
    if figures is not None:
        sections = [data_section(figures), *sections, *precision_section(figures.orders)]
    body = "\n\n".join(sections)
    return f"""# {description.name}

{description.summary}
{about}
| | |
|---|---|
{rows}

{body}

## Use

```sh
ner-head predict --model {load} article.txt
```

```python
from ner_head import Recognizer

recognizer = Recognizer.load("{load}")
for document in recognizer.recognize(["..."]):
    for span in document.spans:
        print(span.label, document.text[span.start : span.end], span.probability)
```

{where_the_encoder_is(manifest)}

## Limits

{limits(manifest, figures)}
"""


def where_the_encoder_is(manifest: ModelManifest) -> str:
    """A sentence on what else is needed to load the model."""
    if manifest.encoder.local and manifest.encoder.model.startswith("encoder/"):  # as `make_bundle` names it
        return "The encoder is inside. Nothing is downloaded."
    return f"The encoder `{manifest.encoder.model}` is needed too; `ner-head bundle` puts both into one folder."


def facts(manifest: ModelManifest, licence: str) -> dict[str, str]:
    """The rows of the table at the top."""
    encoder, tuned = manifest.encoder, manifest.tuned
    members = manifest.members or [manifest.training]
    origin = ", ".join(f"seed {each.seed}, epoch {each.epoch}" for each in members)
    warm = manifest.temperatures.spans != 1
    return {
        "labels": ", ".join(manifest.labels),
        "languages": ", ".join(manifest.languages),
        "head": f"{f'{len(members)} heads' if manifest.members else 'one head'} ({origin})",
        "encoder": f"[{Path(encoder.model).name}]({encoder.model}), {encoder.n_layers} layers of {encoder.width}; "
        + (f"the last {tuned.layers} were trained with the head" if tuned else "frozen"),
        "licence of the encoder": licence or "not stated in its folder",
        "probabilities": f"calibrated, temperature {manifest.temperatures.spans:.3f}" if warm else "not calibrated",
    }


def data_section(figures: Figures) -> str:
    """The sizes of the splits."""
    lines = [
        "| split | documents | sentences | words | gold spans | languages (documents) | topics |",
        "|---" * 7 + "|",
    ]
    for split, row in figures.data.items():
        spans = ", ".join(f"{plain(label)} {count:,}" for label, count in row.spans.items()) or "none"
        languages = ", ".join(f"{plain(language)} {count:,}" for language, count in row.languages.items())
        lines.append(
            f"| {split} | {row.documents:,} | {row.sentences:,} | {row.words:,} | {spans} | {languages} | "
            f"{', '.join(map(plain, row.topics))} |"
        )
    lines += [""] * any(row.partial for row in figures.data.values())
    lines += [
        f"- {split}: {count:,} documents annotate {labels} only"
        for split, row in figures.data.items()
        for labels, count in row.partial.items()
    ]
    return "## Data\n\n" + "\n".join(lines)


def score_section(manifest: ModelManifest, figures: Figures | None) -> str:
    """The scores, as far as they are known."""
    if figures is None or not figures.scores:
        f1 = manifest.training.dev_f1
        known = "No scores are known." if f1 is None else f"Strict micro F1 on its dev documents: {f1:.3f}."
        return f"## Scores\n\n{known}"
    parts = ["A span is correct if both offsets and the label are. Intervals are 95 % over resampled documents."]
    if "dev" in figures.scores:
        parts[0] += " The epoch was selected on dev, so the scores on dev are slightly too high."
    parts += [split_table(split, scores) for split, scores in figures.scores.items()]
    return "## Scores\n\n" + "\n\n".join(parts)


def split_table(split: str, scores: SplitScores) -> str:
    """The scores of a split, and the calibration of its probabilities."""
    lines = [f"| {split} | gold spans | precision | recall | F1 (95 %) |", "|---" * 5 + "|"]
    lines += [score_row(name, row) for name, row in {"all": scores.all, **scores.per_type}.items()]
    lines += [score_row(f"language {name}", row) for name, row in scores.per_language.items()]
    if scores.calibration_error is not None:
        lines += ["", f"Expected calibration error of the probabilities of spans: {scores.calibration_error:.3f}."]
    return "\n".join(lines)


def score_row(name: str, row: SpanScores) -> str:
    """A row of the table of scores."""
    f1 = f1_cell(row.model_dump(exclude_none=True))
    return f"| {plain(name)} | {row.gold} | {row.precision:.3f} | {row.recall:.3f} | {f1} |"


def precision_section(orders: Mapping[str, Sequence[Order]]) -> Iterable[str]:
    """What `predict --precision` costs; nothing without dev."""
    if orders:
        tables = "\n".join(order_table(split, rows) for split, rows in orders.items())
        yield f"## Precision to order\n\nWhat `ner-head predict --precision` keeps:\n\n{tables.rstrip()}"


def limits(manifest: ModelManifest, figures: Figures | None) -> str:
    """What the model cannot do, as a list."""
    lines = [
        f"It finds {listed(manifest.labels)}, and nothing else.",
        f"It was trained on texts in {listed(manifest.languages)}. Expect worse results for other languages.",
        "Texts of another kind than those of its training (topic, style, time) give other scores. Measure on your own "
        "texts.",
        "Some of its entities are wrong, and it misses some. Have a person check them where a mistake would do harm.",
    ]
    scores = figures and (figures.scores.get("test") or figures.scores.get("dev"))
    if scores and (
        weak := [label for label, row in scores.per_type.items() if row.gold and row.f1 < scores.all.f1 - WEAK]
    ):
        lines.insert(1, f"It is weaker at {listed(weak)} than at the other types.")
    if figures and (few := [label for label, n in figures.data["train"].spans.items() if n < FEW]):
        lines.insert(1, f"It was trained on fewer than {FEW} examples of {listed(few)}.")
    return "\n".join(f"- {line}" for line in lines)


def listed(names: list[str]) -> str:
    """Names in a sentence."""
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]]) or "unknown languages"
