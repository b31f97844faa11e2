"""The params of the head. This module does not import torch, so that reading params is fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ner_head.base.layers import LayerChoice
from ner_head.base.params import Params
from ner_head.corpus.tagging import TagSet

MixKind = Literal["softmax", "free", "per_dimension", "concat"]
"""The names of `layer_mix.MIXES`, which are not imported here, because they need torch."""


class LstmParams(Params):
    """`head.lstm`."""

    layers: int = Field(default=1, ge=0)
    hidden: int = Field(default=128, ge=1)
    """Units per direction."""


class AttentionParams(Params):
    """`head.attention`."""

    layers: int = Field(default=1, ge=0)
    heads: int = Field(default=4, ge=1)
    key_size: int = Field(default=32, ge=1)


class WordParams(Params):
    """`head.words`: embeddings of hashed word features, concatenated after the mix."""

    width: int = Field(default=0, ge=0)  # not `size`: the run cache of DVC ignores values of that name
    """Width of the embeddings; 0 = features of the encoder only."""
    buckets: int = Field(default=2**16, ge=1)
    """Number of rows of the table."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the features that are dropped in training."""


class HeadParams(Params):
    """Section `head`: the shape of the network. A part with 0 layers or units is left out."""

    layers: Annotated[LayerChoice, Field(pattern="^[^0]")] = "all"
    """Layers of the encoder for the mix: `all`, `last`, the last few (`last-8`), one number, or a range (`1-4`)."""
    pieces: Literal["all", "first", "mean"] = "all"
    """The pieces of a word that the network sees: all, the first, or one vector, the mean of all. [CLS] is included."""
    mix: MixKind = "softmax"
    words: WordParams = WordParams()
    lstm: LstmParams = LstmParams()
    attention: AttentionParams = AttentionParams()
    projection: int = Field(default=128, ge=0)
    """Units of the tanh layer before the emissions; 0 = no layer."""
    classifier: int = Field(default=128, ge=0)
    """Units of the language classifier; 0 = no classifier."""
    decoder: Literal["crf", "softmax"] = "crf"
    """`softmax`: each step is decided alone, as by a CRF without transitions and rules."""
    tags: Literal["iob", "iobx"] = "iob"
    """`iob`: the CRF runs over words (their first pieces). `iobx`: over pieces, with X and [CLS], as in the paper."""
    dropout: float = Field(default=0.3, ge=0, lt=1)

    @model_validator(mode="after")
    def _tag_what_is_seen(self) -> HeadParams:
        if self.tags == "iobx" and self.pieces != "all":
            raise ValueError("tags: iobx has a tag for every piece: it needs pieces: all")
        return self

    @property
    def read_pieces(self) -> Literal["all", "first"]:
        """The pieces of a word whose hidden states are read."""
        return "first" if self.pieces == "first" else "all"

    @classmethod
    def paper(cls) -> HeadParams:
        """The head of Emelyanov & Artemova (2019)."""
        return cls(
            mix="per_dimension",
            lstm=LstmParams(layers=1, hidden=512),
            attention=AttentionParams(layers=1, heads=6, key_size=64),
            projection=512,
            classifier=512,
            tags="iobx",
            dropout=0.5,
        )

    def tag_set(self, labels: Sequence[str]) -> TagSet:
        """The tags for some labels."""
        return TagSet.iobx(labels) if self.tags == "iobx" else TagSet.iob(labels)
