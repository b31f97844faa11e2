"""Files made to harm: each with the right SHA-256 in its manifest, none may be read, and none may crash the reader."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from ner_head.base.errors import DataError
from ner_head.features.store.store import FeatureStore

KEY, FINGERPRINT = "a" * 64, "b" * 64
STRUCTURE = {
    "offsets fall": "disagree about the number of pieces",
    "offsets beyond": "disagree about the number of pieces",
    "offsets not from 0": "disagree about the number of pieces",
    "offsets overflow": "disagree about the number of pieces",
    "type": "hidden: not a contiguous <f2 dataset",
    "big-endian": "hidden: not a contiguous <f2 dataset",
    "shape": "disagree about the number of pieces",
    "axes": "hidden: not a contiguous <f2 dataset of 3 axes",
    "empty": "hidden: not a contiguous",
    "version": "not a shard of format",
    "no attributes": "not a shard of format",
    "attribute of another type": "not a shard",
    "code": "which is none of float16, bfloat16, float32, int8",
    "other key": "holds the shard cccccccccccc, but the manifest names aaaaaaaaaaaa",
    "other fingerprint": "made by encoder dddddddddddd, but the manifest names bbbbbbbbbbbb",
    "missing": "piece_ids: not a plain dataset",
    "soft link": "hidden: not a plain dataset",
    "soft link to nothing": "hidden: not a plain dataset",
    "external link": "hidden: not a plain dataset",
    "external storage": "hidden: not a contiguous",
    "virtual": "hidden: not a contiguous",
    "filter": "hidden: not a contiguous",
    "chunked": "hidden: not a contiguous",
    "compact": "hidden: not a contiguous",
    "group": "hidden: not a contiguous",
    "huge": "more than the file has",
    "huge, in the header": "more than the file has|not a shard",
    "word goes back": "word_of_piece does not number",
    "word skipped": "word_of_piece does not number",
    "cls in the middle": "word_of_piece does not number",
    "no cls": "word_of_piece does not number",
    "word below -1": "word_of_piece does not number",
    "negative piece": "word_of_piece does not number",
    "separator of another type": "separator: not a contiguous <f2 dataset",
    "separator of another axis": "separator: not a contiguous <f2 dataset of 3 axes",
    "separator of fewer sentences": "separator: does not have a \\[SEP\\] for each sentence",
    "separator of more layers": "separator: does not have a \\[SEP\\] for each sentence",
    "separator of another width": "separator: does not have a \\[SEP\\] for each sentence",
    "no separator": "separator: not a plain dataset",
    "no first layer": "not a shard",
    "first layer below 0": "its first layer is -1",
    "other first layer": "is not what the manifest says",
    "more sentences": "is not what the manifest says",
    "more views": "is not what the manifest says",
    "other width": "is not what the manifest says",
    "not hdf5": "shard|HDF5|open",
    "half of a file": "shard|HDF5|truncated",
}

ABSENT = {("piece_ids", "missing"), ("separator", "no separator")}


def arrays(change: str) -> dict[str, np.ndarray]:
    """The datasets of a shard of two sentences, one thing wrong."""
    data = {
        "hidden": np.zeros((5, 1, 2), "<f2"),
        "piece_ids": np.zeros(5, "<i4"),
        "word_of_piece": np.array([-1, 0, 1, -1, 0], "<i4"),
        "separator": np.zeros((2, 1, 2), "<f2"),
        "offsets": np.array([0, 3, 5], "<i8"),
    }
    wrong = {
        "offsets fall": ("offsets", np.array([0, 6, 5], "<i8")),
        "offsets beyond": ("offsets", np.array([0, 3, 6], "<i8")),
        "offsets not from 0": ("offsets", np.array([1, 3, 5], "<i8")),
        "offsets overflow": ("offsets", np.array([0, -(2**63), 5], "<i8")),
        "type": ("hidden", data["hidden"].astype("<f4")),
        "big-endian": ("hidden", data["hidden"].astype(">f2")),
        "shape": ("hidden", data["hidden"][:2]),
        "axes": ("hidden", data["hidden"][:, 0]),
        "empty": ("hidden", data["hidden"][:0]),
        "word goes back": ("word_of_piece", np.array([-1, 0, 0, -1, -1], "<i4")),
        "word skipped": ("word_of_piece", np.array([-1, 0, 2, -1, 0], "<i4")),
        "cls in the middle": ("word_of_piece", np.array([-1, 0, -1, -1, 0], "<i4")),
        "no cls": ("word_of_piece", np.array([-1, 0, 1, 1, 2], "<i4")),
        "word below -1": ("word_of_piece", np.array([-1, 0, -2, -1, 0], "<i4")),
        "negative piece": ("piece_ids", np.array([1, 2, -3, 4, 5], "<i4")),
        "more sentences": ("offsets", np.array([0, 5], "<i8")),
        "other width": ("hidden", np.zeros((5, 1, 3), "<f2")),
        "separator of another type": ("separator", data["separator"].astype("<f4")),
        "separator of another axis": ("separator", data["separator"][:, 0]),
        "separator of fewer sentences": ("separator", data["separator"][:1]),
        "separator of more layers": ("separator", np.zeros((2, 2, 2), "<f2")),
        "separator of another width": ("separator", np.zeros((2, 1, 3), "<f2")),
        "nan in separator": ("separator", np.full((2, 1, 2), np.nan, "<f2")),
        "nan": ("hidden", np.full((5, 1, 2), np.nan, "<f2")),
        "inf": ("hidden", np.full((5, 1, 2), -np.inf, "<f2")),
    }
    if change in wrong:
        data[wrong[change][0]] = wrong[change][1]
    if change == "more sentences":
        data["word_of_piece"] = np.array([-1, 0, 1, 1, 2], "<i4")
        data["separator"] = data["separator"][:1]
    if change == "other width":
        data["separator"] = np.zeros((2, 1, 3), "<f2")
    return data


def put_hidden(file: h5py.File, data: np.ndarray, change: str) -> bool:
    """Write `hidden` in a wrong way; False where it is not what is wrong."""
    if change == "external link":
        file["hidden"] = h5py.ExternalLink("/etc/hostname", "/x")
    elif change == "soft link":
        file.create_dataset("other", data=data)
        file["hidden"] = h5py.SoftLink("/other")
    elif change == "soft link to nothing":
        file["hidden"] = h5py.SoftLink("/nothing")
    elif change == "external storage":
        file.create_dataset("hidden", data.shape, "<f2", external=[("/etc/hostname", 0, 20)])
    elif change == "virtual":
        layout = h5py.VirtualLayout(data.shape, "<f2")
        layout[:] = h5py.VirtualSource("other.h5", "x", data.shape)
        file.create_virtual_dataset("hidden", layout)
    elif change == "filter":
        file.create_dataset("hidden", data=data, compression="gzip")
    elif change == "chunked":
        file.create_dataset("hidden", data=data, chunks=(1, 1, 2))
    elif change == "group":
        file.create_group("hidden")
    elif change in ("compact", "huge"):
        create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        create.set_layout(h5py.h5d.COMPACT if change == "compact" else h5py.h5d.CONTIGUOUS)
        shape = data.shape if change == "compact" else (2**40, 1, 2)
        space = h5py.h5s.create_simple(shape)
        h5py.h5d.create(file.id, b"hidden", h5py.h5t.IEEE_F16LE, space, create)
    else:
        return False
    return True


def hostile(path: Path, change: str) -> None:
    """A shard with one thing wrong."""
    with h5py.File(path, "w") as file:
        attributes = {"format": "ner-head features", "version": 2, "key": KEY, "fingerprint": FINGERPRINT}
        attributes |= {"first_layer": {"first layer below 0": -1, "other first layer": 2}.get(change, 1)}
        attributes["dtype"] = "pickle" if change == "code" else "float16"
        attributes |= {"version": {"version": 99}}.get(change, {})
        attributes |= {"other key": {"key": "c" * 64}, "other fingerprint": {"fingerprint": "d" * 64}}.get(change, {})
        if change == "attribute of another type":
            attributes["format"] = np.zeros(3)
        if change == "no first layer":
            del attributes["first_layer"]
        if change != "no attributes":
            file.attrs.update(attributes)
        for name, array in arrays(change).items():
            if (name == "hidden" and put_hidden(file, array, change)) or (name, change) in ABSENT:
                continue
            file.create_dataset(name, data=array)
        if change == "more views":
            file.create_dataset("hidden_1", data=arrays(change)["hidden"])
            file.create_dataset("separator_1", data=arrays(change)["separator"])
    if change == "not hdf5":
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 4)
    if change == "half of a file":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if change == "huge, in the header":
        sizes = struct.pack("<3Q", 5, 1, 2)
        content = path.read_bytes()
        assert content.count(sizes) >= 1
        path.write_bytes(content.replace(sizes, struct.pack("<3Q", 2**40, 1, 2)))


def store_of(folder: Path, **changes: object) -> FeatureStore:
    """A store whose manifest vouches for the shard in `folder`."""
    digest = hashlib.sha256((folder / f"{KEY}.h5").read_bytes()).hexdigest()
    shard = {"key": KEY, "sha256": digest, "documents": [{"key": "d", "n_sentences": 2}]}
    encoder = {"model": "m", "fingerprint": FINGERPRINT, "n_layers": 1, "width": 2}
    manifest = {"version": 2, "encoder": encoder, "shards": [shard]} | changes
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return FeatureStore.open(folder)


def test_the_same_file_without_a_fault_is_read(tmp_path: Path) -> None:
    hostile(tmp_path / f"{KEY}.h5", "")
    store = store_of(tmp_path)
    assert [len(store[name].piece_ids) for name in store] == [3, 2]


@pytest.mark.parametrize("change", STRUCTURE)
def test_a_hostile_shard_is_refused(tmp_path: Path, change: str) -> None:
    hostile(tmp_path / f"{KEY}.h5", change)
    with pytest.raises(DataError, match=STRUCTURE[change]) as refused:
        store_of(tmp_path)["d#0"]
    assert f"{KEY}.h5" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("change", ["nan", "inf", "nan in separator"])
def test_numbers_that_are_not_finite_are_refused_when_read(tmp_path: Path, change: str) -> None:
    hostile(tmp_path / f"{KEY}.h5", change)
    with pytest.raises(DataError, match="sentence 0 holds NaN or infinity"):
        store_of(tmp_path)["d#0"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 3}, "Input should be 1 or 2"),
        ({"layers": {"sha256": "../../etc/passwd", "shape": {}}}, "should match pattern"),
        ({"shards": [{"key": "../../etc/passwd", "sha256": "0" * 64, "documents": []}]}, "should match pattern"),
        ({"extra": 1}, "Extra inputs"),
        (
            {"encoder": {"model": "m", "fingerprint": "f" * 64, "n_layers": 10**30, "width": 2}},
            "less than or equal to 10000",
        ),
        (
            {"shards": [{"key": KEY, "sha256": "0" * 64, "documents": [{"key": "d", "n_sentences": 10**15}]}]},
            "cannot hold",
        ),
        (
            {"shards": [{"key": KEY, "sha256": "0" * 64, "documents": [{"key": "d", "n_sentences": 1}] * 2}]},
            "lists document d twice",
        ),
        ({"shards": [{"key": "e" * 64, "sha256": "0" * 64, "documents": []}]}, "No such file"),
    ],
)
def test_a_hostile_manifest_is_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    hostile(tmp_path / f"{KEY}.h5", "")
    with pytest.raises(DataError, match=message):
        store_of(tmp_path, **changes)


@pytest.mark.parametrize("name", ["d#2", "d#-1", "d#00", "d#\u0661", "d", "", "#", "x#0"])
def test_names_that_are_not_in_the_store_are_key_errors(tmp_path: Path, name: str) -> None:
    hostile(tmp_path / f"{KEY}.h5", "")
    store = store_of(tmp_path)
    assert name not in store
    with pytest.raises(KeyError):
        store[name]
