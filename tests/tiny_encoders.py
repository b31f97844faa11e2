"""Tiny random encoders of every family, made on the spot; the seed is fixed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

LETTERS = [chr(i) for i in (*range(33, 127), *range(0xC0, 0x180), *range(0x400, 0x460))]
BRACKETED = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"}
ANGLED = {"unk": "<unk>", "cls": "<s>", "sep": "</s>", "pad": "<pad>", "mask": "<mask>"}
SIZES = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32}


def save_tokenizer(folder: Path, tokenizer: Tokenizer, special: dict[str, str]) -> int:
    """Write tokenizer.json and tokenizer_config.json; returns the size of the vocabulary."""
    named = {f"{role}_token": token for role, token in special.items()}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    return tokenizer.get_vocab_size()


def wordpiece(folder: Path) -> int:
    """Letters, and letters inside of words."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return save_tokenizer(folder, tokenizer, BRACKETED)


def sentencepiece(folder: Path) -> int:
    """Letters, a few longer pieces, and the mark of a space."""
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *LETTERS, "▁Jan", "▁je", "ová", "<mask>"]
    tokenizer = Tokenizer(models.Unigram([(piece, -1.0 - len(piece) / 9) for piece in pieces], unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return save_tokenizer(folder, tokenizer, ANGLED)


def byte_level(folder: Path, special: dict[str, str]) -> int:
    """All bytes, and two merges."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*special.values(), *alphabet, "Ja", "ĠJ"]
    tokenizer = Tokenizer(models.BPE({p: i for i, p in enumerate(pieces)}, [("J", "a"), ("Ġ", "J")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return save_tokenizer(folder, tokenizer, special)


def bert(folder: Path) -> PreTrainedModel:
    """At most 24 pieces in a pass."""
    return BertModel(BertConfig(vocab_size=wordpiece(folder), max_position_embeddings=24, **SIZES))


def distilbert(folder: Path) -> PreTrainedModel:
    """Other names in its config, no token types."""
    size = {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 32}
    return DistilBertModel(DistilBertConfig(vocab_size=wordpiece(folder), max_position_embeddings=24, **size))


def electra(folder: Path) -> PreTrainedModel:
    """Embeddings narrower than its layers."""
    config = ElectraConfig(vocab_size=wordpiece(folder), embedding_size=8, max_position_embeddings=24, **SIZES)
    return ElectraModel(config)


def xlm_roberta(folder: Path) -> PreTrainedModel:
    """Positions from the padding id + 1: 26 of them hold 24 pieces."""
    config = XLMRobertaConfig(
        vocab_size=sentencepiece(folder),
        max_position_embeddings=26,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        type_vocab_size=1,
        **SIZES,
    )
    return XLMRobertaModel(config)


def roberta(folder: Path) -> PreTrainedModel:
    """Byte-level pieces; positions as XLM-R's."""
    names = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
    config = RobertaConfig(
        vocab_size=byte_level(folder, names), max_position_embeddings=26, pad_token_id=1, type_vocab_size=1, **SIZES
    )
    return RobertaModel(config)


def modernbert(folder: Path) -> PreTrainedModel:
    """Rotary positions, local attention, byte-level pieces."""
    config = ModernBertConfig(
        vocab_size=byte_level(folder, BRACKETED),
        max_position_embeddings=24,
        pad_token_id=3,
        cls_token_id=1,
        sep_token_id=2,
        local_attention=8,
        **SIZES,
    )
    return ModernBertModel(config)


FAMILIES: dict[str, Callable[[Path], PreTrainedModel]] = {
    make.__name__: make for make in (bert, distilbert, electra, xlm_roberta, roberta, modernbert)
}


def save(family: str, folder: Path) -> Path:
    """Make an encoder of a family in a folder."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        FAMILIES[family](folder).save_pretrained(folder)
    return folder
