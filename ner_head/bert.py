"""The layer of BERT and its relatives. The frozen encoder computes with it, and a head trains layers of this kind."""

from __future__ import annotations

from torch import Tensor, nn

from ner_head.base.layers import Activation, LayerShape

ACTIVATIONS: dict[Activation, nn.Module] = {
    "gelu": nn.GELU(),
    "gelu_new": nn.GELU(approximate="tanh"),
    "relu": nn.ReLU(),
    "silu": nn.SiLU(),
}


class EncoderLayer(nn.Module):
    """One layer of BERT (Devlin et al., 2018): attention, then a feed-forward network.

    Each is followed by the residual connection and a layer norm. There is no dropout; a subclass that is trained sets
    `dropout` and replaces `attend`.

    Args:
        shape: widths, heads and activation function.
    """

    def __init__(self, shape: LayerShape) -> None:
        super().__init__()
        width = shape.width
        self.heads = shape.heads
        self.dropout: nn.Module = nn.Identity()
        self.query: nn.Module = nn.Linear(width, width)
        self.value: nn.Module = nn.Linear(width, width)
        self.key, self.output = nn.Linear(width, width), nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, shape.epsilon)
        self.up, self.down = nn.Linear(width, shape.intermediate), nn.Linear(shape.intermediate, width)
        self.output_norm = nn.LayerNorm(width, shape.epsilon)
        self.activation = ACTIVATIONS[shape.activation]

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """Hidden states of the layer below, (B, P, D), to those of this layer, (B, P, D).

        Args:
            states: with the states of [SEP] behind the last piece.
            mask: (B, 1, 1, P) bool, which places may be attended to; None for all.
        """
        size = (*states.shape[:2], self.heads, states.shape[2] // self.heads)
        query, key, value = (part(states).view(size).transpose(1, 2) for part in (self.query, self.key, self.value))
        found = self.attend(query, key, value, mask)
        states = self.attention_norm(states + self.dropout(self.output(found.transpose(1, 2).flatten(2))))
        result: Tensor = self.output_norm(states + self.dropout(self.down(self.activation(self.up(states)))))
        return result

    def attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """softmax(q k^T / sqrt(d)) v, all (B, heads, P, d); mask as in `forward`."""
        return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
