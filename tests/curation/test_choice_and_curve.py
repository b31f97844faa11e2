"""Which documents are chosen, how near copies are kept together, and the slope of a curve."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ner_head.base.errors import UsageError
from ner_head.corpus.documents import Document
from ner_head.curation.curve import Measured, fit_curve
from ner_head.curation.suggestion import choose, entropies, new_groups
from ner_head.features.store.store import FeatureStore
from ner_head.folds.groups import assign_folds, sample_groups
from ner_head.inference.tagger import Tagger

STORIES = [" ".join(f"slovo{k}x{i}" for i in range(40)) for k in range(12)]


def copies() -> list[Document]:
    """Twelve texts, each with a near copy in the second half."""
    texts = [*STORIES, *(f"Nový začátek. {story}" for story in STORIES)]
    return [Document(str(i), text, "cs" if i % 2 else "pl") for i, text in enumerate(texts)]


def test_near_copies_are_in_one_fold_and_folds_are_of_a_size() -> None:
    folds = assign_folds(copies(), 4)
    assert folds[:12] == folds[12:]
    assert sorted(folds.count(k) for k in range(4)) == [6, 6, 6, 6]
    assert assign_folds(copies(), 4, seed=1) != folds
    with pytest.raises(UsageError, match="13 folds of 24 documents in 12 groups"):
        assign_folds(copies(), 13)


def test_a_larger_sample_contains_a_smaller_one() -> None:
    groups = [[i, i + 12] for i in range(12)]
    small, large = (sample_groups(groups, n, seed=3) for n in (7, 16))
    assert len(small) == 6
    assert set(small) < set(large)
    assert len(sample_groups(groups, 1, seed=3)) == 2


def test_the_choice_prefers_uncertain_documents_that_differ() -> None:
    vectors = np.array([[1, 0], [1, 0.01], [-1, 0.2], [0, -1]], dtype=np.float32)
    scores = np.array([1.0, 0.99, 0.8, 0.1])
    assert choose(scores, vectors, 2) == [0, 2]
    assert choose(scores, vectors, 4, groups=[[0, 1]]) == [0, 2, 3]
    assert choose(scores, vectors, 1, known=vectors[:1]) == [2]


def test_copies_of_annotated_documents_are_not_suggested() -> None:
    documents = copies()
    assert new_groups(documents[:12], documents[12:20]) == [[8], [9], [10], [11]]


def test_entropy_does_not_grow_with_the_length_of_a_document(
    documents: list[Document], store: FeatureStore, model: object
) -> None:
    import torch

    from ner_head.inference.saved_model import SavedModel

    saved = SavedModel.load(model, device=torch.device("cpu"))  # type: ignore[arg-type]
    tagger = Tagger(saved.head, saved.manifest.tag_set, torch.device("cpu"))
    found = entropies(tagger, documents, store)
    assert found.shape == (6,)
    assert (found >= 0).all()
    twice = replace(documents[0], sentences=documents[0].sentences[:1])
    one = entropies(tagger, [twice], store)[0] * len(twice.sentences[0].words)
    both = found[0] * sum(len(sentence.words) for sentence in documents[0].sentences)
    assert both > one > 0


def counts(right: int) -> np.ndarray:
    return np.array([[right, 100, 100]] * 40)


def test_the_slope_is_the_gain_of_a_doubling() -> None:
    measured = [Measured(n, seed, counts(r)) for n, r in ((100, 60), (200, 65), (400, 70)) for seed in (0, 1)]
    curve = fit_curve(measured, more=400)
    assert curve.slope[0] == pytest.approx(0.05)
    assert curve.gain[0] == pytest.approx(0.05)
    assert curve.gain[1] == pytest.approx((0.05, 0.05))
    assert curve.sentence.startswith("Another 400 documents bring about 5.0 points of F1 (95 %: 5.0 to 5.0)")
    flat = fit_curve([Measured(n, seed, counts(60)) for n in (100, 200) for seed in (0, 1)], more=50)
    assert "a gain cannot be shown" in flat.sentence
