"""The params of extraction, apart from the code that they configure: reading them must not import torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ner_head.params import Params

Code = Literal["float16", "bfloat16", "float32", "int8"]
Context = Literal["sentence", "document"]
Compute = Literal["float32", "bfloat16"]


class EncoderParams(Params):
    """Section `encoder`: what decides the features."""

    model: str = "encoders/multilingual-e5-small"
    """A folder in the Hugging Face layout, or the name of a model on the hub."""
    shard_words: int = Field(default=4096, ge=1)
    """Words in a shard, on average; a shard holds whole documents."""
    dtype: Code = "float16"
    """How the features are stored."""
    context: Context = "sentence"
    """What the encoder sees beside a sentence: nothing, or as much of its document as fits."""
    views: int = Field(default=0, ge=0, le=64)
    """Extra passes with the encoder's dropout on; training draws one an epoch."""
    compute: Compute = "float32"
    """Numbers that the encoder multiplies with; bfloat16 is quicker where the processor has units for it."""
