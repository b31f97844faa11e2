"""The encoder's last layers, trained with the head from the cached states below them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ner_head.corpus.documents import Document
from ner_head.features.store.spec import EncoderSpec
from ner_head.features.store.store import FeatureStore
from ner_head.head.encoder_layers import adaptation
from ner_head.inference.predictions import predict_from_store
from ner_head.inference.saved_model import SavedModel
from ner_head.inference.tagger import Tagger
from ner_head.recognizer import Recognizer
from ner_head.training.examples import Example, collate, examples
from ner_head.training.session import Checkpoints
from ner_head.training.trainer import Trainer
from tests.conftest import LANGUAGES
from tests.training.tuning import CPU, LIMIT, SMALL, session, stored


def one_window(found: list[Example], store: FeatureStore) -> list[Example]:
    """The sentences that the encoder saw in one pass; tuned layers see others whole too, the encoder did not."""
    return [example for example in found if store.n_pieces(example.name) <= LIMIT - 1]


@pytest.mark.parametrize("layers", ["all", "last", "last-2", "3"])
@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_untrained_layers_give_the_emissions_of_the_cached_ones(
    documents: list[Document], tunable: FeatureStore, n_layers: int, rank: int, layers: str
) -> None:
    shape = SMALL.model_copy(update={"layers": layers})
    frozen, tuned = (session(documents, tunable, shape, tune_layers=n, tune_rank=rank) for n in (0, n_layers))
    found = []
    for each in (frozen, tuned):
        head = each.new_head().eval()
        chosen = one_window(examples(documents, each.manifest.tag_set, each.manifest.languages), tunable)
        batch = collate(chosen, tunable, each.manifest.tag_set, head)
        with torch.inference_mode():
            features = batch.features
            found.append(head(features.hidden, features.mask, batch.steps, batch.words, features.separator))
    mask = batch.steps.mask
    torch.testing.assert_close(found[0].emissions[mask], found[1].emissions[mask], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[0].language_logits, found[1].language_logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("rank", [0, 2])
def test_the_gradient_reaches_what_is_trained_and_nothing_else(
    documents: list[Document], tunable: FeatureStore, rank: int
) -> None:
    tuning = session(documents, tunable, tune_layers=2, tune_rank=rank)
    head = tuning.new_head()
    before = {name: tensor.clone() for name, tensor in head.state_dict().items() if "encoder_layers" in name}
    trainer = Trainer(head, tuning.manifest.tag_set, LANGUAGES, params=tuning.params, device=CPU)
    chosen = examples(documents, tuning.manifest.tag_set, LANGUAGES)
    trainer.train_epoch([chosen, chosen], tunable, 1)
    changed = {name for name, tensor in head.state_dict().items() if name in before and (tensor != before[name]).any()}
    assert changed == (set(adaptation(before)) if rank else set(before))


def test_padding_does_not_matter(documents: list[Document], tunable: FeatureStore) -> None:
    tuning = session(documents, tunable, tune_layers=2)
    head = tuning.new_head().eval()
    chosen = examples(documents, tuning.manifest.tag_set, LANGUAGES)

    def emissions(part: list[Example]) -> list[torch.Tensor]:
        batch = collate(part, tunable, tuning.manifest.tag_set, head)
        features = batch.features
        with torch.inference_mode():
            found = head(features.hidden, features.mask, batch.steps, batch.words, features.separator).emissions
        return [row[mask] for row, mask in zip(found, batch.steps.mask, strict=True)]

    for whole, example in zip(emissions(chosen), chosen, strict=True):
        torch.testing.assert_close(whole, emissions([example])[0], atol=1e-5, rtol=0)


def test_each_layer_has_its_rate_and_biases_and_norms_do_not_decay(
    documents: list[Document], tunable: FeatureStore
) -> None:
    tuning = session(documents, tunable, tune_layers=2, learning_rate=1e-2, tune_rate=1e-3, tune_decay=0.5)
    head = tuning.new_head()
    trainer = Trainer(head, tuning.manifest.tag_set, LANGUAGES, params=tuning.params, device=CPU)
    trainer.train_epoch([examples(documents, tuning.manifest.tag_set, LANGUAGES)], tunable, 1)
    groups = {id(p): group for group in trainer.optimizer.adam.param_groups for p in group["params"]}
    rates = {name: groups[id(p)]["lr"] for name, p in head.named_parameters() if id(p) in groups}
    decays = {name: groups[id(p)]["weight_decay"] for name, p in head.named_parameters() if id(p) in groups}
    assert rates["encoder_layers.layers.1.up.weight"] == pytest.approx(rates["emissions.weight"] / 10)
    assert rates["encoder_layers.layers.0.up.weight"] == pytest.approx(rates["emissions.weight"] / 20)
    plain = {name for name, decay in decays.items() if not decay}
    assert plain == {n for n, p in head.named_parameters() if n.startswith("encoder_layers") and p.ndim == 1}


@pytest.mark.parametrize("rank", [0, 2])
def test_an_interrupted_run_goes_on_to_the_same_bits(
    documents: list[Document], tunable: FeatureStore, tmp_path: Path, rank: int
) -> None:
    settings = {"tune_layers": 2, "tune_rank": rank, "epochs": 3}
    whole = session(documents, tunable, **settings).fit(documents, documents)
    files = (tunable.directory / "manifest.json",)
    folder = Checkpoints(tmp_path, files)
    first = session(documents, tunable, checkpoints=folder, **settings).fit(documents, documents, last=1)
    assert first.checkpoint is not None
    again = session(documents, tunable, checkpoints=folder, **settings)
    key = again._key
    again._key = lambda trainer, inputs, train, last: key(trainer, inputs, train, 1)  # type: ignore[method-assign]
    resumed = again.fit(documents, documents)
    assert [epoch.epoch for epoch in resumed.trained.curve] == [1, 2, 3]
    for name, tensor in whole.trained.last_weights.items():
        assert torch.equal(resumed.trained.last_weights[name], tensor), name


@pytest.mark.parametrize("rank", [0, 2])
def test_a_saved_model_predicts_from_text_what_it_predicts_from_the_store(
    documents: list[Document], tunable: FeatureStore, tmp_path: Path, rank: int
) -> None:
    settings = {"tune_layers": 2, "tune_rank": rank, "tune_rate": 1e-2, "learning_rate": 1e-2, "epochs": 30}
    result = session(documents, tunable, **settings).run()
    result.best.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors", "layers.safetensors", "manifest.json"}
    size = (tmp_path / "layers.safetensors").stat().st_size
    n_saved = 2 * 2 * 2 * rank * 16 if rank else 2 * (4 * 16 * 17 + 2 * 16 * 32 + 32 + 16 + 4 * 16)
    assert 4 * n_saved < size < 4 * n_saved + 4096
    loaded = SavedModel.load(tmp_path, device=CPU, layer_weights=lambda _: tunable.layer_weights())
    for name, tensor in result.best.head.state_dict().items():
        assert torch.equal(loaded.head.state_dict()[name], tensor), name
    tagger = Tagger(loaded.head, loaded.manifest.tag_set, CPU)
    cached = predict_from_store(tagger, documents, tunable, LANGUAGES, probabilities=True)
    recognizer = Recognizer.load(tmp_path, device="cpu")
    assert recognizer.encoder.layers == loaded.head.layers == range(1, 2)
    found = recognizer.recognize([document.text for document in documents])
    assert [d.spans for d in found] != [() for _ in documents]
    for text, prediction in zip(found, cached, strict=True):
        for one, other in zip(text.spans, prediction.document.spans, strict=True):
            assert (one.start, one.end, one.label) == (other.start, other.end, other.label)
            assert one.probability == pytest.approx(other.probability, abs=1e-4)


@pytest.mark.parametrize("rank", [0, 2])
def test_the_heads_of_a_committee_tune_their_own_layers(
    documents: list[Document], tunable: FeatureStore, tmp_path: Path, rank: int
) -> None:
    tuning = session(documents, tunable, tune_layers=2, tune_rank=rank, committee=2, epochs=1)
    result = tuning.run()
    result.best.save(tmp_path)
    weights = tunable.layer_weights
    loaded = SavedModel.load(tmp_path, device=CPU, layer_weights=lambda _: weights())
    saved, found = result.best.head.state_dict(), loaded.head.state_dict()
    assert saved.keys() == found.keys()
    assert all(torch.equal(saved[name], found[name]) for name in saved)
    trained = [name for name in adaptation(saved) or saved if name.startswith("heads.0.encoder_layers")]
    assert trained
    assert all((saved[name] != saved[name.replace("heads.0", "heads.1")]).any() for name in trained)
    taggers = [Tagger(model.head, tuning.manifest.tag_set, CPU) for model in (result.best, loaded)]
    first, second = (predict_from_store(tagger, documents, tunable, LANGUAGES) for tagger in taggers)
    assert first == second


def test_views_and_windows_have_their_own_separators(
    documents: list[Document], tiny_encoder: Path, tmp_path: Path
) -> None:
    store = stored(documents, tiny_encoder, tmp_path, EncoderSpec(dtype="int8", views=1))
    tuning = session(documents, store, tune_layers=1)
    names = list(store)
    plain, dropped = (store.view(number)[names[0]].separator for number in (0, 1))
    assert plain is not None
    assert dropped is not None
    assert plain.shape == (3, 16)
    assert (plain != dropped).any()
    assert tuning.fit(documents, documents).trained.curve[-1].epoch == 2
