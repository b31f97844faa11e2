"""How an encoder is run and how its features are stored. Imports no torch, because params are read without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ner_head.base.layers import LayerChoice, layer_range
from ner_head.base.params import Params
from ner_head.features.store.codecs import CODECS, Codec

if TYPE_CHECKING:
    Code = str  # a type checker cannot read the table
else:
    Code = Literal[tuple(CODECS)]
Context = Literal["sentence", "document"]
Compute = Literal["float32", "bfloat16"]


class EncoderSpec(Params):
    """The settings that, with the encoder's files, determine the features of a text."""

    dtype: Code = "float16"
    """Name of the codec that stores the features."""
    context: Context = "sentence"
    """Input of the encoder: each sentence alone, or each sentence with as much of its document as fits."""
    views: int = Field(default=0, ge=0, le=64)
    """Number of extra passes with the encoder's dropout on; training draws one view per epoch."""
    compute: Compute = "float32"
    """Number type of the encoder's matrix products; bfloat16 is faster on processors with units for it."""

    layers: LayerChoice = "all"
    """Layers that are stored: `all`, `last`, the last few (`last-8`), one (`8`) or a range (`8-12`; 0 = embeddings)."""

    def stored(self, n_layers: int) -> range:
        """The numbers of the stored layers of an encoder with `n_layers` layers.

        Raises:
            UsageError: the encoder does not have these layers.
        """
        return layer_range(self.layers, n_layers, param="encoder.layers", lowest=0)

    @property
    def spec(self) -> EncoderSpec:
        """These settings without the fields that a subclass adds."""
        return EncoderSpec.model_validate({name: getattr(self, name) for name in EncoderSpec.model_fields})

    @property
    def codec(self) -> Codec:
        """The codec that stores the features."""
        return CODECS[self.dtype]


DEFAULT_SPEC = EncoderSpec()
