"""The params of extraction. A module of its own, because reading them must not import torch."""

from __future__ import annotations

from pydantic import Field

from ner_head.features.store.spec import EncoderSpec


class EncoderParams(EncoderSpec):
    """Section `encoder`: the encoder and the settings that determine the features."""

    model: str = "encoders/multilingual-e5-small"
    """Folder of an encoder in the Hugging Face layout; `ner-head fetch` downloads one."""
    shard_words: int = Field(default=4096, ge=1)
    """Average number of words in a shard."""
