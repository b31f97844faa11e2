"""`config.json` of an encoder, with one set of names and the defaults of transformers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ner_head.base.errors import DataError
from ner_head.base.layers import LayerShape
from ner_head.base.params import Params

BERT = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}
"""Values for keys that `config.json` of a BERT lacks (transformers, configuration_bert.py)."""
BERT_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "output": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "output_norm": "output.LayerNorm",
}
"""The parts of a layer (`ner_head/bert.py`), and their names in the checkpoints of a family."""
LEAST_PIECES = 4  # of a pass: [CLS], [SEP] and two others, of which one is context
COMPUTED_ALIKE = ("gelu", "relu", "silu")  # for gelu_new, the last bits of torch differ from those of transformers


@dataclass(frozen=True)
class Family:
    """What architectures of a family have in common.

    Attributes:
        prefix: of the names of tensors in checkpoints with a task's head.
        defaults: values for keys that `config.json` lacks, by BERT's names of the keys.
        keys: other names of BERT's keys.
        layers: name of the list of layers; "" if the layers are not BERT's.
        parts: names of the parts of a layer.
        cls, sep, unk: special tokens, used if the folder does not name them.
        positions_behind_padding: whether positions are counted from the padding id + 1, as in RoBERTa.
    """

    prefix: str
    defaults: dict[str, object] = field(default_factory=lambda: dict(BERT))
    keys: dict[str, str] = field(default_factory=dict)
    layers: str = "encoder.layer"
    parts: dict[str, str] = field(default_factory=lambda: BERT_PARTS)
    cls: str = "[CLS]"
    sep: str = "[SEP]"
    unk: str = "[UNK]"
    positions_behind_padding: bool = False


DISTILBERT = Family(
    "distilbert",
    {**BERT, "num_hidden_layers": 6, "type_vocab_size": 0},
    {
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "hidden_act": "activation",
        "hidden_dropout_prob": "dropout",
        "type_vocab_size": "",  # no such key: there are no token types, and the epsilon is fixed
        "layer_norm_eps": "",
    },
    "transformer.layer",
    {
        "query": "attention.q_lin",
        "key": "attention.k_lin",
        "value": "attention.v_lin",
        "output": "attention.out_lin",
        "attention_norm": "sa_layer_norm",
        "up": "ffn.lin1",
        "down": "ffn.lin2",
        "output_norm": "output_layer_norm",
    },
)
ELECTRA = Family(
    "electra",
    {**BERT, "embedding_size": 128, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024},
)
MODERNBERT = Family(
    "model",
    {**BERT, "vocab_size": 50368, "num_hidden_layers": 22, "max_position_embeddings": 8192, "pad_token_id": 50283},
    layers="",
)


def _roberta(n_pieces: int) -> Family:
    defaults = {**BERT, "vocab_size": n_pieces, "pad_token_id": 1}
    return Family("roberta", defaults, cls="<s>", sep="</s>", unk="<unk>", positions_behind_padding=True)


FAMILIES = {
    "bert": Family("bert"),
    "distilbert": DISTILBERT,
    "electra": ELECTRA,
    "modernbert": MODERNBERT,
    "roberta": _roberta(50265),
    "camembert": _roberta(30522),
    "xlm-roberta": _roberta(30522),
}
"""The family of each `model_type` in config.json. To add an encoder family, add it here."""


class EncoderConfig(Params):
    """What the pipeline and the network need of `config.json`."""

    model_type: str
    vocab_size: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    num_hidden_layers: int = Field(ge=1, le=1000)
    num_attention_heads: int = Field(ge=1)
    intermediate_size: int = Field(ge=1)
    hidden_act: str
    hidden_dropout_prob: float = Field(ge=0, lt=1)
    max_position_embeddings: int = Field(ge=1)
    type_vocab_size: int = Field(ge=0)
    layer_norm_eps: float = Field(gt=0, lt=1)
    pad_token_id: int | None = Field(ge=0)
    embedding_size: int = Field(ge=1)
    """Size of the embeddings of words, positions and types."""
    unusual: bool = False
    """Whether keys such as `is_decoder` ask for another computation than that of a plain encoder."""

    @classmethod
    def read(cls, folder: Path) -> EncoderConfig:
        """Read the `config.json` of a folder.

        Raises:
            DataError: values are wrong, or the architecture is of no known family.
            ValueError: it is not JSON.
        """
        given = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        model_type = given.get("model_type")
        family = FAMILIES.get(model_type)
        if family is None:
            raise DataError(f"{folder}: an encoder of type {model_type!r}; known are {', '.join(FAMILIES)}")
        values: dict[str, Any] = {
            ours: given.get(family.keys.get(ours, ours), value) for ours, value in family.defaults.items()
        }
        values.setdefault("embedding_size", values["hidden_size"])
        unusual = any(given.get(key) for key in ("is_decoder", "add_cross_attention", "pruned_heads"))
        try:
            found = cls.model_validate({**values, "model_type": model_type, "unusual": unusual})
        except ValidationError as error:
            first = error.errors()[0]
            raise DataError(f"{folder}/config.json: {first['loc'][0]}: {first['msg']}") from None
        if found.hidden_size % found.num_attention_heads:
            sizes = f"hidden_size {found.hidden_size} is no multiple of num_attention_heads {found.num_attention_heads}"
            raise DataError(f"{folder}/config.json: {sizes}")
        if found.padding >= found.vocab_size:
            raise DataError(f"{folder}/config.json: pad_token_id {found.padding} is no piece of {found.vocab_size:,}")
        if found.limit < LEAST_PIECES:
            raise DataError(
                f"{folder}/config.json: max_position_embeddings: a pass of {found.limit} pieces is too short"
            )
        return found

    @property
    def family(self) -> Family:
        """The family of the architecture."""
        return FAMILIES[self.model_type]

    @property
    def padding(self) -> int:
        """Piece id of padding."""
        return 0 if self.pad_token_id is None else self.pad_token_id

    @property
    def limit(self) -> int:
        """Largest number of word pieces in a pass, [CLS] and [SEP] included."""
        behind = self.padding + 1 if self.family.positions_behind_padding else 0
        return self.max_position_embeddings - behind

    @property
    def computed_here(self) -> bool:
        """Whether `network.py` gives the same hidden states as transformers, to the last bit."""
        return bool(self.family.layers) and self.hidden_act in COMPUTED_ALIKE and not self.unusual

    def layer_shape(self) -> LayerShape:
        """The shape of the layers.

        Raises:
            DataError: the layers are not those of BERT, or have an activation function that `ner_head/bert.py` lacks.
        """
        if not self.family.layers:
            raise DataError(f"the layers of this encoder ({self.model_type}) are not BERT's")
        try:
            return LayerShape.model_validate(
                {
                    "width": self.hidden_size,
                    "heads": self.num_attention_heads,
                    "intermediate": self.intermediate_size,
                    "activation": self.hidden_act,
                    "epsilon": self.layer_norm_eps,
                    "dropout": self.hidden_dropout_prob,
                }
            )
        except ValidationError as error:
            first = error.errors()[0]
            raise DataError(f"the layers of this encoder: {first['loc'][0]}: {first['msg']}") from None
