from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from ner_head.base.errors import DataError
from ner_head.features.extraction.encoder import Encoder


def states(encoder: Encoder, ids: list[np.ndarray], *, batch_pieces: int = 256) -> list[np.ndarray]:
    """Hidden states of sentences, one document each."""
    return [found.values for found in encoder.encode([[i] for i in ids], batch_pieces=batch_pieces)]


def reference(encoder: Encoder, ids: list[int]) -> np.ndarray:
    """The hidden states of transformers for one sentence with [SEP], without batching."""
    network = AutoModel.from_pretrained(encoder.folder).eval()
    with torch.inference_mode():
        states = network(input_ids=torch.tensor([[*ids, encoder.word_pieces.sep]]), output_hidden_states=True)
    return torch.stack(states.hidden_states[1:], dim=2)[0, :-1].numpy()


def test_hidden_layers_equal_transformers_own_in_any_batch(encoder: Encoder) -> None:
    sentences = encoder.word_pieces.split([["Praha"], ["Jan", "a", "Eva"], ["x"], ["Москва", "!"]])
    for budget in (16, 1024):
        found = states(encoder, [s.ids for s in sentences], batch_pieces=budget)
        for sentence, layers in zip(sentences, found, strict=True):
            assert layers.dtype == np.float16
            np.testing.assert_allclose(layers, reference(encoder, sentence.ids.tolist()), atol=2e-3)


def test_a_sentence_over_the_limit_loses_no_piece(encoder: Encoder) -> None:
    words = [f"w{i}" for i in range(200)]
    (pieces,) = encoder.word_pieces.split([words])
    (layers,) = states(encoder, [pieces.ids], batch_pieces=256)
    assert layers.shape == (len(pieces), 3, 16)
    assert np.isfinite(layers).all()
    first = [encoder.word_pieces.cls, *pieces.ids[1:23].tolist()]  # the first window: limit 24 less [SEP]
    np.testing.assert_allclose(layers[:12], reference(encoder, first)[:12], atol=2e-3)


def test_weights_and_tokenizer_decide_the_fingerprint(tiny_encoder: Path, encoder: Encoder, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(tiny_encoder, copy)
    again = Encoder(copy, device=torch.device("cpu"))
    assert again.fingerprint == encoder.fingerprint
    config = copy / "config.json"
    config.write_text(config.read_text().replace('"layer_norm_eps": 1e-12', '"layer_norm_eps": 1e-05'))
    assert Encoder(copy, device=torch.device("cpu")).fingerprint.digest() != encoder.fingerprint.digest()


def test_a_folder_without_safetensors_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(
        DataError, match=r"needs config\.json and \*\.safetensors or \*\.gguf \(pickled weights are not loaded\)"
    ):
        Encoder(tmp_path, device=torch.device("cpu"))


def test_damaged_weights_are_refused_in_one_line(tiny_encoder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "damaged"
    shutil.copytree(tiny_encoder, copy)
    (copy / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(DataError, match="not a usable encoder"):
        Encoder(copy, device=torch.device("cpu"))
