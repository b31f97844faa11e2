from __future__ import annotations

from typing import get_args

import pytest
import torch

from ner_head.corpus.tagging import TagSet
from ner_head.head import layer_mix
from ner_head.head.layer_mix import MIXES, LayerMix
from ner_head.head.model import Steps, build_head
from ner_head.head.params import HeadParams, MixKind

LABELS, LANGUAGES = ["LOC", "PER"], ["cs", "pl"]


@pytest.mark.parametrize("kind", MIXES)
def test_a_fresh_mix_is_the_mean_of_the_layers(kind: str) -> None:
    mix = layer_mix.layer_mix(4, 6, kind=kind)
    hidden = torch.randn(2, 3, 4, 6).half()
    torch.testing.assert_close(mix(hidden), hidden.float().mean(2))


@pytest.mark.parametrize("kind", ["softmax", "free", "per_dimension"])
def test_the_mix_follows_the_papers_formula(kind: str) -> None:
    mix = layer_mix.layer_mix(4, 6, kind=kind)
    torch.nn.init.normal_(mix.weights)
    torch.nn.init.normal_(mix.gamma)
    hidden = torch.randn(2, 3, 4, 6)
    weights = mix.weights.softmax(0) if kind == "softmax" else mix.weights
    expected = mix.gamma * sum(hidden[:, :, i] * weights[i] for i in range(4))
    torch.testing.assert_close(mix(hidden), expected)


@pytest.mark.parametrize("kind", ["softmax", "free", "per_dimension"])
def test_the_gradient_of_the_mix_is_that_of_the_formula(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(layer_mix, "CACHED", 50)  # blocks of two pieces
    torch.manual_seed(0)
    mix = layer_mix.layer_mix(4, 6, kind=kind)
    torch.nn.init.normal_(mix.weights)
    hidden = torch.randn(3, 5, 4, 6).half().requires_grad_()
    goal = torch.randn(3, 5, 6)
    weights = mix.weights.softmax(0) if kind == "softmax" else mix.weights
    plain = mix.gamma * sum(hidden[:, :, i].float() * weights[i] for i in range(4))
    wanted = torch.autograd.grad((plain * goal).sum(), [mix.weights, mix.gamma, hidden])
    found = torch.autograd.grad((mix(hidden) * goal).sum(), [mix.weights, mix.gamma, hidden])
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_every_name_of_a_mix_has_a_class() -> None:
    assert set(MIXES) == set(get_args(MixKind))


class GatedConcat(LayerMix):
    """Weights that depend on the piece, and the layers side by side."""

    def __init__(self, n_layers: int, width: int) -> None:
        super().__init__()
        self.width = n_layers * width
        self.gate = torch.nn.Linear(width, 1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return (self.gate(hidden).softmax(2) * hidden).flatten(2)

    def layer_weights(self) -> torch.Tensor:
        return torch.full((self.width // self.gate.in_features,), self.gate.in_features / self.width)


def test_a_mix_can_depend_on_its_input_and_have_another_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MIXES, "gated", GatedConcat)
    params = HeadParams(classifier=7).model_copy(update={"mix": "gated"})
    head = build_head(params, n_layers=2, width=4, tag_set=TagSet.iob(LABELS), languages=LANGUAGES)
    mask = torch.ones(1, 5, dtype=torch.bool)
    output = head(torch.randn(1, 5, 2, 4), mask, Steps(torch.arange(5)[None], mask))
    assert output.emissions.shape == (1, 5, len(TagSet.iob(LABELS)))
    output.emissions.sum().backward()
    assert head.mix.gate.weight.grad is not None


def test_concatenated_layers_are_projected_each_by_its_own_columns() -> None:
    torch.manual_seed(0)
    mix = layer_mix.LayerConcat(3, 4)
    torch.nn.init.normal_(mix.projection.weight)
    torch.nn.init.normal_(mix.projection.bias)
    hidden = torch.randn(2, 5, 3, 4).half()
    weight, bias = mix.projection.weight, mix.projection.bias
    expected = bias + sum(hidden[:, :, i].float() @ weight[:, 4 * i : 4 * i + 4].T for i in range(3))
    torch.testing.assert_close(mix(hidden), expected)
    shares = torch.stack([weight[:, 4 * i : 4 * i + 4].norm() for i in range(3)])
    torch.testing.assert_close(mix.layer_weights(), shares / shares.sum())
