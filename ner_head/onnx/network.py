"""The network of a model as one module that `torch.onnx` can trace: encoder, rounding, head."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from gguf import dequantize
from torch import Tensor, nn, onnx

from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.gguf_weights import QuantisedEmbedding
from ner_head.head.committee import AnyHead, Committee
from ner_head.head.context import BiLSTM
from ner_head.head.layer_mix import WeightedSum
from ner_head.head.model import Head, Steps
from ner_head.head.words import WordEmbeddings, WordFeatures


class FrozenLayers(nn.Module):
    """The layers of an encoder that a head reads, rounded as the codec of the features rounds them."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        # not `encoder.model`, whose products may be packed for oneDNN
        self.network = encoder.files.load(torch.device("cpu"))
        self.layers, self.dtype = encoder.layers, encoder.fingerprint.spec.dtype
        self.network.keep_layers(self.layers[-1])
        for name, module in list(self.network.named_modules()):
            if isinstance(module, QuantisedEmbedding):
                owner, _, last = name.rpartition(".")
                rows = torch.from_numpy(dequantize(module.rows, module.kind))
                setattr(self.network.get_submodule(owner), last, nn.Embedding(len(rows), rows.shape[1], _weight=rows))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(N, Q) ids and (N, Q) int64 mask -> (N, Q, K, D), float32."""
        return rounded(torch.stack(self.network(ids, mask.bool(), self.layers), 2), self.dtype)


def rounded(states: Tensor, dtype: str) -> Tensor:
    """States (..., D) as they are after a codec has stored them (`features.store.codecs`), float32."""
    if dtype == "float16":
        return states.half().float()
    if dtype == "bfloat16":
        return states.bfloat16().float()
    if dtype == "int8":
        scale = states.abs().amax(-1, keepdim=True) / 127
        quotient = torch.where(scale > 0, states / scale, 0.0).round().clamp(-127, 127)
        return quotient * scale
    return states


class Sum(nn.Module):
    """A `WeightedSum` without its own loop over blocks, whose length cannot be traced."""

    def __init__(self, mix: WeightedSum) -> None:
        super().__init__()
        weights = mix.layer_weights().detach()
        self.width = mix.width
        self.weights = nn.Parameter((weights[:, None] if weights.dim() == 1 else weights) * mix.gamma.detach())

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, P, K, D) -> (B, P, D)."""
        return (hidden * self.weights).sum(2)


class WordSum(nn.Module):
    """`WordEmbeddings` as a look-up and a sum."""

    def __init__(self, words: WordEmbeddings) -> None:
        super().__init__()
        self.buckets = words.buckets
        table = words.table.weight.detach().clone()
        table[0] = 0  # no feature
        self.table = nn.Parameter(table)

    def forward(self, words: WordFeatures) -> Tensor:
        """(B, W, F) ids and (B, P) words of pieces -> (B, P, E); zeros for [CLS]."""
        ids = torch.where(words.ids > 0, 1 + words.ids % self.buckets, 0)
        vectors = nn.functional.pad(self.table[ids].sum(2), (0, 0, 1, 0))
        index = (words.of_piece + 1)[:, :, None].expand(-1, -1, vectors.shape[2])
        return vectors.gather(1, index)


class SequenceLstm(nn.Module):
    """A `BiLSTM` as the operator LSTM of ONNX, which takes the lengths of the sequences.

    The operator reads each sequence backwards from its own last piece, and gives zeros for padding.
    """

    def __init__(self, lstm: BiLSTM) -> None:
        super().__init__()
        self.hidden = lstm.forwards.hidden_size
        parts = [dict(one.named_parameters()) for one in (lstm.forwards, lstm.backwards)]

        def both(name: str) -> Tensor:
            return torch.stack([self._gates(part[name]) for part in parts])

        self.inputs, self.states = nn.Parameter(both("weight_ih_l0")), nn.Parameter(both("weight_hh_l0"))
        self.biases = nn.Parameter(torch.cat([both("bias_ih_l0"), both("bias_hh_l0")], 1))

    @staticmethod
    def _gates(rows: Tensor) -> Tensor:
        """Rows of torch's gates (input, forget, cell, output) in the order of ONNX (input, output, forget, cell)."""
        i, f, c, o = rows.detach().chunk(4)
        return torch.cat([i, o, f, c])

    def forward(self, sequence: Tensor, mask: Tensor) -> Tensor:
        """(B, P, D), (B, P) bool -> (B, P, 2H). It can only be traced: torch computes zeros here."""
        n_sentences, n_pieces, _ = sequence.shape
        found, _, _ = onnx.ops.symbolic_multi_out(
            "LSTM",
            [sequence.transpose(0, 1), self.inputs, self.states, self.biases, mask.sum(1).to(torch.int32)],
            {"direction": "bidirectional", "hidden_size": self.hidden},
            dtypes=[sequence.dtype] * 3,
            shapes=[(n_pieces, 2, n_sentences, self.hidden), *[(2, n_sentences, self.hidden)] * 2],
        )
        return found.permute(2, 0, 1, 3).reshape(n_sentences, n_pieces, 2 * self.hidden)


def traceable(head: AnyHead) -> AnyHead:
    """A copy of a head on the CPU whose parts can all be traced."""
    head = copy.deepcopy(head).cpu().eval().requires_grad_(False)
    for one in head.members if isinstance(head, Committee) else [head]:
        replace_parts(one)
    return head


def replace_parts(head: Head) -> None:
    """Replace the parts of a head that `torch.onnx` cannot trace, in place."""
    parts: Sequence[tuple[str, nn.Module]] = list(head.named_modules())
    made = {WeightedSum: Sum, WordEmbeddings: WordSum, BiLSTM: SequenceLstm}
    for name, module in parts:
        if type(module) in made:
            owner, _, last = name.rpartition(".")
            setattr(head.get_submodule(owner), last, made[type(module)](module))


class Network(nn.Module):
    """Piece ids to emissions and language logits; the inputs are described in docs/export.md.

    Args:
        encoder: the encoder, with the layers that the head reads.
        head: a head or a committee.
    """

    def __init__(self, encoder: Encoder, head: AnyHead) -> None:
        super().__init__()
        self.encoder, self.head = FrozenLayers(encoder), traceable(head)
        self.requires_grad_(False)

    def forward(
        self,
        ids: Tensor,
        mask: Tensor,
        pieces: Tensor,
        n_pieces: Tensor,
        steps: Tensor,
        n_steps: Tensor,
        separators: Tensor | None = None,
        word_features: Tensor | None = None,
        word_of_piece: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Compute emissions (B, S, T), and language logits (B, G) if the head has a classifier.

        Args:
            ids: piece ids of N passes of the encoder, (N, Q) int64, [CLS] first, [SEP] last, then padding.
            mask: (N, Q) int64, 1 for pieces, 0 for padding.
            pieces: for each piece of B sentences its place in the passes, row * Q + column, (B, P) int64.
            n_pieces: number of pieces of each sentence, (B,) int64.
            steps: the piece of each step of the CRF, (B, S) int64.
            n_steps: number of steps of each sentence, (B,) int64.
            separators: the place of each sentence's [SEP] in the passes, (B,) int64.
            word_features: hashed features of words, (B, W, F) int64; 0 for none.
            word_of_piece: the word of each piece, (B, P) int64; -1 for [CLS] and padding.
        """
        states = self.encoder(ids, mask).flatten(0, 1)
        words = None
        if word_features is not None and word_of_piece is not None:
            words = WordFeatures(word_features, word_of_piece)
        output = self.head(
            states[pieces],
            within(n_pieces, pieces),
            Steps(steps, within(n_steps, steps)),
            words,
            states[separators, -1] if separators is not None else None,
        )
        logits = output.language_logits
        return (output.emissions,) if logits is None else (output.emissions, logits)


def within(lengths: Tensor, rows: Tensor) -> Tensor:
    """The mask of padded rows: (B,), (B, N) -> (B, N) bool."""
    return torch.arange(rows.shape[1]) < lengths[:, None]
