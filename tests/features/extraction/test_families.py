"""Every family: layers as transformers gives them, words that keep their places, passes within the limit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, T5Config, T5EncoderModel

from ner_head.base.errors import DataError
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.store.spec import EncoderSpec
from tests import tiny_encoders
from tests.conftest import ROOT

CPU = torch.device("cpu")
SENTENCES = [["Jan", " je", "."], ["Eva", " a", " Jana", " Nová"], ["x"], ["„", "Мо", "“", " </s>", " !"]]


@pytest.fixture(scope="module", params=tiny_encoders.FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoders.save(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def found(folder: Path) -> Encoder:
    return Encoder(folder, device=CPU, spec=EncoderSpec(dtype="float32"))


def plain(found: Encoder, sentences: list[list[str]]) -> list[list[str]]:
    """Words without marks of spaces, for vocabularies that know none."""
    return sentences if found.word_pieces.marks_spaces else [[w.strip() for w in words] for words in sentences]


def test_layers_are_transformers_own_in_any_batch(folder: Path, found: Encoder) -> None:
    model = AutoModel.from_pretrained(folder).eval()
    sentences = found.word_pieces.split(plain(found, SENTENCES))
    assert {len(pieces) for pieces in sentences} != {len(sentences[0])}
    for budget in (16, 1024):
        layers = found.encode([[pieces.ids] for pieces in sentences], batch_pieces=budget)
        for pieces, own in zip(sentences, layers, strict=True):
            ids = torch.tensor([[*pieces.ids.tolist(), found.word_pieces.sep]])
            with torch.inference_mode():
                expected = torch.stack(model(input_ids=ids, output_hidden_states=True).hidden_states[1:], dim=2)
            np.testing.assert_allclose(own.values, expected[0, :-1].numpy(), atol=2e-5)


@pytest.mark.parametrize("layers", ["0-3", "0", "1-2", "2", "last"])
def test_chosen_layers_and_separators_are_transformers_own(folder: Path, layers: str) -> None:
    chosen = Encoder(folder, device=CPU, spec=EncoderSpec(dtype="float32", layers=layers))
    sentences = chosen.word_pieces.split(plain(chosen, SENTENCES))
    with chosen.threads() as threads:
        encoding = chosen.start([[pieces.ids] for pieces in sentences], batch_pieces=64, threads=threads).wait()
    model = AutoModel.from_pretrained(folder).eval()
    for pieces, own, separator in zip(sentences, encoding.sentences, encoding.whole.separators.values, strict=True):
        ids = torch.tensor([[*pieces.ids.tolist(), chosen.word_pieces.sep]])
        with torch.inference_mode():
            states = model(input_ids=ids, output_hidden_states=True).hidden_states
        expected = torch.stack([states[number][0] for number in chosen.layers], dim=1).numpy()
        np.testing.assert_allclose(own.values, expected[:-1], atol=2e-5)
        np.testing.assert_allclose(separator, expected[-1], atol=2e-5)


def test_the_separator_of_windows_is_that_of_the_last(found: Encoder) -> None:
    (pieces,) = found.word_pieces.split(plain(found, [[f" w{i}" for i in range(30)]]))
    capacity = found.fingerprint.limit - 2
    assert len(pieces) > 2 * capacity
    last = np.concatenate([pieces.ids[:1], pieces.ids[-capacity:]])
    with found.threads() as threads:
        encoding = found.start([[pieces.ids, last]], batch_pieces=64, threads=threads).wait()
    whole, alone = encoding.whole.separators.values
    np.testing.assert_allclose(whole, alone, atol=2e-5)


def test_two_thousand_words_go_through_windows_within_the_limit(found: Encoder) -> None:
    assert found.fingerprint.limit == 24
    (pieces,) = found.word_pieces.split(plain(found, [[f" w{i}" for i in range(2000)]]))
    (layers,) = found.encode([[pieces.ids]], batch_pieces=2048)
    assert layers.values.shape == (len(pieces), 3, 16)
    assert np.isfinite(layers.values).all()
    assert np.unique(pieces.word_of_piece).tolist() == list(range(-1, 2000))


def test_special_tokens_in_a_text_are_text(found: Encoder) -> None:
    special = ["[SEP]", "[CLS]", "[PAD]", "</s>", "<s>", "<pad>", "<mask>", "[MASK]"]
    (pieces,) = found.word_pieces.split([[word for token in special for word in (token, f" {token}")]])
    assert pieces.ids[0] == found.word_pieces.cls
    forbidden = {found.word_pieces.cls, found.word_pieces.sep, found.files.config.padding}
    assert not forbidden & set(pieces.ids[1:].tolist())


def test_every_word_keeps_its_place(found: Encoder) -> None:
    words = ["\u200b", "a", " \u00ad", " \u0007", "b\u0301", "\U0001f600", "\ufeff", " 中"]
    (pieces,) = found.word_pieces.split([words])
    assert np.unique(pieces.word_of_piece).tolist() == list(range(-1, len(words)))


def test_an_architecture_of_no_family_is_one_line(tmp_path: Path) -> None:
    config = T5Config(
        vocab_size=tiny_encoders.wordpiece(tmp_path), d_model=16, d_ff=32, num_layers=1, num_heads=2, d_kv=8
    )
    T5EncoderModel(config).save_pretrained(tmp_path)
    with pytest.raises(DataError, match="an encoder of type 't5'; known are bert, distilbert, electra, modernbert"):
        Encoder(tmp_path, device=CPU)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_the_tokenizer_is_needed_and_its_config_is_not(tiny_encoder: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_encoder, copy)
    (copy / name).unlink()
    if name == "tokenizer.json":
        with pytest.raises(DataError, match=r"no tokenizer; needs tokenizer\.json or vocab\.txt"):
            Encoder(copy, device=CPU)
    else:
        assert Encoder(copy, device=CPU).fingerprint == Encoder(tiny_encoder, device=CPU).fingerprint


def test_a_vocabulary_without_json_is_read(tiny_encoder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_encoder, copy)
    vocabulary = json.loads((copy / "tokenizer.json").read_text())["model"]["vocab"]
    (copy / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.get)) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copy / name).unlink()
    words = [["jan", "nova"]]  # the default of BERT's tokenizer is small letters
    own, same = (Encoder(path, device=CPU).word_pieces.split(words)[0] for path in (tiny_encoder, copy))
    assert own.ids.tolist() == same.ids.tolist()


def test_a_tokenizer_of_other_weights_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    for copy, pieces in ((small, 40), (large, 5000)):
        shutil.copytree(tiny_encoder, copy)
        content = json.loads((copy / "tokenizer.json").read_text())
        known = list(content["model"]["vocab"])
        names = (known + [f"##{i:x}x" for i in range(pieces)])[:pieces]
        content["model"]["vocab"] = {piece: i for i, piece in enumerate(names)}
        (copy / "tokenizer.json").write_text(json.dumps(content))
        with pytest.raises(DataError, match=rf"a tokenizer of {pieces:,} pieces does not fit weights for 769"):
            Encoder(copy, device=CPU)


def test_a_tokenizer_without_the_special_tokens_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny_encoder, copy)
    config = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps({**config, "sep_token": "<eos>"}))
    with pytest.raises(DataError, match="has no sep token '<eos>'"):
        Encoder(copy, device=CPU)


def test_missing_weights_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    copy = tmp_path / "copy"
    shutil.copytree(tiny_encoder, copy)
    weights = load_file(copy / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "layer.1.attention" not in name}
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DataError, match=r"its weights lack 10 tensors, the first is encoder\.layer\.1\.attention"):
        Encoder(copy, device=CPU)


def test_the_environment_stays_as_it_is_and_transformers_is_silent(tmp_path: Path) -> None:
    folder = tiny_encoders.save("modernbert", tmp_path)
    code = (
        "import os, sys, torch; from pathlib import Path; import transformers; before = dict(os.environ);"
        "from ner_head.features.extraction.encoder import Encoder; from transformers.utils import logging;"
        f"encoder = Encoder(Path({str(folder)!r}), device=torch.device('cpu'));"
        "print(dict(os.environ) == before, logging.get_verbosity() == logging.ERROR, logging.is_progress_bar_enabled())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("TRANSFORMERS_VERBOSITY", None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert (done.stdout, done.stderr) == ("True True False\n", "")


@pytest.mark.parametrize(("family", "imported"), [("bert", False), ("modernbert", True)])
def test_transformers_is_imported_for_a_family_that_needs_it_only(family: str, imported: bool, tmp_path: Path) -> None:
    folder = tiny_encoders.save(family, tmp_path)
    code = (
        "import sys, numpy, torch; from pathlib import Path; from ner_head.features.extraction.encoder import Encoder;"
        f"encoder = Encoder(Path({str(folder)!r}), device=torch.device('cpu'));"
        "encoder.encode([[numpy.array([2, 7, 8], dtype=numpy.int32)]], batch_pieces=64);"
        "print('transformers' in sys.modules, 'torch._dynamo' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split()[0] == str(imported)
    if not imported:
        assert done.stdout == "False False\n"
