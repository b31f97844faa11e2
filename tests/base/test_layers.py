"""Layers of an encoder by number, range or word."""

from __future__ import annotations

import pytest

from ner_head.base.errors import UsageError
from ner_head.base.layers import layer_range, spell


@pytest.mark.parametrize(
    ("layers", "first", "last"),
    [("all", 1, 12), ("last", 12, 12), ("last-4", 9, 12), ("last-99", 1, 12), ("7", 7, 7), ("8-12", 8, 12)],
)
def test_layers_count_from_one(layers: str, first: int, last: int) -> None:
    found = layer_range(layers, 12, param="head.layers")
    assert found == range(first, last + 1)
    assert layer_range(spell(found), 12, param="head.layers") == found


def test_the_embeddings_are_layer_zero_where_they_are_allowed() -> None:
    assert layer_range("0-12", 12, param="encoder.layers", lowest=0) == range(13)
    with pytest.raises(UsageError, match=r"head\.layers: 0-12, but the encoder has layers 1 to 12"):
        layer_range("0-12", 12, param="head.layers")


@pytest.mark.parametrize("layers", ["13", "1-13", "3-2"])
def test_layers_that_the_encoder_lacks_are_one_line(layers: str) -> None:
    with pytest.raises(UsageError, match=f"encoder.layers: {layers}, but the encoder has layers 0 to 12"):
        layer_range(layers, 12, param="encoder.layers", lowest=0)
