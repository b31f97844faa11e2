"""cleanlab's token method on the out-of-fold marginals that `benchmarks.suspects` wrote.

It needs `cleanlab` and numpy only, so it can run in an environment of its own:

    python -m benchmarks.suspects_cleanlab data/folds/marginals-0.npz

Of the N most suspicious places, N being the number of corruptions, the share is printed that is a corruption which no
place before it has found. A place is a word, or a run of neighbouring words of the ranking, as cleanlab ranks words.
Classes are the tags (B-PER, I-PER ...), or the types alone, as cleanlab's tutorial merges them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from cleanlab.token_classification.filter import find_label_issues
from cleanlab.token_classification.rank import get_label_quality_scores

from benchmarks.report import write_results


def main(path: Path) -> None:
    """Rank the words, print the figures, and write benchmarks/results/suspects_cleanlab.json."""
    rows = []
    data = np.load(path)
    where, given, chances = data["where"], data["given"], data["marginals"]
    order = np.lexsort((where[:, 2], where[:, 1], where[:, 0]))
    where, given, chances = where[order], given[order], chances[order].astype(np.float64)
    starts = np.flatnonzero(np.r_[True, (np.diff(where[:, :2], axis=0) != 0).any(axis=1)])
    sentence = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(where)]))
    chances /= chances.sum(axis=1, keepdims=True)
    owner = corrupted_words(data, where)
    for name, merged in (("tags", False), ("types", True)):
        if merged:
            n_types = (chances.shape[1] - 1) // 2
            kinds = np.r_[0, np.repeat(np.arange(1, n_types + 1), 2)]
            given = kinds[given]
            chances = np.stack([chances[:, kinds == k].sum(axis=1) for k in range(n_types + 1)], axis=1)
        labels = [part.tolist() for part in np.split(given, starts[1:])]
        probabilities = np.split(chances, starts[1:])
        n = len(data["changes"])
        for method in ("self_confidence", "normalized_margin"):
            _, scores = get_label_quality_scores(labels, probabilities, token_score_method=method)
            ranked = np.argsort(np.concatenate([np.asarray(each) for each in scores]), kind="stable")
            rows.append(figures(f"{name}, {method}", ranked, owner, sentence, n))
        issues = find_label_issues(labels, probabilities, return_indices_ranked_by="normalized_margin")
        ranked = np.array([starts[s] + w for s, w in issues])
        rows.append(figures(f"{name}, find_label_issues ({len(ranked):,} words)", ranked, owner, sentence, n))
    write_results("suspects_cleanlab", {"corruptions": len(data["changes"]), "rows": rows}, ("cleanlab", "numpy"))


def corrupted_words(data: np.lib.npyio.NpzFile, where: np.ndarray) -> np.ndarray:
    """The number of the corruption of each word, -1 for none, (N,)."""
    begin = np.cumsum(np.r_[0, data["sizes"]])
    owner = np.full(len(where), -1)
    place = {tuple(row): i for i, row in enumerate(where.tolist())}
    for number, (document, sentence, start, end) in enumerate(data["changes"].tolist()):
        row = data["first"][document] + sentence
        words = data["words"][begin[row] : begin[row + 1]]
        for w in np.flatnonzero((words[:, 0] < end) & (start < words[:, 1])).tolist():
            owner[place[document, sentence, w]] = number
    return owner


def figures(name: str, ranked: np.ndarray, owner: np.ndarray, sentence: np.ndarray, n: int) -> dict[str, object]:
    """The share of corruptions among the first n words, and among the first n runs of words."""
    words = distinct(owner[ranked[:n]])
    runs, seen = [], set[int]()
    for word in ranked.tolist():
        beside = {k for k in (word - 1, word + 1) if 0 <= k < len(sentence) and sentence[k] == sentence[word]}
        if not beside & seen:
            runs.append(int(owner[word]))
        seen.add(word)
        if len(runs) == n:
            break
    row = {"method": name, "words": round(words / n, 4), "runs": round(distinct(runs) / n, 4)}
    print(row, flush=True)
    return row


def distinct(owners: Iterable[int]) -> int:
    """Number of corruptions found."""
    return len({int(owner) for owner in owners} - {-1})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
