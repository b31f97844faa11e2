"""Where a checkpoint is looked for, and that the hub is asked for names only."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest

from ner_head.base.errors import UsageError
from ner_head.features.extraction.checkpoints import find_model, looks_local


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the hub was asked for; it has everything."""
    names = list[str]()

    def download(name: str, **_: object) -> str:
        names.append(name)
        return str(tmp_path / "from-the-hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.chdir(tmp_path)
    return names


@pytest.mark.parametrize("name", ["bert-base-multilingual-cased", "google-bert/bert-base-cased", "a/b.c-d_e"])
def test_a_name_goes_to_the_hub(asked: list[str], tmp_path: Path, name: str) -> None:
    assert find_model(name) == tmp_path / "from-the-hub"
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
        find_model(name)
    assert looks_local(name)
    assert asked == []


def test_what_was_a_folder_is_never_asked_for(asked: list[str]) -> None:
    with pytest.raises(UsageError, match=r"encoder 'my/bert': no such folder here.*`--encoder FOLDER`"):
        find_model("my/bert", local=True)
    assert asked == []


def test_a_folder_is_found_beside_the_head_that_was_trained_on_it_first(asked: list[str], tmp_path: Path) -> None:
    head = tmp_path / "project/models/head"
    for folder in (head, tmp_path / "project/encoders/x", tmp_path / "encoders/x", tmp_path / "encoders/y"):
        folder.mkdir(parents=True)
    assert find_model("encoders/x", local=True, beside=head).samefile(tmp_path / "project/encoders/x")
    assert find_model("encoders/x").samefile(tmp_path / "encoders/x")
    assert find_model("encoders/y", beside=head).samefile(tmp_path / "encoders/y")
    with pytest.raises(UsageError, match=r"'encoders/z': no such folder here or in a folder around .*models/head"):
        find_model("encoders/z", beside=head)
    assert asked == []


def test_a_head_behind_a_link_is_in_both_places(asked: list[str], tmp_path: Path) -> None:
    for folder in ("project/models", "project/encoders/x", "storage/heads/one", "storage/encoders/y"):
        (tmp_path / folder).mkdir(parents=True)
    link = tmp_path / "project/models/head"
    link.symlink_to(tmp_path / "storage/heads/one")
    assert find_model("encoders/x", beside=link).samefile(tmp_path / "project/encoders/x")
    assert find_model("encoders/y", beside=link).samefile(tmp_path / "storage/encoders/y")
    assert asked == []


@pytest.mark.parametrize("name", ["bert-base-nowhere", "nobody/nothing"])
def test_a_hub_that_does_not_answer_is_one_line(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"encoder '{name}': no such folder here, and the hub did not give it"):
        find_model(name)
