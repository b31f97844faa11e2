"""Bundles: complete, the same predictions as the model, never the hub, and damage is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from ner_head.base.errors import DataError, UsageError
from ner_head.bundles.bundle import make_bundle
from ner_head.cards.card import Description
from ner_head.corpus.documents import Document
from ner_head.corpus.segment import SEGMENTATION
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.store.manifest import EncoderRecord
from ner_head.features.store.store import FeatureStore
from ner_head.head.params import HeadParams, LstmParams
from ner_head.inference.saved_model import ModelManifest, SavedModel, TrainingRecord, new_head
from ner_head.recognizer import Recognizer
from tests import tiny_encoders
from tests.bundles.conftest import DESCRIBED
from tests.conftest import LABELS, LANGUAGES, ROOT
from tests.offline import run_ner_head
from tests.training.tuning import session

CPU = torch.device("cpu")
TEXTS = ["Jana Nováková přijela do Prahy. Vláda mlčela.", "Анна Петрова живёт в Москве.", ""]


def found(model: Path) -> list[Document]:
    return Recognizer.load(model, device="cpu").recognize(TEXTS)


def copied(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def test_a_bundle_finds_what_its_model_finds(model: Path, bundle: Path) -> None:
    assert found(bundle) == found(model)
    assert [span.label for span in found(bundle)[0].spans] == ["PER", "LOC"]


def test_a_bundle_has_plain_files_and_nothing_else(bundle: Path, tiny_encoder: Path) -> None:
    name = tiny_encoder.name
    files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    assert not any(path.is_symlink() for path in bundle.rglob("*"))
    assert files == {
        *("manifest.json", "model.safetensors", "bundle.json", "README.md"),
        *(f"encoder/{name}/{file}" for file in ("config.json", "model.safetensors", "tokenizer.json")),
        f"encoder/{name}/tokenizer_config.json",
    }
    record = ModelManifest.read(bundle).encoder
    assert (record.model, record.local) == (f"encoder/{name}", True)
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_links_become_files(model: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    for source, target in ((model, tmp_path / "head"), (tiny_encoder, tmp_path / "encoder")):
        target.mkdir()
        for file in source.iterdir():
            (target / file.name).symlink_to(file)
    make_bundle(tmp_path / "head", tmp_path / "out", DESCRIBED, encoder=str(tmp_path / "encoder"))
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    assert found(tmp_path / "out") == found(model)


@pytest.mark.parametrize("family", tiny_encoders.FAMILIES)
def test_encoders_of_every_family_can_be_bundled(family: str, tmp_path: Path) -> None:
    folder = tiny_encoders.save(family, tmp_path / "encoders" / family)
    mark = Encoder(folder, device=CPU, load=False).fingerprint
    record = EncoderRecord(
        model=f"encoders/{family}", local=True, fingerprint=mark.digest(), n_layers=mark.n_layers, width=mark.width
    )
    manifest = ModelManifest(
        scheme="iob",
        labels=LABELS,
        languages=LANGUAGES,
        segmentation=SEGMENTATION,
        encoder=record,
        head=HeadParams(lstm=LstmParams(hidden=16), projection=16, classifier=8),
        training=TrainingRecord(seed=0, epoch=0),
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        SavedModel(manifest, new_head(manifest)).save(tmp_path / "models/head")
    make_bundle(tmp_path / "models/head", tmp_path / "out", DESCRIBED)
    before = found(tmp_path / "models/head")
    shutil.rmtree(tmp_path / "encoders")
    assert found(tmp_path / "out") == before


@pytest.mark.parametrize("settings", [{"committee": 2}, {"tune_layers": 2}, {"tune_layers": 2, "tune_rank": 2}])
def test_committees_and_tuned_layers_are_bundled(
    settings: dict[str, int],
    documents: list[Document],
    tunable: FeatureStore,
    tmp_path: Path,
) -> None:
    result = session(documents, tunable, tune_rate=1e-2, learning_rate=1e-2, epochs=3, **settings).run()
    result.best.save(tmp_path / "head")
    make_bundle(tmp_path / "head", tmp_path / "out", DESCRIBED)
    assert (tmp_path / "out/layers.safetensors").is_file() == ("tune_layers" in settings)
    assert found(tmp_path / "out") == found(tmp_path / "head")


def test_a_bundle_can_be_bundled_again(bundle: Path, tmp_path: Path) -> None:
    make_bundle(bundle, tmp_path / "again", Description("again"))
    record = json.loads((tmp_path / "again/bundle.json").read_text())
    before = json.loads((bundle / "bundle.json").read_text())
    assert record == {**before, "name": "again"}
    assert found(tmp_path / "again") == found(bundle)


def test_another_encoder_is_refused(model: Path, tmp_path: Path) -> None:
    other = tiny_encoders.save("electra", tmp_path / "other")
    with pytest.raises(DataError, match=r"was trained on features of .* but the encoder in .*other has"):
        make_bundle(model, tmp_path / "out", DESCRIBED, encoder=str(other))
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_refused_and_an_empty_one_is_taken(model: Path, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used/file").touch()
    with pytest.raises(UsageError, match="used: exists already; remove it, or give another folder"):
        make_bundle(model, tmp_path / "used", DESCRIBED)
    (tmp_path / "empty").mkdir()
    make_bundle(model, tmp_path / "empty", DESCRIBED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "used"]


def test_a_model_that_is_not_whole_leaves_no_bundle(model: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(model, tmp_path / "broken"))
    weights = broken / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(b"\xff" * 100)
    with pytest.raises(DataError, match=r"model\.safetensors: damaged"):
        make_bundle(broken, tmp_path / "out", DESCRIBED)
    weights.unlink()
    with pytest.raises(DataError, match=r"broken/model\.safetensors: No such file"):
        make_bundle(broken, tmp_path / "out", DESCRIBED)
    weights.write_bytes(content)
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


@pytest.mark.parametrize("file", ["model.safetensors", "manifest.json", "encoder/{}/model.safetensors"])
def test_a_flipped_bit_is_named(bundle: Path, tiny_encoder: Path, tmp_path: Path, file: str) -> None:
    folder = copied(bundle, tmp_path)
    name = file.format(tiny_encoder.name)
    content = bytearray((folder / name).read_bytes())
    content[-9] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"copy: damaged: {name} \(SHA-256 \w{{12}}, expected \w{{12}}\); copy or"):
        Recognizer.load(folder, device="cpu")


def test_absent_files_are_named_and_the_hub_is_not_asked(
    bundle: Path, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(bundle, tmp_path)
    shutil.rmtree(folder / "encoder")
    with pytest.raises(DataError, match=r"copy: damaged: encoder/\S+/config\.json \(absent\), .* and 1 more; copy or"):
        Recognizer.load(folder, device="cpu")
    (folder / "bundle.json").unlink()  # a model as any other, whose encoder is not there
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"encoder 'encoder/\S+': no such folder here.*the hub is not asked"):
        Recognizer.load(folder, device="cpu")
    with pytest.raises(UsageError, match="the hub is not asked for a folder"):
        make_bundle(folder, tmp_path / "out", DESCRIBED)
    assert asked == []


def test_a_damaged_record_is_one_line(bundle: Path, tmp_path: Path) -> None:
    folder = copied(bundle, tmp_path)
    (folder / "bundle.json").write_text('{"version": 1, "name": "x", "summary": "", "files": {"a": "b"}}')
    with pytest.raises(DataError, match=r"bundle\.json: damaged: files\.a: String should match pattern"):
        Recognizer.load(folder, device="cpu")
    (folder / "bundle.json").write_text("{")
    with pytest.raises(DataError, match=r"bundle\.json: damaged: Invalid JSON"):
        Recognizer.load(folder, device="cpu")


def test_the_encoder_of_the_bundle_comes_before_one_around_it(
    bundle: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(bundle, tmp_path)
    tiny_encoders.save("electra", tmp_path / "encoder" / tiny_encoder.name)
    monkeypatch.chdir(tmp_path)
    assert Recognizer.load(folder, device="cpu").encoder.folder == folder / "encoder" / tiny_encoder.name


@pytest.mark.parametrize("home", ["", "absent"])
def test_a_bundle_works_without_network_home_and_permission_to_write(bundle: Path, tmp_path: Path, home: str) -> None:
    folder, here = copied(bundle, tmp_path), tmp_path / "here"
    here.mkdir()
    for path in (folder, *folder.rglob("*"), here):
        path.chmod(0o555 if path.is_dir() else 0o444)
    environment = {"HOME": str(here / home)} if home else {}
    try:
        done = run_ner_head("predict", "--model", folder, "--text", TEXTS[0], cwd=here, root=ROOT, **environment)
    finally:
        for path in (folder, *(path for path in folder.rglob("*") if path.is_dir()), here):
            path.chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    assert [span["text"] for span in json.loads(done.stdout)["spans"]] == ["Jana Nováková", "Prahy"]
