"""Section `lemmatize` of `params.yaml`. Imports no torch."""

from __future__ import annotations

from pydantic import Field

from ner_head.base.params import Params


class LemmaParams(Params):
    """How base forms are learnt."""

    layer: int = Field(default=8, ge=0)
    """Layer of the encoder whose vectors of words the head reads."""
    buckets: int = Field(default=16384, ge=1)
    """Rows of the table of hashed features of words."""
    width: int = Field(default=64, ge=1)
    """Width of the embeddings of hashed features, and of the projected vectors."""
    hidden: int = Field(default=128, ge=1)
    """Units of the hidden layer."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    word_dropout: float = Field(default=0.7, ge=0, lt=1)
    """Share of the hashed features of a word that are left out while training."""
    epochs: int = Field(default=6, ge=0)
    """Epochs of training. 0 = no head: lookup and suffix rules alone."""
    batch_size: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=3e-3, gt=0)
    occurrences: int = Field(default=8, ge=1)
    """Occurrences of a form that are trained on, at most."""
    seed: int = Field(default=0, ge=0)
