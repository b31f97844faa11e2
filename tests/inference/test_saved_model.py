from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from ner_head.base.errors import DataError
from ner_head.corpus.results import Temperatures
from ner_head.features.store.manifest import EncoderRecord
from ner_head.head.committee import Committee
from ner_head.head.params import HeadParams
from ner_head.inference.saved_model import ModelManifest, SavedModel, TrainingRecord, new_head

CPU = torch.device("cpu")
MANIFEST = ModelManifest(
    scheme="iob",
    labels=["LOC", "PER"],
    languages=["cs", "pl"],
    segmentation="rules-1",
    encoder=EncoderRecord(model="tiny", fingerprint="a" * 64, n_layers=2, width=8),
    head=HeadParams(),
    training=TrainingRecord(seed=1, epoch=3, dev_f1=0.5),
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    SavedModel(MANIFEST, new_head(MANIFEST)).save(tmp_path / "model")
    return tmp_path / "model"


def test_what_is_saved_is_loaded(saved: Path) -> None:
    model = SavedModel.load(saved, device=CPU)
    torch.manual_seed(0)
    fresh = new_head(MANIFEST)
    digest = hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert model.manifest == MANIFEST.model_copy(update={"sha256": digest})
    assert all(torch.equal(a, b) for a, b in zip(model.head.parameters(), fresh.parameters(), strict=True))
    assert {path.name for path in saved.iterdir()} == {"model.safetensors", "manifest.json"}


def test_temperatures_are_kept_and_a_model_without_them_has_none(saved: Path) -> None:
    path = saved / "manifest.json"
    warm = MANIFEST.model_copy(update={"temperatures": Temperatures(spans=1.5, labels={"LOC": -0.5}, languages=0.5)})
    SavedModel(warm, new_head(MANIFEST)).save(saved)
    assert SavedModel.load(saved, device=CPU).manifest.temperatures == warm.temperatures
    content = json.loads(path.read_text())
    del content["temperatures"]  # as in older models
    path.write_text(json.dumps(content))
    assert SavedModel.load(saved, device=CPU).manifest.temperatures == Temperatures()


def test_a_committee_is_saved_and_loaded_with_all_its_heads(tmp_path: Path) -> None:
    records = [TrainingRecord(seed=seed, epoch=3, dev_f1=0.5) for seed in (2, 3)]
    torch.manual_seed(0)
    committee = Committee([new_head(MANIFEST) for _ in records])
    manifest = MANIFEST.model_copy(update={"members": records})
    SavedModel(manifest, committee).save(tmp_path)
    loaded = SavedModel.load(tmp_path, device=CPU)
    assert loaded.manifest.model_copy(update={"sha256": ""}) == manifest
    assert isinstance(loaded.head, Committee)
    wanted = committee.state_dict()
    assert loaded.head.state_dict().keys() == wanted.keys()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in loaded.head.state_dict().items())
    assert {name.split(".")[0] for name in wanted} == {"heads", "crf"}


def test_a_manifest_with_another_number_of_members_is_one_clear_line(saved: Path) -> None:
    path = saved / "manifest.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "members": [content["training"]] * 2}))
    with pytest.raises(DataError, match="weights and manifest do not fit"):
        SavedModel.load(saved, device=CPU)


def test_an_absent_model_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest\.json: No such file or directory; train one with `dvc repro`"):
        SavedModel.load(tmp_path, device=CPU)


def test_a_manifest_without_weights_is_one_clear_line(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(DataError, match="train one with `dvc repro`"):
        SavedModel.load(saved, device=CPU)


def test_damaged_weights_are_one_clear_line(saved: Path) -> None:
    path = saved / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])  # another number
    with pytest.raises(DataError, match=r"model\.safetensors: damaged \(SHA-256 .*; train one with `dvc repro`"):
        SavedModel.load(saved, device=CPU)
    manifest = json.loads((saved / "manifest.json").read_text())
    del manifest["sha256"]  # as in older models
    (saved / "manifest.json").write_text(json.dumps(manifest))
    SavedModel.load(saved, device=CPU)
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(DataError, match=r"model\.safetensors: damaged: "):
        SavedModel.load(saved, device=CPU)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("version", 2, "a model of version 2; this ner-head reads 1"),
        ("labels", ["LOC"], "weights and manifest do not fit"),
        (
            "temperatures",
            {"spans": 0.0},
            r"manifest\.json: temperatures\.spans: Input should be greater than or equal to 0\.000001",
        ),
        (
            "temperatures",
            {"labels": {"LOC": float("nan")}},
            r"manifest\.json: temperatures\.labels\.LOC: Input should be",
        ),
        ("surprise", 1, r"manifest\.json: surprise: Extra inputs are not permitted"),
    ],
)
def test_a_manifest_that_does_not_fit_is_one_clear_line(saved: Path, key: str, value: object, message: str) -> None:
    path = saved / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(DataError, match=message):
        SavedModel.load(saved, device=CPU)
