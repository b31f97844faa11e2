"""A corpus of a few sentences in two languages, with lemmas and entities, and params for stages that take little time.

It has two labels, as most other tests have, so that the kernels of the CRF are compiled for one number of tags only.
"""

from __future__ import annotations

import json
from pathlib import Path

TRAIN = [
    ("cs", "Jana Nová bydlí v Brně. Vláda mlčela.", ["Jana Nová|PER|Jana Nová|P1", "Brně|LOC|Brno|L1"]),
    ("pl", "Jan Lis mieszka w Łodzi. To miasto.", ["Jan Lis|PER|Jan Lis|P2", "Łodzi|LOC|Łódź|L2"]),
]
DEV = [*TRAIN, ("cs", "Jana Nová mlčela v Oslo.", ["Jana Nová|PER|Jana Nová|P1", "mlčela|LOC|mlčela|L3"])]
"""The last mention is no name: train has the word without one."""


def _lines(split: str, rows: list[tuple[str, str, list[str]]], copies: int) -> str:
    lines: list[str] = []
    for _ in range(copies):
        for language, text, mentions in rows:
            spans = []
            for form, label, lemma, entity in (mention.split("|") for mention in mentions):
                start = text.index(form)
                spans.append([start, start + len(form), label, {"lemma": lemma, "entity": entity}])
            name = f"{split}-{language}-{len(lines)}"
            lines.append(json.dumps({"id": name, "text": text, "language": language, "spans": spans}))
    return "".join(f"{line}\n" for line in lines)


def write(folder: Path) -> None:
    """Write the files `train.jsonl` and `dev.jsonl`."""
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text(_lines("train", TRAIN, 3), encoding="utf-8")
    (folder / "dev.jsonl").write_text(_lines("dev", DEV, 1), encoding="utf-8")


def params(source: str, encoder: str | Path) -> dict[str, object]:
    """Changes to `params.yaml`, by dotted paths."""
    return {
        "prepare.source": source,
        "prepare.format": "jsonl",
        "prepare.languages": [],
        "prepare.splits.train": ["train"],
        "prepare.splits.dev": ["dev"],
        "prepare.splits.test": [],
        "encoder.model": str(encoder),
        "head.layers": "all",
        "head.lstm.hidden": 8,
        "head.words.buckets": 100,
        "head.dropout": 0.0,
        "training.epochs": 1,
        "training.batch_size": 4,
        "training.learning_rate": 0.01,
        "baseline.iterations": 5,
        "lemmatize.layer": 3,
        "lemmatize.epochs": 2,
        "link.layers": [1, 3],
        "link.epochs": 2,
        "runtime.progress": "none",
        "runtime.device": "cpu",
    }
