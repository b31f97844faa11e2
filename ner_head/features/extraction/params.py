"""The params of extraction, apart from the code that they configure: reading them must not import torch."""

from __future__ import annotations

from pydantic import Field

from ner_head.features.store.spec import EncoderSpec


class EncoderParams(EncoderSpec):
    """Section `encoder`: what decides the features."""

    model: str = "encoders/multilingual-e5-small"
    """A folder in the Hugging Face layout, or the name of a model on the hub."""
    shard_words: int = Field(default=4096, ge=1)
    """Words in a shard, on average; a shard holds whole documents."""
