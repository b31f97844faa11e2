"""The params of the head, apart from the code that they configure: reading them must not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ner_head.base.layers import LayerChoice
from ner_head.base.params import Params
from ner_head.corpus.tagging import TagSet

MixKind = Literal["softmax", "free", "per_dimension"]


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
    """`head.words`: hashed features of words, joined after the mix."""

    width: int = Field(default=0, ge=0)  # not `size`: DVC's run cache leaves values of that name out of account
    """Dimensions; 0 = none, the encoder's features only."""
    buckets: int = Field(default=2**16, ge=1)
    """Rows that the hashes share."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the features left out while training."""


class HeadParams(Params):
    """Section `head`: the shape of the network. Zero layers or units switch a part off."""

    layers: Annotated[LayerChoice, Field(pattern="^[^0]")] = "all"
    """Of the encoder, for the mix: `all`, `last`, the last few (`last-8`), one by its number, or a range (`1-4`)."""
    pieces: Literal["all", "first"] = "all"
    """Of a word: those that the network sees. [CLS] is always there."""
    mix: MixKind = "softmax"
    words: WordParams = WordParams()
    lstm: LstmParams = LstmParams()
    attention: AttentionParams = AttentionParams()
    projection: int = Field(default=128, ge=0)
    """Units of the tanh layer before the emissions; 0 = none."""
    classifier: int = Field(default=128, ge=0)
    """Units of the language classifier; 0 = none."""
    decoder: Literal["crf", "softmax"] = "crf"
    """`softmax`: every step by itself, as a CRF without transitions and rules."""
    tags: Literal["iob", "iobx"] = "iob"
    """`iob`: the CRF runs over words (their first pieces). `iobx`: over pieces with X and [CLS], as the paper."""
    dropout: float = Field(default=0.3, ge=0, lt=1)

    @model_validator(mode="after")
    def _tag_what_is_seen(self) -> HeadParams:
        if self.tags == "iobx" and self.pieces != "all":
            raise ValueError("tags: iobx has a tag for every piece: it needs pieces: all")
        return self

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
