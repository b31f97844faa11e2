"""The model card of a bundle: a README made from the manifest of the model and the scores of its project."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from ner_head.models import read_bundle

if TYPE_CHECKING:
    from ner_head.inference.saved_model import ModelManifest

LICENCE = re.compile(r"^\W*licen[cs]e\W*[:|]\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)


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

    def with_summary(self, model: Path, manifest: ModelManifest) -> Description:
        """The description with a summary: that of the model if it is a bundle, or else one made from its manifest."""
        if self.summary:
            return self
        before = read_bundle(model)
        made = f"Finds {listed(manifest.labels)} in texts in {listed(manifest.languages)}."
        return replace(self, summary=before.summary if before else made)


class SpanScores(BaseModel):
    """Strict scores of spans."""

    precision: float
    recall: float
    f1: float
    gold: int


class Strict(BaseModel):
    """Strict scores of all spans and of those of each label and language."""

    micro: SpanScores
    per_type: dict[str, SpanScores]
    per_language: dict[str, SpanScores]


class SpanCalibration(BaseModel):
    """Expected calibration error of the probabilities of spans."""

    ece: float


class Calibration(BaseModel):
    """Calibration on dev."""

    spans: SpanCalibration


class DevScores(BaseModel):
    """The parts of `reports/metrics.json` that are on the card."""

    strict: Strict
    calibration: Calibration | None = None


def read_scores(path: Path, manifest: ModelManifest) -> DevScores | None:
    """The scores of a model on dev; None, and a warning, if the file has other scores or those of another model."""
    try:
        scores = DevScores.model_validate_json(path.read_bytes())
    except ValidationError as error:
        warnings.warn(f"{path}: not on the card: {error.errors()[0]['msg']}", stacklevel=2)
        return None
    wanted, found = manifest.training.dev_f1, scores.strict.micro.f1
    if wanted is None or not math.isclose(found, wanted, abs_tol=1e-6):
        warnings.warn(f"{path}: not on the card, because it is of another model (dev F1 {found:.4f})", stacklevel=2)
        return None
    return scores


def licence_of(encoder: Path) -> str:
    """What the README in an encoder's folder says about its licence; "" if it says nothing."""
    readme = encoder / "README.md"
    found = LICENCE.search(readme.read_text(encoding="utf-8", errors="replace")) if readme.is_file() else None
    return found[1].strip(" |*\"'") if found else ""


def card(
    manifest: ModelManifest, description: Description, *, load: str, licence: str, scores: DevScores | None
) -> str:
    """The card, as Markdown.

    Args:
        manifest: the manifest of the bundle.
        description: what its author says.
        load: how the model is named to load it: a folder, or the name of a package.
        licence: the licence of the encoder; "" if it is unknown.
        scores: the scores on dev, if they are known.
    """
    about = f"\n{description.about.strip()}\n" if description.about else ""
    rows = "\n".join(f"| {key} | {value} |" for key, value in facts(manifest, licence).items())
    return f"""# {description.name}

{description.summary}
{about}
| | |
|---|---|
{rows}

## Scores

{score_section(manifest, scores)}

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

The encoder is inside. Nothing is downloaded.

## Limits

- It finds {listed(manifest.labels)}, and nothing else.
- It was trained on texts in {listed(manifest.languages)}. Expect worse results for other languages.
- Texts of another kind than those of its training (topic, style, time) give other scores. Measure on your own texts.
- Some of its entities are wrong, and it misses some. Have a person check them where a mistake would do harm.
"""


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


def score_section(manifest: ModelManifest, scores: DevScores | None) -> str:
    """The scores on dev, as far as they are known."""
    if scores is None:
        f1 = manifest.training.dev_f1
        return "No scores are known." if f1 is None else f"Strict micro F1 on its dev documents: {f1:.3f}."
    strict = scores.strict
    rows = {"all": strict.micro, **strict.per_type, **strict.per_language}
    table = "\n".join(
        f"| {name} | {row.gold} | {row.precision:.3f} | {row.recall:.3f} | {row.f1:.3f} |" for name, row in rows.items()
    )
    error = (
        ""
        if scores.calibration is None
        else (f"\n\nExpected calibration error of the probabilities of spans: {scores.calibration.spans.ece:.3f}.")
    )
    return (
        "On its dev documents. A span is right if both offsets and the label are.\n\n"
        f"| | gold spans | precision | recall | F1 |\n|---|---|---|---|---|\n{table}{error}"
    )


def listed(names: list[str]) -> str:
    """Names in a sentence."""
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]]) or "unknown languages"
