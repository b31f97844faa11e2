"""A cased WordPiece vocabulary, balanced over the languages, in the Hugging Face layout."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from encoders.pretraining.text import LANGUAGES, lines

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def balanced_sample(text: Path, *, characters: int, seed: int) -> Iterator[str]:
    """Yield about `characters` per language: all modern prose, then lines drawn evenly from the rest."""
    pools: dict[str, list[str]] = {language: [] for language in LANGUAGES}
    used = dict.fromkeys(LANGUAGES, 0)
    for source, line in lines(text):
        if source.kind == "modern":
            used[source.language] += len(line)
            yield line
        else:
            pools[source.language].append(line)
    for language, pool in pools.items():
        random.Random(seed).shuffle(pool)
        for line in pool:
            if used[language] >= characters:
                break
            used[language] += len(line)
            yield line


def train_tokenizer(text: Path, *, size: int, characters: int = 12_000_000, seed: int = 0) -> Tokenizer:
    """Train a BERT tokenizer: cased, accents kept, words split at white space and punctuation."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), limit_alphabet=400, show_progress=False
    )
    tokenizer.train_from_iterator(balanced_sample(text, characters=characters, seed=seed), trainer)
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", first), ("[SEP]", last)],
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, directory: Path, *, max_length: int) -> None:
    """Write tokenizer.json, vocab.txt and tokenizer_config.json."""
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    (directory / "vocab.txt").write_text("".join(f"{piece}\n" for piece, _ in vocabulary), encoding="utf-8")
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": False,
        "strip_accents": False,
        "tokenize_chinese_chars": True,
        "model_max_length": max_length,
        "unk_token": "[UNK]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
