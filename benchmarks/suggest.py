"""How many documents does `ner-head suggest` save, against documents chosen at random?

Annotation of train is simulated: a head is trained on the documents annotated so far, it suggests the next ones, their
gold is revealed. Each round is scored on dev and on a part of train that is held out. Run it in a folder with
`data/prepared` and `data/features`:

    python -m benchmarks.suggest --seeds 0 1 2 --rounds 6 --steps 400
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.heads import FEATURES, PREPARED
from benchmarks.report import write_results
from ner_head.base.params import read_params
from ner_head.corpus.documents import Document
from ner_head.corpus.near_copies import near_copies
from ner_head.corpus.records import read_documents
from ner_head.curation.suggestion import choose, document_vectors, entropies, expected_errors
from ner_head.features.store.store import FeatureStore
from ner_head.folds.groups import sample_groups
from ner_head.head.params import HeadParams
from ner_head.inference.tagger import Tagger
from ner_head.training.params import TrainingParams
from ner_head.training.session import TrainingSession
from ner_head.training.trainer import strict_f1


class Pool:
    """Documents whose annotations are revealed on demand, and what all runs share."""

    def __init__(self, options: argparse.Namespace) -> None:
        train, self.dev = (list(read_documents(PREPARED / f"{split}.jsonl")) for split in ("train", "dev"))
        self.dev = self.dev[:: options.every]
        groups = near_copies(train)
        held = set(sample_groups(groups, options.held, seed=0))
        self.held = [document for i, document in enumerate(train) if i in held]
        self.documents = [document for i, document in enumerate(train) if i not in held]
        self.groups = near_copies(self.documents)
        self.store = FeatureStore.open(FEATURES)
        self.vectors = document_vectors(self.documents, self.store)
        self.head = read_params(options.params, "head", HeadParams)
        params = read_params(options.params, "training", TrainingParams)
        self.params = params.model_copy(update={"most_steps": options.steps})

    def train(self, chosen: Sequence[int], seed: int) -> tuple[Tagger, TrainingSession]:
        """A tagger trained on the chosen documents, for about `most_steps` steps."""
        documents = [self.documents[i] for i in chosen]
        params = self.params.model_copy(update={"seed": seed, "epochs": 1000})
        session = TrainingSession(documents, [], self.store, head=self.head, params=params, device=torch.device("cpu"))
        return session.tagger(session.fit(documents, []).head), session

    def next(self, how: str, n: int, chosen: Sequence[int], tagger: Tagger, languages: Sequence[str]) -> list[int]:
        """The documents that a tagger suggests next."""
        taken = set(chosen)
        groups = [group for group in self.groups if not taken & set(group)]
        left = [i for group in groups for i in group]
        at = {i: k for k, i in enumerate(left)}
        documents: list[Document] = [self.documents[i] for i in left]
        if how == "entropy":
            scores = entropies(tagger, documents, self.store)
        else:
            scores = expected_errors(tagger, documents, self.store, languages)
        inner = [[at[i] for i in group] for group in groups]
        found = choose(scores, self.vectors[left], n, groups=inner, known=self.vectors[list(chosen)])
        return [left[k] for k in found]


def run(pool: Pool, how: str, seed: int, options: argparse.Namespace) -> list[dict[str, object]]:
    """Score a way of choosing after each round."""
    order = list(range(len(pool.documents)))
    random.Random(seed).shuffle(order)
    chosen, rows = order[: options.start], list[dict[str, object]]()
    for number in range(options.rounds + 1):
        tagger, session = pool.train(chosen, seed)
        languages = session.manifest.languages
        row = {
            "how": how,
            "seed": seed,
            "documents": len(chosen),
            "words": sum(len(s.words) for i in chosen for s in pool.documents[i].sentences),
            "dev": round(strict_f1(tagger, pool.dev, pool.store, languages), 4),
            "held_out": round(strict_f1(tagger, pool.held, pool.store, languages), 4),
        }
        rows.append(row)
        print(row, flush=True)
        if number < options.rounds:
            if how == "random":
                chosen = order[: options.start + (number + 1) * options.size]
            else:
                chosen = [*chosen, *pool.next(how, options.size, chosen, tagger, languages)]
    return rows


def saved(rows: Sequence[dict[str, object]], how: str, score: str, size: str) -> float:
    """What a way of choosing needs of `size` to reach the best score of random choice, as a share of random's.

    Scores are means over seeds. NaN if it does not reach that score.
    """

    def curve(name: str) -> tuple[np.ndarray, np.ndarray]:
        mine = [row for row in rows if row["how"] == name]
        steps = sorted({row["documents"] for row in mine}, key=float)
        means = [[np.mean([row[k] for row in mine if row["documents"] == n]) for n in steps] for k in (score, size)]
        return np.maximum.accumulate(means[0]), np.array(means[1])

    goal, cost = curve("random")
    scores, sizes = curve(how)
    needed = cost[int(goal.argmax())]
    return float(np.interp(goal[-1], scores, sizes) / needed) if scores[-1] >= goal[-1] else float("nan")


def main() -> None:
    """Simulate, print, and write benchmarks/results/suggest.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--how", nargs="+", default=["random", "entropy"], help="random, entropy, errors")
    parser.add_argument("--start", type=int, default=50)
    parser.add_argument("--size", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=400, help="steps of each training, about")
    parser.add_argument("--held", type=int, default=150, help="documents of train that are held out")
    parser.add_argument("--every", type=int, default=1, help="score every so many documents of dev")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    pool = Pool(options)
    rows = [row for seed in options.seeds for how in options.how for row in run(pool, how, seed, options)]
    shares = {
        how: {f"{score} by {size}": round(saved(rows, how, score, size), 3) for score in ("dev", "held_out")
              for size in ("documents", "words")}
        for how in options.how if how != "random"
    }  # fmt: skip
    print(shares)
    write_results("suggest", {"steps": options.steps, "start": options.start, "shares": shares, "rows": rows})


if __name__ == "__main__":
    main()
