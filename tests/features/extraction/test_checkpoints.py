"""Where an encoder is looked for, that the hub is asked for names only, and what is fetched from it."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest

from ner_head.base.errors import DataError, UsageError
from ner_head.features.extraction.checkpoints import fetch, find_encoder, local_encoder, looks_local
from ner_head.features.extraction.families import EncoderFiles


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the hub was asked for; it has everything."""
    names = list[str]()
    found = tmp_path / "from-the-hub"
    found.mkdir()
    (found / "model.safetensors").touch()

    def download(name: str, **_: object) -> str:
        names.append(name)
        return str(found)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.chdir(tmp_path)
    return names


@pytest.mark.parametrize("name", ["bert-base-multilingual-cased", "google-bert/bert-base-cased", "a/b.c-d_e"])
def test_a_name_goes_to_the_hub(asked: list[str], tmp_path: Path, name: str) -> None:
    assert find_encoder(name) == tmp_path / "from-the-hub"
    assert asked == [name]


@pytest.mark.parametrize(
    "name",
    [
        *("encoders/slavic-mini", "encoders", "./bert", "../bert", ".bert", "/opt/bert", "~/bert"),
        *("a/b/c", "bert/", "C:\\bert", "encoders\\bert", "models/bert", "has space/bert", "file"),
    ],
)
def test_what_looks_like_a_path_does_not(asked: list[str], tmp_path: Path, name: str) -> None:
    (tmp_path / "models").mkdir()  # a folder that is here is no user of the hub
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="no such folder here, and the hub is not asked for a folder; give the place"):
        find_encoder(name)
    assert looks_local(name)
    assert asked == []


def test_what_was_a_folder_is_never_asked_for(asked: list[str]) -> None:
    with pytest.raises(UsageError, match=r"encoder 'my/bert': no such folder here.*`--encoder FOLDER`"):
        find_encoder("my/bert", local=True)
    assert asked == []


def test_a_folder_is_found_beside_the_head_that_was_trained_on_it_first(asked: list[str], tmp_path: Path) -> None:
    head = tmp_path / "project/models/head"
    for folder in (head, tmp_path / "project/encoders/x", tmp_path / "encoders/x", tmp_path / "encoders/y"):
        folder.mkdir(parents=True)
    assert find_encoder("encoders/x", local=True, beside=head).samefile(tmp_path / "project/encoders/x")
    assert find_encoder("encoders/x").samefile(tmp_path / "encoders/x")
    assert find_encoder("encoders/y", beside=head).samefile(tmp_path / "encoders/y")
    with pytest.raises(UsageError, match=r"'encoders/z': no such folder here or in a folder around .*models/head"):
        find_encoder("encoders/z", beside=head)
    assert asked == []


def test_a_head_behind_a_link_is_in_both_places(asked: list[str], tmp_path: Path) -> None:
    for folder in ("project/models", "project/encoders/x", "storage/heads/one", "storage/encoders/y"):
        (tmp_path / folder).mkdir(parents=True)
    link = tmp_path / "project/models/head"
    link.symlink_to(tmp_path / "storage/heads/one")
    assert find_encoder("encoders/x", beside=link).samefile(tmp_path / "project/encoders/x")
    assert find_encoder("encoders/y", beside=link).samefile(tmp_path / "storage/encoders/y")
    assert asked == []


@pytest.mark.parametrize("name", ["bert-base-nowhere", "nobody/nothing"])
def test_a_hub_that_does_not_answer_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"encoder '{name}': no such folder here, and the hub did not give it"):
        find_encoder(name)


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("encoders/x", "give the folder of an encoder; `ner-head fetch NAME` downloads one from the Hugging Face hub"),
        ("bert-base", "run `ner-head fetch bert-base`, then set encoder.model to encoders/bert-base"),
        ("owner/bert", "run `ner-head fetch owner/bert`, then set encoder.model to encoders/bert"),
    ],
)
def test_the_pipeline_needs_a_folder_and_says_how_to_get_one(asked: list[str], name: str, mend: str) -> None:
    with pytest.raises(UsageError) as caught:
        local_encoder(name)
    assert str(caught.value) == f"encoder.model: no folder {name!r}; {mend}"
    Path(name).mkdir(parents=True)
    assert local_encoder(name) == Path(name)
    assert asked == []


@pytest.fixture
def hub(tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a hub that has the tiny encoder, with files that are not needed and links as on a real disk."""
    blobs, cache = tmp_path / "blobs", tmp_path / "cache"
    for folder in (blobs, cache, cache / "onnx"):
        folder.mkdir()
    contents = {file.name: file.read_bytes() for file in tiny_encoder.iterdir()}
    contents |= {"pytorch_model.bin": b"pickle", "modeling.py": b"code", "x.gguf": b"", "onnx/model.safetensors": b""}
    for number, (name, content) in enumerate(contents.items()):
        (blobs / str(number)).write_bytes(content)
        (cache / name).symlink_to(blobs / str(number))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: str(cache))
    monkeypatch.chdir(tmp_path)
    return cache


def test_an_encoder_is_fetched_as_plain_files_without_pickles_and_code(hub: Path, tiny_encoder: Path) -> None:
    folder = fetch("owner/tiny")
    assert folder == Path("encoders/tiny")
    names = {file.name for file in folder.iterdir()}
    assert {"config.json", "model.safetensors"} <= names
    assert names <= {file.name for file in tiny_encoder.iterdir()}
    for file in folder.iterdir():
        assert not file.is_symlink()
        assert file.read_bytes() == (tiny_encoder / file.name).read_bytes()
    assert EncoderFiles.open(folder).weights == [folder / "model.safetensors"]
    assert [file.name for file in folder.parent.iterdir()] == ["tiny"]


def test_an_encoder_is_fetched_into_another_folder_but_never_over_files(hub: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.mkdir()
    assert fetch("owner/tiny", target) == target
    with pytest.raises(UsageError, match="mine: exists already; remove it, or give another folder"):
        fetch("owner/tiny", target)


def test_an_encoder_with_gguf_weights_only_is_fetched_with_the_first_file(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("model.safetensors", "x.gguf"):
        (hub / name).unlink()
    monkeypatch.setattr(huggingface_hub, "list_repo_files", lambda _: ["q8.gguf", "old/a.gguf", "q4.gguf", "a.bin"])
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda _, name: (hub / name).touch())
    folder = fetch("owner/tiny")
    assert [file.name for file in folder.glob("*.gguf")] == ["q4.gguf"]
    monkeypatch.setattr(huggingface_hub, "list_repo_files", lambda _: ["pytorch_model.bin"])
    (hub / "q4.gguf").unlink()
    with pytest.raises(
        DataError, match=r"'owner/pickled': the hub has no \*.safetensors or \*.gguf of it \(pickles are"
    ):
        fetch("owner/pickled")


def test_what_is_no_usable_encoder_leaves_no_folder(hub: Path) -> None:
    (hub / "config.json").unlink()
    with pytest.raises(DataError, match=r"needs config.json and"):
        fetch("owner/tiny")
    assert not Path("encoders").exists()


@pytest.mark.parametrize("name", ["nobody/nothing", "bert-base-nowhere"])
def test_a_fetch_without_network_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=rf"encoder '{name}': the hub did not give it \(\w+\); check the name and the"):
        fetch(name)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_name_of_the_hub_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"encoder '\./x': not a name on the Hugging Face hub, such as owner/name"):
        fetch("./x")
