"""The head: layer mix -> BiLSTM -> self-attention -> emissions for the CRF, and language logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ner_head.base.errors import UsageError
from ner_head.base.layers import layer_range
from ner_head.corpus.tagging import TagSet
from ner_head.head.context import BiLSTM, SelfAttention
from ner_head.head.crf import Forbidden, LinearChainCRF
from ner_head.head.dropout import Dropout
from ner_head.head.encoder_layers import EncoderLayers
from ner_head.head.language import LanguageClassifier
from ner_head.head.layer_mix import layer_mix
from ner_head.head.params import HeadParams
from ner_head.head.word_means import word_means
from ner_head.head.words import WordEmbeddings, WordFeatures


@dataclass(frozen=True)
class Steps:
    """The pieces that get a tag.

    Attributes:
        pieces: (B, S) int64, the piece of each step of the CRF; 0 for padding.
        mask: (B, S) bool, left-aligned.
    """

    pieces: Tensor
    mask: Tensor

    def to(self, device: torch.device) -> Steps:
        """A copy on a device."""
        return Steps(self.pieces.to(device), self.mask.to(device))


@dataclass(frozen=True)
class HeadOutput:
    """Emissions (B, S, T) and language logits (B, G), None without a classifier."""

    emissions: Tensor
    language_logits: Tensor | None


class Head(nn.Module):
    """The network that is trained. Its input is the hidden states of a frozen encoder.

    Attributes:
        mixed: numbers of the encoder's layers that are mixed.
        layers: numbers of the encoder's layers that `forward` reads, K of them.
        pieces: pieces of a word that `forward` reads.
        averages_pieces: whether the LSTM runs over words, each the mean of its pieces.
        encoder_layers: the last layers of the encoder, if they are trained: the mix then takes their states from here.
    """

    def __init__(
        self,
        params: HeadParams,
        *,
        n_layers: int,
        width: int,
        n_tags: int,
        n_languages: int,
        forbidden: Forbidden,
        encoder_layers: EncoderLayers | None = None,
    ) -> None:
        super().__init__()
        n_tuned = len(encoder_layers.layers) if encoder_layers is not None else 0
        self.mixed, self.pieces = layer_range(params.layers, n_layers, param="head.layers"), params.read_pieces
        self.layers = layers_to_read(params, n_layers, n_tuned)
        self.averages_pieces = params.pieces == "mean"
        self.mix = layer_mix(len(self.mixed), width, kind=params.mix)
        width = self.mix.width
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
        self.encoder_layers = encoder_layers

    @property
    def reads_words(self) -> bool:
        """Whether `forward` needs word features."""
        return self.words is not None

    @property
    def predicts_languages(self) -> bool:
        """Whether the output has language logits."""
        return self.language is not None

    @property
    def reads_separator(self) -> bool:
        """Whether `forward` needs the states of [SEP]."""
        return self.encoder_layers is not None

    @torch.no_grad()
    def layer_weights(self) -> Tensor:
        """The weight of each of `mixed` in the mix, (M,) or (M, D)."""
        return self.mix.layer_weights()

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor,
        steps: Steps,
        words: WordFeatures | None = None,
        separator: Tensor | None = None,
    ) -> HeadOutput:
        """Compute the emissions of each step.

        Args:
            hidden: cached states of `layers` and `pieces`, (B, P, K, D).
            mask: (B, P) bool, left-aligned: real pieces.
            steps: the pieces that get a tag.
            words: features of the words; needed if the head has word embeddings.
            separator: states of [SEP] in the highest of `layers`, (B, D); needed if `reads_separator`.
        """
        sequence = self.mix(self._states(hidden, mask, separator))
        if self.words is not None:
            assert words is not None  # `Tagger` and `collate` provide them
            sequence = torch.cat([sequence, self.words(words)], dim=-1)
        sequence, index = self.dropout(sequence), steps.pieces
        if self.averages_pieces:
            sequence = word_means(sequence, mask, steps.pieces, steps.mask)
            mask = nn.functional.pad(steps.mask, (1, 0), value=True)  # [CLS] is the first position
            index = torch.arange(1, mask.shape[1], device=mask.device).expand_as(steps.pieces)
        for lstm in self.lstms:
            sequence = self.dropout(lstm(sequence, mask))
        for attention in self.attentions:
            sequence = attention(sequence, mask)
        language_logits = self.language(sequence, mask) if self.language is not None else None
        chosen = sequence.gather(1, index[:, :, None].expand(-1, -1, sequence.shape[2]))
        if self.projection is not None:
            chosen = self.dropout(self.projection(chosen).tanh())
        return HeadOutput(self.emissions(chosen), language_logits)

    def _states(self, hidden: Tensor, mask: Tensor, separator: Tensor | None) -> Tensor:
        """The states of the mixed layers, (B, P, M, D): the cached ones, and above them those computed here."""
        if self.encoder_layers is None:
            return hidden
        assert separator is not None  # `Tagger` and `collate` provide it
        computed = self.encoder_layers(hidden[:, :, -1].float(), separator, mask)
        below = self.mixed.start - self.layers.stop  # computed layers that are not mixed, if positive
        upper = [states.float() for states in computed[max(below, 0) :]]
        lower = hidden if below < 0 else hidden[:, :, :0]
        return torch.cat([lower.float(), torch.stack(upper, 2)], 2)


def layers_to_read(params: HeadParams, n_layers: int, n_tuned: int) -> range:
    """The numbers of the cached layers that a head reads.

    Args:
        params: section `head`.
        n_layers: number of layers of the encoder, L.
        n_tuned: number of the encoder's last layers that are trained, N. The head computes them from layer L - N.
    Raises:
        UsageError: the encoder does not have these layers, or `head` leaves out what the tuned layers need.
    """
    mixed = layer_range(params.layers, n_layers, param="head.layers")
    if not n_tuned:
        return mixed
    if n_tuned > n_layers:
        raise UsageError(f"training.tune_layers: {n_tuned}, but the encoder has {n_layers} layers")
    if mixed[-1] != n_layers:
        raise UsageError(f"training.tune_layers trains the last layer, which head.layers: {params.layers} leaves out")
    if params.read_pieces != "all":
        raise UsageError("training.tune_layers needs all pieces: set head.pieces to mean or all")
    below = n_layers - n_tuned
    return range(min(mixed[0], below), below + 1)


def build_head(
    params: HeadParams,
    *,
    n_layers: int,
    width: int,
    tag_set: TagSet,
    languages: Sequence[str],
    encoder_layers: EncoderLayers | None = None,
) -> Head:
    """A head with fresh weights.

    Args:
        params: section `head`.
        n_layers: number of layers of the encoder, L.
        width: width of the encoder, D.
        tag_set: tags of the emissions.
        languages: languages of the classifier; empty = no classifier.
        encoder_layers: the last layers of the encoder, if they are trained.
    Raises:
        UsageError: as `layers_to_read`.
    """
    pairs, first, last = (torch.from_numpy(part) for part in tag_set.forbidden())
    return Head(
        params,
        n_layers=n_layers,
        width=width,
        n_tags=len(tag_set),
        n_languages=len(languages),
        forbidden=Forbidden(pairs, first, last),
        encoder_layers=encoder_layers,
    )
