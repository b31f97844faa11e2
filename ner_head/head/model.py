"""The whole head: mix -> BiLSTM -> self-attention -> emissions for the CRF, and language logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import BeforeValidator, Field, model_validator
from torch import Tensor, nn

from ner_head.corpus.tagging import TagSet
from ner_head.head.context import BiLSTM, SelfAttention
from ner_head.head.crf import Forbidden, LinearChainCRF
from ner_head.head.dropout import Dropout
from ner_head.head.language import LanguageClassifier
from ner_head.head.layer_mix import LayerMix, MixKind, layer_slice
from ner_head.head.words import WordEmbeddings, Words
from ner_head.params import Params


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


def _text(value: object) -> object:
    """YAML's 7 is a number."""
    return str(value) if type(value) is int else value


class HeadParams(Params):
    """Section `head`: the shape of the network. Zero layers or units switch a part off."""

    layers: Annotated[str, BeforeValidator(_text), Field(pattern=r"^(all|last|[1-9]\d*(-[1-9]\d*)?)$")] = "all"
    """Of the encoder, for the mix: `all`, `last`, one by its number from 1, or a range such as `1-4`."""
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


@dataclass(frozen=True)
class Steps:
    """Which pieces the CRF runs over.

    Attributes:
        pieces: (B, S) int64, the piece that each step reads; 0 where there is no step.
        mask: (B, S) bool, left-aligned.
    """

    pieces: Tensor
    mask: Tensor

    def to(self, device: torch.device) -> Steps:
        """The same steps on a device."""
        return Steps(self.pieces.to(device), self.mask.to(device))


@dataclass(frozen=True)
class HeadOutput:
    """Emissions (B, S, T) and language logits (B, G), None without a classifier."""

    emissions: Tensor
    language_logits: Tensor | None


class Head(nn.Module):
    """Everything that is trained.

    Attributes:
        layers: those of the encoder that `forward` wants, K of them.
        pieces: those of a word that it wants.
    """

    def __init__(
        self, params: HeadParams, *, n_layers: int, width: int, n_tags: int, n_languages: int, forbidden: Forbidden
    ) -> None:
        super().__init__()
        self.layers, self.pieces = layer_slice(params.layers, n_layers), params.pieces
        self.mix = LayerMix(self.layers.stop - self.layers.start, width, kind=params.mix)
        self.dropout = Dropout(params.dropout)
        self.words: WordEmbeddings | None = None
        if params.words.width:
            self.words = WordEmbeddings(params.words.buckets, params.words.width, dropout=params.words.dropout)
            width += params.words.width
        self.lstms = nn.ModuleList()
        for _ in range(params.lstm.layers):
            self.lstms.append(BiLSTM(width, params.lstm.hidden))
            width = 2 * params.lstm.hidden
        self.attentions = nn.ModuleList(
            SelfAttention(
                width, heads=params.attention.heads, key_size=params.attention.key_size, dropout=params.dropout
            )
            for _ in range(params.attention.layers)
        )
        self.projection = nn.Linear(width, params.projection) if params.projection else None
        self.emissions = nn.Linear(params.projection or width, n_tags)
        self.crf = LinearChainCRF(n_tags, forbidden if params.decoder == "crf" else None)
        if params.decoder == "softmax":
            for score in self.crf.parameters():
                nn.init.zeros_(score).requires_grad_(False)
        self.language: LanguageClassifier | None = None
        if params.classifier and n_languages:
            self.language = LanguageClassifier(
                width, hidden=params.classifier, n_languages=n_languages, dropout=params.dropout
            )

    def forward(self, hidden: Tensor, mask: Tensor, steps: Steps, words: Words | None = None) -> HeadOutput:
        """Score the tags of each step.

        Args:
            hidden: cached states of `layers` and `pieces`, (B, P, K, D).
            mask: (B, P) bool, left-aligned: real pieces.
            steps: the pieces that get a tag.
            words: their features, where the head has a part for them.
        """
        sequence = self.mix(hidden)
        if self.words is not None:
            assert words is not None  # whoever builds the batch asks the head
            sequence = torch.cat([sequence, self.words(words)], dim=-1)
        sequence = self.dropout(sequence)
        for lstm in self.lstms:
            sequence = self.dropout(lstm(sequence, mask))
        for attention in self.attentions:
            sequence = attention(sequence, mask)
        language_logits = self.language(sequence, mask) if self.language is not None else None
        index = steps.pieces[:, :, None].expand(-1, -1, sequence.shape[2])
        chosen = sequence.gather(1, index)
        if self.projection is not None:
            chosen = self.dropout(self.projection(chosen).tanh())
        return HeadOutput(self.emissions(chosen), language_logits)


def build_head(params: HeadParams, *, n_layers: int, width: int, tag_set: TagSet, languages: Sequence[str]) -> Head:
    """A head with fresh weights for an encoder's (L, D), a tag set and the languages to tell apart."""
    pairs, first, last = (torch.from_numpy(part) for part in tag_set.forbidden())
    return Head(
        params,
        n_layers=n_layers,
        width=width,
        n_tags=len(tag_set),
        n_languages=len(languages),
        forbidden=Forbidden(pairs, first, last),
    )
