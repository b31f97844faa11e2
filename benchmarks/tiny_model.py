"""A model of almost no computation: a tiny random encoder with pieces of one letter, and a small random head."""

from __future__ import annotations

from pathlib import Path

import torch

from ner_head.corpus.segment import SEGMENTATION
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.store.manifest import EncoderRecord
from ner_head.head.params import AttentionParams, HeadParams, LstmParams, WordParams
from ner_head.inference.saved_model import ModelManifest, SavedModel, TrainingRecord, new_head

LABELS, LANGUAGES = ["EVT", "LOC", "ORG", "PER", "PRO"], ["bg", "cs", "pl", "ru"]
OUTSIDE = 4.0
TINY_HEAD = HeadParams(
    layers="last",
    pieces="first",
    words=WordParams(width=0),
    lstm=LstmParams(hidden=8),
    attention=AttentionParams(layers=0),
    projection=0,
    classifier=8,
)


def tiny_encoder(folder: Path, words: list[str]) -> Path:
    """Save a BERT of one layer of 16 dimensions. Its pieces are the given words, and letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"}
    letters = [chr(i) for i in (*range(33, 127), *range(0xC0, 0x180), *range(0x400, 0x460))]
    pieces = list(dict.fromkeys([*special.values(), *letters, *(f"##{letter}" for letter in letters), *words]))
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = {f"{role}_token": token for role, token in special.items()}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(pieces),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=16,
            max_position_embeddings=512,
        )
        BertModel(config).save_pretrained(folder)
    return folder


def untrained(folder: Path, encoder: Path, params: HeadParams, *, outside: float = 0.0) -> None:
    """Save a random head of an encoder.

    Args:
        folder: folder of the model.
        encoder: folder of the encoder.
        params: shape of the head.
        outside: added to the score of O, without which most words of a random head are entities.
    """
    mark = Encoder(encoder, device=torch.device("cpu"), load=False).fingerprint
    record = EncoderRecord(
        model=str(encoder.absolute()),
        local=True,
        fingerprint=mark.digest(),
        n_layers=mark.n_layers,
        width=mark.width,
        **mark.spec.model_dump(),
    )
    manifest = ModelManifest(
        scheme="iob",
        labels=LABELS,
        languages=LANGUAGES,
        segmentation=SEGMENTATION,
        encoder=record,
        head=params,
        training=TrainingRecord(seed=0, epoch=0, dev_f1=0.0),
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = new_head(manifest)
        with torch.no_grad():
            head.get_parameter("emissions.bias")[manifest.tag_set.index("O")] += outside
        SavedModel(manifest, head).save(folder)
