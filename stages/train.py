"""data/features -> models/head, models/last: train the head on cached features."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("train")

from pathlib import Path

from ner_head.base.extras import require_extra
from ner_head.base.params import read_params
from ner_head.base.runtime import RuntimeParams
from ner_head.evaluation.measures.spans import has_gold
from ner_head.evaluation.measures.unknown import unknown
from ner_head.features.store.store import FeatureStore
from ner_head.head.params import HeadParams
from ner_head.training.params import TrainingParams
from ner_head.training.session import Checkpoints, TrainingSession

from . import FEATURES, MODEL, PARAMS, PREPARED, REPORTS, read_split, warn, write_csv, write_json

LAST_MODEL = Path("models/last")
UNFINISHED = Path("data/training")
INPUTS = (PREPARED / "train.jsonl", PREPARED / "dev.jsonl", FEATURES / "manifest.json")


def main() -> None:
    """Train on train, select the epoch on dev, write the best and the last model and reports about the run.

    Without gold spans in dev the last epoch is the best one.
    """
    require_extra("train", "scipy")
    head = read_params(PARAMS, "head", HeadParams)
    params = read_params(PARAMS, "training", TrainingParams)
    runtime = read_params(PARAMS, "runtime", RuntimeParams)
    device = runtime.start()
    train, dev = read_split("train"), read_split("dev")
    if dev and not has_gold(dev):
        warn(["dev has no gold spans: the model of the last epoch is kept, as without dev"])
        dev = []
    session = TrainingSession(
        train,
        dev,
        FeatureStore.open(FEATURES),
        head=head,
        params=params,
        device=device,
        show=runtime.progress,
        place=runtime.preload,
        checkpoints=Checkpoints(UNFINISHED, INPUTS),
        notify=warn,
    )
    warn(unknown("dev", dev, session.manifest.labels, session.manifest.languages))
    result = session.run()
    result.best.save(MODEL)
    result.last.save(LAST_MODEL)
    write_csv(REPORTS / "learning_curve.csv", ["epoch", "loss", "dev_f1"], result.learning_curve())
    write_csv(REPORTS / "layer_weights.csv", ["layer", "weight"], result.layer_weights())
    write_json(REPORTS / "training.json", result.report())
    result.discard_checkpoints()
