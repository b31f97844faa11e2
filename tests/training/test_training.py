from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document
from ner_head.corpus.tagging import TagSet
from ner_head.features.store.preload import Selection, preload
from ner_head.features.store.store import FeatureStore
from ner_head.head.model import Head, HeadOutput, Steps, build_head
from ner_head.head.params import HeadParams, LstmParams, WordParams
from ner_head.inference.predictions import predict_from_store
from ner_head.inference.tagger import Tagger
from ner_head.training.examples import collate, examples
from ner_head.training.objective import NO_LANGUAGE, joint_loss
from ner_head.training.params import TrainingParams
from ner_head.training.progress import TrainingCallback
from ner_head.training.state import Checkpoint, Epoch
from ner_head.training.trainer import Trained, Trainer

LABELS, LANGUAGES = ["LOC", "PER"], ["cs", "pl", "ru"]
CPU = torch.device("cpu")


def head_for(
    store: FeatureStore, tags: str = "iob", classifier: int = 8, *, dropout: float = 0.0, words: int = 0
) -> tuple[Head, TagSet]:
    params = HeadParams(
        tags=tags,
        words=WordParams(width=words, buckets=100),
        lstm=LstmParams(hidden=16),
        projection=16,
        classifier=classifier,
        dropout=dropout,
    )
    tag_set = params.tag_set(LABELS)
    torch.manual_seed(0)
    encoder = store.manifest.encoder
    head = build_head(params, n_layers=encoder.n_layers, width=encoder.width, tag_set=tag_set, languages=LANGUAGES)
    return head, tag_set


def trainer_for(
    store: FeatureStore, tags: str = "iob", *, dropout: float = 0.0, words: int = 0, **params: object
) -> Trainer:
    head, tag_set = head_for(store, tags, dropout=dropout, words=words)
    settings = TrainingParams.model_validate({"epochs": 40, "batch_size": 4, "learning_rate": 0.01, **params})
    return Trainer(head, tag_set, LANGUAGES, params=settings, device=CPU)


class Seen(TrainingCallback):
    """Records its calls."""

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []
        self.steps: list[tuple[int, int]] = []
        self.resumed = 0

    def resume(self, last: Epoch) -> None:
        self.resumed = last.epoch

    def start_epoch(self, number: int, n_steps: int) -> None:
        self.n_steps = n_steps

    def step(self, done: int) -> None:
        self.steps.append((done, self.n_steps))

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)


@pytest.mark.parametrize("tags", ["iob", "iobx"])
def test_a_head_learns_six_documents_by_heart(store: FeatureStore, documents: list[Document], tags: str) -> None:
    trainer = trainer_for(store, tags)
    trainer.fit(examples(documents, trainer.tag_set, LANGUAGES), documents, store)
    assert trainer.dev_f1(documents, store) == 1.0
    predictions = predict_from_store(trainer.tagger, documents, store, LANGUAGES)
    assert [p.document.spans for p in predictions] == [d.spans for d in documents]
    guesses = [[guess.language for guess in p.sentence_languages] for p in predictions]
    assert guesses == [[d.language] * 2 for d in documents]
    assert all(0 < guess.probability <= 1 for p in predictions for guess in p.sentence_languages)


def test_the_same_seed_gives_the_same_weights(store: FeatureStore, documents: list[Document]) -> None:
    def weights() -> dict[str, torch.Tensor]:
        trainer = trainer_for(store, epochs=3)
        return trainer.fit(examples(documents, trainer.tag_set, LANGUAGES), documents, store).best_weights

    first, second = weights(), weights()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_patience_stops_and_the_best_epoch_is_kept(store: FeatureStore, documents: list[Document]) -> None:
    trainer, seen = trainer_for(store, patience=2), Seen()
    trained = trainer.fit(examples(documents, trainer.tag_set, LANGUAGES), documents, store, callback=seen)
    assert len(trained.curve) == trained.best.epoch + 2 < 40
    assert trained.best.dev_f1 == max(epoch.dev_f1 for epoch in trained.curve)
    assert seen.epochs == trained.curve
    assert seen.steps == [(1, 3), (2, 3), (3, 3)] * len(trained.curve)


def test_without_dev_documents_the_last_epoch_is_kept(store: FeatureStore, documents: list[Document]) -> None:
    trainer = trainer_for(store, epochs=2)
    trained = trainer.fit(examples(documents, trainer.tag_set, LANGUAGES), [], store)
    assert trained.best.epoch == 2
    assert trained.best.dev_f1 == 0.0


def test_training_can_end_before_the_last_epoch_of_its_plan(store: FeatureStore, documents: list[Document]) -> None:
    whole, part = trainer_for(store, epochs=4), trainer_for(store, epochs=4)
    each = [examples(documents, trainer.tag_set, LANGUAGES) for trainer in (whole, part)]
    curve, short = whole.fit(each[0], [], store).curve, part.fit(each[1], [], store, last=2).curve
    assert [epoch.loss for epoch in short] == [epoch.loss for epoch in curve[:2]]


def test_nothing_to_train_on_is_one_clear_line(store: FeatureStore, documents: list[Document]) -> None:
    trainer = trainer_for(store)
    with pytest.raises(DataError, match="no sentences to train on"):
        trainer.fit([], documents, store)
    unknown = [replace(documents[0], id="unknown")]
    with pytest.raises(DataError, match="no features of news/cs/unknown#0; run `dvc repro extract`"):
        trainer.fit(examples(unknown, trainer.tag_set, LANGUAGES), [], store)
    with pytest.raises(DataError, match="no features of news/cs/unknown#0"):
        predict_from_store(trainer.tagger, unknown, store, LANGUAGES)


def test_features_of_other_words_are_refused(store: FeatureStore, documents: list[Document]) -> None:
    head, tag_set = head_for(store)
    short = replace(documents[0].sentences[0], words=documents[0].sentences[0].words[:2])
    changed = replace(documents[0], sentences=(short,))
    with pytest.raises(DataError, match="cached with other words"):
        predict_from_store(Tagger(head, tag_set, CPU), [changed], store, LANGUAGES)


def test_the_joint_loss_is_the_sum_of_both(store: FeatureStore, documents: list[Document]) -> None:
    head, tag_set = head_for(store)
    batch = collate(examples(documents, tag_set, LANGUAGES)[:4], store, tag_set, head)
    output = head(batch.features.hidden, batch.features.mask, batch.steps)
    tagging = -head.crf.log_likelihood(output.emissions, batch.tags, batch.steps.mask).mean()
    language = torch.nn.functional.cross_entropy(output.language_logits, batch.languages)
    torch.testing.assert_close(joint_loss(head, output, batch.steps, batch.tags, batch.languages), tagging + language)
    unknown = torch.full_like(batch.languages, NO_LANGUAGE)
    torch.testing.assert_close(joint_loss(head, output, batch.steps, batch.tags, unknown), tagging)
    alone = HeadOutput(output.emissions, None)
    torch.testing.assert_close(joint_loss(head, alone, batch.steps, batch.tags, batch.languages), tagging)


def test_a_head_without_classifier_guesses_no_language(store: FeatureStore, documents: list[Document]) -> None:
    head, tag_set = head_for(store, classifier=0)
    prediction = predict_from_store(Tagger(head, tag_set, CPU), documents[:1], store, LANGUAGES)[0]
    assert prediction.sentence_languages == []
    assert prediction.document.language == "cs"


def test_a_gradient_step_is_finite_for_padded_batches(store: FeatureStore, documents: list[Document]) -> None:
    head, tag_set = head_for(store, "iobx")
    batch = collate(examples(documents, tag_set, LANGUAGES), store, tag_set, head)
    assert not batch.steps.mask.all()
    output = head(batch.features.hidden, batch.features.mask, batch.steps)
    joint_loss(head, output, batch.steps, batch.tags, batch.languages).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in head.parameters())
    assert isinstance(batch.steps, Steps)


def test_training_and_evaluation_never_import_the_encoder_or_dask() -> None:
    code = (
        "import sys, stages.train, stages.evaluate; "
        "print([name for name in sys.modules if name in ('transformers', 'dask', 'distributed') "
        "or name.startswith('ner_head.features.extraction')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


class Killed(Exception):
    """Stands for a signal that cannot be caught."""


class KilledAt(TrainingCallback):
    """Ends a run in the middle of an epoch."""

    def __init__(self, epoch: int, step: int) -> None:
        self.left, self.at = epoch - 1, step

    def step(self, done: int) -> None:
        if not self.left and done == self.at:
            raise Killed

    def resume(self, last: Epoch) -> None:
        self.left -= last.epoch

    def epoch(self, epoch: Epoch) -> None:
        self.left -= 1


@pytest.mark.parametrize("words", [0, 4])
def test_an_interrupted_run_goes_on_to_the_same_bits(
    store: FeatureStore, documents: list[Document], tmp_path: Path, words: int
) -> None:
    def trainer() -> Trainer:
        return trainer_for(store, epochs=6, dropout=0.5, words=words)

    def fit(callback: TrainingCallback, checkpoint: Checkpoint | None) -> Trained:
        new = trainer()
        return new.fit(
            examples(documents, new.tag_set, LANGUAGES), documents, store, callback=callback, checkpoint=checkpoint
        )

    whole = fit(TrainingCallback(), None)
    checkpoint = Checkpoint(tmp_path, "key")
    for epoch, step in ((1, 2), (3, 2), (3, 1)):
        with pytest.raises(Killed):
            fit(KilledAt(epoch, step), checkpoint)
    seen = Seen()
    resumed = fit(seen, checkpoint)
    assert seen.resumed == 2
    assert [e.epoch for e in seen.epochs] == [3, 4, 5, 6]
    assert [(e.loss, e.dev_f1) for e in resumed.curve] == [(e.loss, e.dev_f1) for e in whole.curve]
    for found, wanted in ((resumed.best_weights, whole.best_weights), (resumed.last_weights, whole.last_weights)):
        assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
    assert fit(Seen(), checkpoint).curve == resumed.curve  # the run is already finished


def test_features_in_memory_train_the_same_head(store: FeatureStore, documents: list[Document]) -> None:
    def fit(place: str) -> Trained:
        trainer = trainer_for(store, epochs=2, words=4)
        wanted = Selection(trainer.head.pieces, trainer.head.layers)
        source = preload(store, list(store), wanted, place=place, device=CPU)
        return trainer.fit(examples(documents, trainer.tag_set, LANGUAGES), documents, source)

    held, read = fit("ram"), fit("none")
    assert all(torch.equal(held.last_weights[name], tensor) for name, tensor in read.last_weights.items())
    assert [e.dev_f1 for e in held.curve] == [e.dev_f1 for e in read.curve]


@pytest.mark.parametrize("pieces", ["all", "first", "mean"])
def test_a_head_that_sees_first_pieces_learns_and_reads_no_others(
    store: FeatureStore, documents: list[Document], pieces: str
) -> None:
    params = HeadParams(pieces=pieces, lstm=LstmParams(hidden=16), projection=16, classifier=8, dropout=0.0)
    tag_set, encoder = params.tag_set(LABELS), store.manifest.encoder
    torch.manual_seed(0)
    head = build_head(params, n_layers=encoder.n_layers, width=encoder.width, tag_set=tag_set, languages=LANGUAGES)
    settings = TrainingParams(epochs=40, batch_size=4, learning_rate=0.01)
    trainer = Trainer(head, tag_set, LANGUAGES, params=settings, device=CPU)
    sentences = examples(documents, tag_set, LANGUAGES)
    batch = collate(sentences[:1], store, tag_set, head)
    assert batch.features.mask.shape[1] == trainer.length(sentences[0], store)
    assert (batch.features.mask.shape[1] == len(sentences[0].word_tags) + 1) == (pieces == "first")
    trainer.fit(sentences, documents, store)
    assert trainer.dev_f1(documents, store) == 1.0
