"""Training on documents that annotate some labels only: a word that nothing is said about may have any other tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from ner_head.corpus.documents import Document
from ner_head.evaluation.measures.spans import total_counts
from ner_head.features.store.store import FeatureStore
from ner_head.head.crf import LinearChainCRF
from ner_head.head.model import Head, build_head
from ner_head.head.params import HeadParams
from ner_head.inference.predictions import predict_from_store
from ner_head.training.examples import Batch, collate, examples
from ner_head.training.objective import joint_loss
from ner_head.training.trainer import strict_f1
from tests.conftest import LABELS, LANGUAGES
from tests.head.crf.oracle import all_paths
from tests.training.test_objective import Questions
from tests.training.tuning import SMALL, session


def annotating(document: Document, *labels: str) -> Document:
    """The document as a corpus has it that annotates some labels only."""
    return replace(document, annotates=labels, spans=tuple(s for s in document.spans if s.label in labels))


@pytest.fixture(scope="module")
def halves(documents: list[Document]) -> list[Document]:
    """Two copies of three texts: the first annotates persons only, the second places only."""
    return [annotating(document, "LOC" if i % 2 else "PER") for i, document in enumerate(documents)]


def head_and_batch(store: FeatureStore, documents: Sequence[Document], params: HeadParams) -> tuple[Head, Batch]:
    tag_set, encoder = params.tag_set(LABELS), store.manifest.encoder
    head = build_head(params, n_layers=encoder.n_layers, width=encoder.width, tag_set=tag_set, languages=LANGUAGES)
    return head, collate(examples(documents, tag_set, LANGUAGES), store, tag_set, head.eval())


@pytest.mark.parametrize("tags", ["iob", "iobx"])
@pytest.mark.parametrize("decoder", ["crf", "softmax"])
def test_the_loss_sums_over_the_tags_that_a_word_may_have(
    store: FeatureStore, halves: list[Document], tags: str, decoder: str
) -> None:
    params = SMALL.model_copy(update={"tags": tags, "decoder": decoder, "classifier": 0, "pieces": "all"})
    short = halves[0].sentences[1:]  # three words: few enough paths to list
    head, batch = head_and_batch(store, [replace(halves[0], sentences=halves[0].sentences)], params)
    assert len(short[0].words) == 3
    tag_set = params.tag_set(LABELS)
    assert batch.allowed is not None
    features = batch.features
    output = head(features.hidden, features.mask, batch.steps, batch.words)
    loss = joint_loss(head, output, batch.steps, batch.tags, batch.languages, batch.allowed)
    length = int(batch.steps.mask[1].sum())
    allowed, emissions = batch.allowed[1, :length], output.emissions[1, :length]
    names = {tag_set.tags[tag] for tag in allowed.any(0).nonzero().flatten().tolist()}
    assert {"O", "B-LOC", "I-LOC"} <= names
    assert "B-PER" not in names
    found = -torch.stack(
        [
            head.crf.log_likelihood_of_sets(
                output.emissions[i : i + 1], batch.allowed[i : i + 1], batch.steps.mask[i : i + 1]
            )[0]
            for i in range(2)
        ]
    )
    torch.testing.assert_close(loss, found.mean())
    if tags == "iob":
        paths = all_paths(head.crf, emissions)
        inside = [all(allowed[t, tag] for t, tag in enumerate(path)) for path in paths.tags]
        assert found[1].item() == pytest.approx(-torch.tensor(paths.probabilities[inside].sum()).log().item(), abs=1e-5)
    if decoder == "softmax":
        chances = torch.where(allowed, emissions.softmax(-1), 0.0).sum(-1)
        torch.testing.assert_close(found[1], -chances.log().sum())


def test_a_document_that_annotates_all_labels_is_trained_on_as_before(
    store: FeatureStore, documents: list[Document]
) -> None:
    _, batch = head_and_batch(store, [annotating(documents[0], "LOC", "PER", "EVT")], SMALL)
    _, plain = head_and_batch(store, documents[:1], SMALL)
    assert batch.allowed is None
    assert torch.equal(batch.tags, plain.tags)
    _, mixed = head_and_batch(store, [documents[0], annotating(documents[1], "PER")], SMALL)
    assert mixed.allowed is not None
    real = mixed.steps.mask[:2]
    assert torch.equal(mixed.allowed[:2].sum(-1)[real], torch.ones(int(real.sum()), dtype=torch.int64))


def test_a_step_on_a_gpu_asks_it_nothing(
    monkeypatch: pytest.MonkeyPatch, store: FeatureStore, halves: list[Document]
) -> None:
    monkeypatch.setattr(LinearChainCRF, "log_likelihood_of_sets", LinearChainCRF.log_likelihood_on_device)
    head, batch = head_and_batch(store, halves, SMALL.model_copy(update={"classifier": 0}))
    output = head(batch.features.hidden, batch.features.mask, batch.steps, batch.words)
    with Questions() as questions:
        joint_loss(head, output, batch.steps, batch.tags, batch.languages, batch.allowed).backward()
    assert questions.asked == []


def test_a_committee_learns_both_labels_from_halves_and_zeros_do_not(
    store: FeatureStore, documents: list[Document], halves: list[Document]
) -> None:
    training = {"epochs": 30, "learning_rate": 1e-2, "most_steps": 0}

    def f1(train: list[Document], **more: object) -> float:
        run = session(train, store, **training, **more)
        model = run.model(run.fit_members(train, []), "last")
        found = predict_from_store(run.tagger(model.head), documents, store, run.manifest.languages)
        return total_counts(documents, [each.document for each in found]).scores()["f1"]

    partial = f1(halves, committee=2)
    assert partial == 1.0
    assert f1([replace(document, annotates=None) for document in halves]) < 0.9


def test_dev_f1_counts_annotated_labels_only(
    store: FeatureStore, documents: list[Document], halves: list[Document]
) -> None:
    run = session(documents, store, epochs=30, learning_rate=1e-2, most_steps=0)
    tagger = run.tagger(run.fit(documents, []).head)
    assert strict_f1(tagger, documents, store, LANGUAGES) == 1.0
    assert strict_f1(tagger, halves, store, LANGUAGES) == 1.0
    assert strict_f1(tagger, [replace(d, annotates=None) for d in halves], store, LANGUAGES) < 0.9
