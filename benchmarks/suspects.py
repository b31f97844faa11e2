r"""Does `ner-head suspects` find annotations that were corrupted on purpose, and how does cleanlab's token method do?

A share of the gold spans of train is corrupted at random: a third gets another type, a third loses or gains a word at
an end, a third is removed. Of the first N suspects, N being the number of corruptions, the share that are corruptions
is printed. Run it in a folder with `data/prepared` and `data/features`:

    python -m benchmarks.suspects --folds 4 --seeds 0

`cleanlab` is optional; where it is installed, its token method gets the out-of-fold marginals of the same heads. An
environment of its own can do that afterwards, from the file that this program writes:

    python -m benchmarks.suspects_cleanlab data/folds/marginals-0.npz
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.heads import FEATURES, PREPARED
from benchmarks.report import write_results
from ner_head.base.params import read_params
from ner_head.corpus.documents import Document, Sentence, Span, character_span, word_spans
from ner_head.corpus.records import read_documents
from ner_head.corpus.word_features import document_word_ids
from ner_head.curation.beliefs import beliefs
from ner_head.curation.suspects import Suspect, counts, find_suspects
from ner_head.features.store.store import FeatureStore
from ner_head.folds.heads import SubsetHeads
from ner_head.folds.out_of_fold import Fold, train_folds
from ner_head.head.params import HeadParams
from ner_head.inference.predictions import features_of
from ner_head.training.params import TrainingParams
from ner_head.training.session import TrainingSession

HOW = ("type", "boundary", "removed")


@dataclass(frozen=True)
class Corruption:
    """A changed annotation: the characters that it concerns."""

    document: int
    sentence: int
    start: int
    end: int
    how: str


def corrupt(documents: Sequence[Document], share: float, seed: int) -> tuple[list[Document], list[Corruption]]:
    """Corrupt a share of the gold spans. Spans that tags cannot express are dropped from all documents first."""
    rng = random.Random(seed)
    labels = sorted({span.label for document in documents for span in document.spans})
    inside = [[word_spans(s, document.spans) for s in document.sentences] for document in documents]
    places = [(d, s, i) for d, rows in enumerate(inside) for s, row in enumerate(rows) for i in range(len(row))]
    changes = list[Corruption]()
    for d, s, i in sorted(rng.sample(places, round(share * len(places)))):
        sentence, row = documents[d].sentences[s], inside[d][s]
        before, how = row[i], rng.choice(HOW)
        after = _changed(sentence, row, i, how, labels, rng)
        row[i] = after or Span(0, 0, "")
        both = [character_span(sentence, span) for span in (before, after) if span is not None]
        start, end = min(span.start for span in both), max(span.end for span in both)
        changes.append(Corruption(d, s, start, end, how if after or how == "removed" else "removed"))
    spoiled = []
    for document, rows in zip(documents, inside, strict=True):
        spans = [
            character_span(sentence, span)
            for sentence, row in zip(document.sentences, rows, strict=True)
            for span in row
            if span.label
        ]
        spoiled.append(replace(document, spans=tuple(sorted(spans))))
    return spoiled, changes


def _changed(
    sentence: Sentence, row: list[Span], i: int, how: str, labels: list[str], rng: random.Random
) -> Span | None:
    """The corrupted span; None if it is removed."""
    span = row[i]
    if how == "type":
        return replace(span, label=rng.choice([label for label in labels if label != span.label]))
    if how == "removed":
        return None
    others = {w for k, other in enumerate(row) if k != i for w in range(other.start, other.end)}
    moves = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    fitting = [replace(span, start=span.start + a, end=span.end + b) for a, b in moves]
    fitting = [
        s for s in fitting if 0 <= s.start < s.end <= len(sentence.words) and not others & set(range(s.start, s.end))
    ]
    return rng.choice(fitting) if fitting else None


def hits(suspects: Sequence[Suspect], changes: Sequence[Corruption]) -> list[bool]:
    """Whether each suspect is a corruption that no suspect before it has found."""
    left: dict[tuple[int, int], list[Corruption]] = {}
    for change in changes:
        left.setdefault((change.document, change.sentence), []).append(change)
    found = []
    for suspect in suspects:
        start, end = suspect.place
        mine = left.get((suspect.document, suspect.sentence), [])
        match = next((c for c in mine if c.start < end and start < c.end), None)
        found.append(match is not None)
        if match is not None:
            mine.remove(match)
    return found


@torch.inference_mode()
def marginals(folds: Sequence[Fold], documents: Sequence[Document], store: FeatureStore) -> dict[str, np.ndarray]:
    """Out-of-fold marginals of the tags of all words (N, T), their given tags (N,), and document, sentence and word."""
    rows, given, where = list[np.ndarray](), list[int](), list[tuple[int, int, int]]()
    for fold in folds:
        held = [documents[i] for i in fold.held]
        places = [(d, s) for d, document in zip(fold.held, held, strict=True) for s in range(len(document.sentences))]
        features = [each for document in held for each in features_of(store, document)]
        ids = [each for document in held for each in document_word_ids(document)]
        for batch in fold.tagger.outputs(features, ids):
            chances = fold.tagger.head.crf.marginals(batch.output.emissions, batch.steps.mask)
            for row, member in enumerate(batch.members):
                d, s = places[member]
                sentence = documents[d].sentences[s]
                tags = fold.tagger.tag_set.encode(len(sentence.words), word_spans(sentence, documents[d].spans))
                rows.append(chances[row, : len(tags)].float().numpy())
                given += tags
                where += [(d, s, w) for w in range(len(tags))]
    return {"marginals": np.concatenate(rows), "given": np.array(given), "where": np.array(where)}


def run(options: argparse.Namespace, seed: int) -> dict[str, object]:
    """The figures of one seed."""
    documents, changes = corrupt(list(read_documents(PREPARED / "train.jsonl")), options.share, seed)
    store = FeatureStore.open(FEATURES)
    params = read_params(options.params, "training", TrainingParams).model_copy(update={"seed": seed})
    if options.epochs:
        params = params.model_copy(update={"epochs": options.epochs})
    head = read_params(options.params, "head", HeadParams)
    device = torch.device("cpu")
    session = TrainingSession(documents, [], store, head=head, params=params, device=device, show="lines")
    heads = SubsetHeads(session, store, options.folder)
    folds = list(train_folds(heads, documents, options.folds, seed=seed))
    found = []
    for fold in folds:
        held = [documents[i] for i in fold.held]
        sentences = (replace(each, document=fold.held[each.document]) for each in beliefs(fold.tagger, held, store))
        found += list(sentences)
    suspects = find_suspects(found, documents, least=-1.0)
    n = len(changes)
    right = hits(suspects[:n], changes)
    names = np.array([(c.document, c.sentence, c.start, c.end) for c in changes])
    words = np.array([[w.start, w.end] for d in documents for s in d.sentences for w in s.words])
    sizes = np.array([len(s.words) for d in documents for s in d.sentences])
    first = np.cumsum([0, *(len(d.sentences) for d in documents)])
    np.savez(
        options.folder / f"marginals-{seed}.npz",
        **marginals(folds, documents, store),
        changes=names, words=words, sizes=sizes, first=first,
    )  # fmt: skip
    by_kind = {
        kind: [
            sum(hit for hit, s in zip(right, suspects, strict=False) if s.kind == kind),
            counts(suspects[:n])[kind],
        ]
        for kind in counts([])
    }
    figures = {
        "seed": seed,
        "corruptions": n,
        "precision_at_n": round(sum(right) / n, 4),
        "precision_at_half_n": round(sum(right[: n // 2]) / (n // 2), 4),
        "precision_at_100": round(sum(right[:100]) / 100, 4),
        "margins_above_0": sum(s.margin > 0 for s in suspects),
        "by_kind": by_kind,
    }
    print(figures, flush=True)
    return figures


def main() -> None:
    """Corrupt, train, rank, print, and write benchmarks/results/suspects.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--epochs", type=int, default=0, help="0 = as in the params")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--folder", type=Path, default=Path("data/folds"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [run(options, seed) for seed in options.seeds]
    shown = {"folds": options.folds, "share": options.share, "epochs": options.epochs}
    write_results("suspects", {**shown, "rows": rows})


if __name__ == "__main__":
    main()
