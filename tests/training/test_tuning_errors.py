"""Tuning of layers: what is missing, damaged or does not fit is one line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ner_head.base.errors import DataError, UsageError
from ner_head.corpus.documents import Document
from ner_head.features.store.manifest import read_weights
from ner_head.features.store.spec import EncoderSpec
from ner_head.features.store.store import FeatureStore
from ner_head.inference.saved_model import SavedModel
from tests import tiny_encoders
from tests.training.tuning import CPU, SMALL, session, stored


def test_damaged_or_absent_layers_of_a_model_are_one_line(
    documents: list[Document], tunable: FeatureStore, tmp_path: Path
) -> None:
    tuning = session(documents, tunable, tune_layers=1)
    SavedModel(tuning.manifest, tuning.new_head()).save(tmp_path)
    path = tmp_path / "layers.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"layers\.safetensors: damaged \(SHA-256"):
        SavedModel.load(tmp_path, device=CPU)
    path.unlink()
    with pytest.raises(DataError, match=r"layers\.safetensors: No such file"):
        SavedModel.load(tmp_path, device=CPU)


def test_tuned_layers_of_another_shape_are_one_line(
    documents: list[Document], tunable: FeatureStore, tmp_path: Path
) -> None:
    tuning = session(documents, tunable, tune_layers=1)
    SavedModel(tuning.manifest, tuning.new_head()).save(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"intermediate": 32', '"intermediate": 31'))
    with pytest.raises(DataError, match="weights and manifest do not fit"):
        SavedModel.load(tmp_path, device=CPU)


def test_layers_that_are_not_stored_are_one_line(documents: list[Document], tiny_encoder: Path, tmp_path: Path) -> None:
    store = stored(documents, tiny_encoder, tmp_path, EncoderSpec(layers="2-3"))
    session(documents, store, SMALL.model_copy(update={"layers": "last-2"}), tune_layers=1)
    wanted = "layers 2-3 of the encoder, but the head reads 1-3; set encoder.layers to 1-3 and run `dvc repro extract`"
    with pytest.raises(DataError, match=wanted):
        session(documents, store)
    with pytest.raises(DataError, match=r"but the head reads 0; set encoder\.layers to 0-3"):
        session(documents, store, SMALL.model_copy(update={"layers": "last"}), tune_layers=3)


@pytest.mark.parametrize(
    ("head", "training", "message"),
    [
        ({}, {"tune_layers": 4}, "training.tune_layers: 4, but the encoder has 3 layers"),
        ({"layers": "1-2"}, {"tune_layers": 1}, "head.layers: 1-2 leaves out"),
        ({"pieces": "first"}, {"tune_layers": 1}, "set head.pieces to mean or all"),
        ({"layers": "4"}, {}, "head.layers: 4, but the encoder has layers 1 to 3"),
    ],
)
def test_params_that_do_not_fit_are_one_line(
    documents: list[Document], tunable: FeatureStore, head: dict[str, object], training: dict[str, int], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        session(documents, tunable, SMALL.model_copy(update=head), **training)


def test_an_encoder_with_other_layers_stores_no_weights_and_cannot_be_tuned(
    documents: list[Document], tmp_path: Path
) -> None:
    folder = tiny_encoders.save("modernbert", tmp_path / "encoder")
    store = stored(documents, folder, tmp_path, EncoderSpec())
    assert store.manifest.layers is None
    assert not (store.directory / "layers.safetensors").exists()
    with pytest.raises(DataError, match=r"has no weights of the encoder's layers, which training\.tune_layers needs"):
        session(documents, store, tune_layers=1)


def test_damaged_weights_of_a_store_are_one_line(documents: list[Document], tiny_encoder: Path, tmp_path: Path) -> None:
    store = stored(documents, tiny_encoder, tmp_path, EncoderSpec())
    (store.directory / "layers.safetensors").write_bytes(b"\xff" * 9)
    with pytest.raises(DataError, match=r"layers\.safetensors: damaged"):
        session(documents, store, tune_layers=1)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"\x08" + b"\0" * 7 + b'{"a":{}}'])
def test_weights_with_the_right_digest_that_are_not_safetensors_are_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "layers.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"layers\.safetensors: not a safetensors file"):
        read_weights(path, hashlib.sha256(content).hexdigest())


def test_weights_of_other_layers_are_one_line(documents: list[Document], tiny_encoder: Path, tmp_path: Path) -> None:
    store = stored(documents, tiny_encoder, tmp_path, EncoderSpec())
    tuning = session(documents, store, tune_layers=1)
    tuning.layer_weights = {name: tensor for name, tensor in tuning.layer_weights.items() if "value" not in name}
    with pytest.raises(
        DataError, match=r"layer 3 of the encoder does not fit: .*value\.weight.* run `dvc repro extract`"
    ):
        tuning.new_head()
