"""How an encoder is run and how its features are stored. Imports no torch, as params are read without it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ner_head.base.params import Params

Code = Literal["float16", "bfloat16", "float32", "int8"]
Context = Literal["sentence", "document"]
Compute = Literal["float32", "bfloat16"]


class EncoderSpec(Params):
    """What decides the features of a text, beside the encoder's files."""

    dtype: Code = "float16"
    """How the features are stored."""
    context: Context = "sentence"
    """What the encoder sees beside a sentence: nothing, or as much of its document as fits."""
    views: int = Field(default=0, ge=0, le=64)
    """Extra passes with the encoder's dropout on; training draws one an epoch."""
    compute: Compute = "float32"
    """Numbers that the encoder multiplies with; bfloat16 is faster where the processor has units for it."""

    @property
    def spec(self) -> EncoderSpec:
        """These fields alone, of a class that adds others."""
        return EncoderSpec.model_validate({name: getattr(self, name) for name in EncoderSpec.model_fields})


DEFAULT_SPEC = EncoderSpec()
