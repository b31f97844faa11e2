from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import DataError, ResourceError
from ner_head.base.files import write_whole
from ner_head.features.store.codecs import CODECS, Coded
from ner_head.features.store.pieces import Pieces
from ner_head.features.store.shard import Shard
from ner_head.features.store.shard_writer import CodedView, shard_parts

KEY, FINGERPRINT, FIRST_LAYER = "a" * 64, "b" * 64, 8


def sentence(n_pieces: int, seed: int) -> tuple[np.ndarray, Pieces]:
    """States of the pieces and, last, of [SEP]; and the pieces."""
    random = np.random.default_rng(seed)
    hidden = random.normal(size=(n_pieces + 1, 2, 3)).astype(np.float16)
    ids = random.integers(0, 1000, n_pieces).astype(np.int32)
    return hidden, Pieces(ids, np.arange(-1, n_pieces - 1, dtype=np.int32))


def content(lengths: list[int]) -> tuple[bytes, list[tuple[np.ndarray, Pieces]]]:
    sentences = [sentence(n, i) for i, n in enumerate(lengths)]
    hidden, pieces = ([s[i] for s in sentences] for i in (0, 1))
    states = CodedView(Coded(np.concatenate([h[:-1] for h in hidden])), Coded(np.stack([h[-1] for h in hidden])))
    parts = shard_parts(
        [states], pieces, codec=CODECS["float16"], key=KEY, fingerprint=FINGERPRINT, first_layer=FIRST_LAYER
    )
    return b"".join(parts), sentences


def open_shard(path: Path, image: bytes) -> Shard:
    path.write_bytes(image)
    return Shard(path, sha256=hashlib.sha256(image).hexdigest(), key=KEY, fingerprint=FINGERPRINT)


@given(st.lists(st.integers(2, 9), min_size=1, max_size=6))
def test_what_is_written_is_read_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, lengths: list[int]) -> None:
    image, sentences = content(lengths)
    shard = open_shard(tmp_path_factory.mktemp("shard") / "x.h5", image)
    assert len(shard) == len(lengths)
    for row, (hidden, pieces) in enumerate(sentences):
        found = shard.sentence(row)
        assert found.separator is not None
        assert np.concatenate([found.hidden, found.separator[None]]).tobytes() == hidden.tobytes()
        assert found.first_layer == FIRST_LAYER
        assert shard.sentence(row).piece_ids.tolist() == pieces.ids.tolist()
        assert shard.sentence(row).word_of_piece.tolist() == pieces.word_of_piece.tolist()


def test_the_same_content_gives_the_same_bytes() -> None:
    assert content([3, 4])[0] == content([3, 4])[0]


def test_a_flipped_bit_is_found_before_the_file_is_parsed(tmp_path: Path) -> None:
    image, _ = content([3, 4])
    damaged = bytearray(image)
    damaged[len(image) // 2] ^= 1
    (tmp_path / "x.h5").write_bytes(damaged)
    with pytest.raises(DataError, match=r"x\.h5: damaged .* run `ner-head verify \S+ --remove`, then `dvc"):
        Shard(tmp_path / "x.h5", sha256=hashlib.sha256(image).hexdigest(), key=KEY, fingerprint=FINGERPRINT)


def test_an_absent_shard_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file or directory; run `dvc repro extract`"):
        Shard(tmp_path / "x.h5", sha256="0" * 64, key=KEY, fingerprint=FINGERPRINT)


def test_another_encoders_shard_is_refused_with_both_named(tmp_path: Path) -> None:
    image, _ = content([3])
    (tmp_path / "x.h5").write_bytes(image)
    with pytest.raises(DataError, match=f"made by encoder {'b' * 12}, but the manifest names {'c' * 12}"):
        Shard(tmp_path / "x.h5", sha256=hashlib.sha256(image).hexdigest(), key=KEY, fingerprint="c" * 64)


def test_infinity_is_refused_when_writing() -> None:
    for place in (0, 3):
        hidden, pieces = sentence(3, 0)
        hidden[place, 0, 0] = np.inf
        states = CodedView(Coded(hidden[:3]), Coded(hidden[3:]))
        with pytest.raises(DataError, match="does not fit float16"):
            shard_parts([states], [pieces], codec=CODECS["float16"], key=KEY, fingerprint=FINGERPRINT)


def test_a_write_that_fails_leaves_nothing_and_says_how_much_it_needed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ResourceError, match="cannot write 1,234 bytes"):
        write_whole(tmp_path / "file" / "x.h5", b"0" * 1234)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
