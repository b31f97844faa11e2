"""One shard per format version, kept as it was written: read by the library, and by h5py alone from docs/format.md."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from ner_head.features.store.codecs import CODECS
from ner_head.features.store.pieces import Pieces
from ner_head.features.store.shard import Shard
from ner_head.features.store.shard_writer import CodedView, shard_parts

GOLDEN = Path(__file__).parent / "golden"
KEY, FINGERPRINT, FIRST_LAYER = "0123456789abcdef" * 4, "fedcba9876543210" * 4, 8
DIGESTS = {
    (1, "float16"): "f95ffced317a7a44ddcec16a68d48e1b9e4a83a07e09b6ce0891076cdc1164f1",
    (1, "int8"): "7d1c396c6abb1ab22054bb32284af8638ea5a0db7b295a8cd3a81b2c2e37adab",
    (2, "float16"): "46a037639db23d859728701911fd40ce9469c180f3fd6dddcc3585e041968f08",
    (2, "int8"): "9c4db4c3223c32e59fc4206d0b1e8886c8552ed0dbc3d78617e5dadd079557d6",
}


def states(view: int) -> torch.Tensor:
    """(5, 2, 3): two sentences of 3 and 2 pieces."""
    return torch.arange(30, dtype=torch.float32).reshape(5, 2, 3) / 8 - 1 + view


def separators(view: int) -> torch.Tensor:
    """(2, 2, 3): [SEP] of the two sentences."""
    return torch.arange(12, dtype=torch.float32).reshape(2, 2, 3) / 4 + view


def image(code: str) -> bytes:
    """A shard of two sentences with one view beside the first."""
    pieces = [
        Pieces(np.array([2, 7, 8], np.int32), np.array([-1, 0, 1], np.int32)),
        Pieces(np.array([2, 9], np.int32), np.array([-1, 0], np.int32)),
    ]
    encode = CODECS[code].encode
    views = [CodedView(encode(states(view)), encode(separators(view))) for view in (0, 1)]
    parts = shard_parts(views, pieces, codec=CODECS[code], key=KEY, fingerprint=FINGERPRINT, first_layer=FIRST_LAYER)
    return b"".join(parts)


@pytest.mark.parametrize(("version", "code"), DIGESTS)
def test_the_golden_shard_is_read(version: int, code: str) -> None:
    path, digest = GOLDEN / f"version-{version}-{code}.h5", DIGESTS[version, code]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    shard = Shard(path, sha256=digest, key=KEY, fingerprint=FINGERPRINT)
    assert (len(shard), shard.n_views, shard.codec.name, shard.shape) == (2, 1, code, (5, 2, 3))
    for view in (0, 1):
        for row, (start, end) in enumerate([(0, 3), (3, 5)]):
            expected = CODECS[code].decode(CODECS[code].encode(states(view)[start:end]))
            found = shard.sentence(row, view=view)
            np.testing.assert_array_equal(found.hidden, expected)
            assert found.first_layer == (1 if version == 1 else FIRST_LAYER)
            if version == 1:
                assert found.separator is None
            else:
                expected = CODECS[code].decode(CODECS[code].encode(separators(view)[row]))
                np.testing.assert_array_equal(found.separator, expected)
    assert shard.sentence(0).piece_ids.tolist() == [2, 7, 8]
    assert shard.sentence(1).word_of_piece.tolist() == [-1, 0]


def test_a_reader_written_from_the_specification_alone_reads_it() -> None:
    expected = {"format": "ner-head features", "version": 2, "key": KEY, "fingerprint": FINGERPRINT, "dtype": "int8"}
    coded = {"hidden", "scale", "separator", "separator_scale"}
    with h5py.File(GOLDEN / "version-2-int8.h5") as file:
        assert dict(file.attrs) == {**expected, "first_layer": FIRST_LAYER}
        assert set(file) == coded | {f"{name}_1" for name in coded} | {"piece_ids", "word_of_piece", "offsets"}
        assert file["offsets"][:].tolist() == [0, 3, 5]
        for view, suffix in enumerate(("", "_1")):
            found = file["hidden" + suffix][:] * file["scale" + suffix][:][..., None]
            np.testing.assert_allclose(found, states(view), atol=0.5 / 127 * 4)
            found = file["separator" + suffix][:] * file["separator_scale" + suffix][:][..., None]
            np.testing.assert_allclose(found, separators(view), atol=0.5 / 127 * 4)
            assert file["hidden" + suffix].id.get_offset() is not None  # contiguous: readable through a map too


@pytest.mark.parametrize("code", ["float16", "int8"])
def test_what_is_written_today_is_the_golden_shard(code: str) -> None:
    """The same libhdf5 gives the same bytes; another release may lay the header out differently."""
    if h5py.version.hdf5_version_tuple[:2] != (2, 0):
        pytest.skip("the golden shards were written by another release of HDF5")
    assert image(code) == (GOLDEN / f"version-2-{code}.h5").read_bytes()
