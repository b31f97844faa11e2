"""Cached layers against transformers' own hidden states, one unpadded sentence at a time.

    python -m benchmarks.layer_parity data/prepared/train.jsonl data/features ENCODER_FOLDER

Words go through transformers' own tokenizer here, so that pieces are compared as well. Sentences longer than the
encoder's limit are counted, not compared: transformers would cut them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from ner_head.corpus.documents import sentence_id
from ner_head.corpus.records import read_documents
from ner_head.features.store.store import FeatureStore

BAR = 2.0**-10  # float16 keeps 11 bits, and rounding may be off by half of the last; twice that for the batch's own


def main(documents: Path, features: Path, encoder: Path) -> None:
    """Print the largest differences; exit 1 above the bar."""
    tokenizer, model = AutoTokenizer.from_pretrained(encoder), AutoModel.from_pretrained(encoder).eval()
    store = FeatureStore.open(features)
    compared = pieces = long = 0
    worst = 0.0
    for document in read_documents(documents):
        for index, sentence in enumerate(document.sentences):
            words = [word.text for word in sentence.words]
            inputs = tokenizer(words, is_split_into_words=True, return_tensors="pt")
            if inputs["input_ids"].shape[1] > model.config.max_position_embeddings:
                long += 1
                continue
            with torch.inference_mode():
                states = model(**inputs, output_hidden_states=True).hidden_states[1:]
            own = torch.stack(states, dim=2)[0, :-1].numpy()
            cached = store[sentence_id(document.key, index)]
            if cached.piece_ids.tolist() != inputs["input_ids"][0, :-1].tolist():
                sys.exit(f"{document.key} sentence {index}: other pieces than transformers'")
            scale = np.maximum(np.abs(own), np.abs(own).mean())
            worst = max(worst, float((np.abs(cached.hidden - own) / scale).max()))
            compared, pieces = compared + 1, pieces + len(own)
    layers = model.config.num_hidden_layers
    print(f"{compared:,} sentences, {pieces:,} pieces, {layers} layers compared; {long} over the limit")
    print(f"largest difference, by the value or the sentence's mean if larger: {worst:.2e} (bar {BAR:.2e})")
    sys.exit(worst > BAR)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
