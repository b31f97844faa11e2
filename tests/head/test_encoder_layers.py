"""The last layers of an encoder as a part of the head: transformers' own numbers, from the states below."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from ner_head.base.errors import DataError
from ner_head.base.layers import LayerShape
from ner_head.features.extraction.families import EncoderFiles
from ner_head.head.encoder_layers import EncoderLayers
from tests import tiny_encoders

BERT_LIKE = [name for name in tiny_encoders.FAMILIES if name != "modernbert"]


@pytest.fixture(params=BERT_LIKE)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tiny_encoders.save(request.param, tmp_path)


def top(folder: Path, n_layers: int, rank: int = 0) -> EncoderLayers:
    """The last layers of the encoder in a folder."""
    files = EncoderFiles.open(folder)
    layers = EncoderLayers(files.config.layer_shape(), n_layers, rank=rank)
    layers.load(files.layer_weights(), 3 - n_layers + 1)
    return layers.eval()


@pytest.mark.parametrize("n_layers", [1, 2, 3])
@pytest.mark.parametrize("rank", [0, 2])
def test_states_are_those_of_the_whole_encoder_in_a_padded_batch(folder: Path, n_layers: int, rank: int) -> None:
    model = AutoModel.from_pretrained(folder).eval()
    ids = [torch.tensor([[1, 7, 9, 8, 2]]), torch.tensor([[1, 9, 11, 12, 13, 14, 2]])]
    whole = [model(input_ids=one, output_hidden_states=True).hidden_states for one in ids]
    states, mask = torch.randn(2, 6, 16), torch.zeros(2, 6, dtype=torch.bool)  # pads hold anything
    for row, layers in enumerate(whole):
        below = layers[3 - n_layers][0, :-1]
        states[row, : len(below)] = below
        mask[row, : len(below)] = True
    last = torch.stack([layers[3 - n_layers][0, -1] for layers in whole])
    with torch.inference_mode():
        found = top(folder, n_layers, rank)(states, last, mask)
    assert len(found) == n_layers
    for number, layer in enumerate(found, 3 - n_layers + 1):
        for row, layers in enumerate(whole):
            length = int(mask[row].sum())
            torch.testing.assert_close(layer[row, :length], layers[number][0, :length], atol=1e-5, rtol=1e-5)


def test_low_rank_trains_nothing_but_its_own_matrices(tmp_path: Path) -> None:
    layers = top(tiny_encoders.save("bert", tmp_path), 2, rank=2)
    trained = [name for name, parameter in layers.named_parameters() if parameter.requires_grad]
    assert len(trained) == 2 * 2 * 2
    assert all(name.endswith((".down", ".up")) for name in trained)


def test_checkpointing_changes_no_gradient(tmp_path: Path) -> None:
    layers = top(tiny_encoders.save("bert", tmp_path), 2).train()
    states, last, mask = torch.randn(2, 5, 16), torch.randn(2, 16), torch.ones(2, 5, dtype=torch.bool)
    grads = []
    for layers.room in (math.inf, 0.0):
        layers.zero_grad()
        torch.manual_seed(0)
        layers(states, last, mask)[-1].sum().backward()
        grads.append([parameter.grad.clone() for parameter in layers.parameters() if parameter.grad is not None])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


def test_an_encoder_with_other_layers_is_one_line(tmp_path: Path) -> None:
    files = EncoderFiles.open(tiny_encoders.save("modernbert", tmp_path))
    with pytest.raises(DataError, match=r"the layers of this encoder \(modernbert\) are not BERT's"):
        files.layer_weights()


def test_weights_that_do_not_fit_are_one_line(tmp_path: Path) -> None:
    files = EncoderFiles.open(tiny_encoders.save("bert", tmp_path))
    shape = LayerShape(width=16, heads=2, intermediate=8)
    with pytest.raises(DataError, match="layer 3 of the encoder does not fit"):
        EncoderLayers(shape, 1).load(files.layer_weights(), 3)
