"""Prediction with flair's sequence tagger; for `benchmarks.predict`, in an environment of its own.

python benchmarks/flair_predict.py SENTENCES.json ENCODER_FOLDER [--batch 32]

Each line on standard input is answered with the CPU seconds of one prediction of all sentences. The tagger is not
trained: an LSTM of 256 units and a CRF over the mean of the encoder's layers.
"""

import argparse
import json
import logging
import sys
import time
from pathlib import Path

import flair
import torch
from flair.data import Dictionary, Sentence
from flair.embeddings import TransformerWordEmbeddings
from flair.models import SequenceTagger

LABELS = ("EVT", "LOC", "ORG", "PER", "PRO")


def main() -> None:
    """Build the tagger, and predict on demand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    flair.device = torch.device("cpu")
    logging.disable(logging.CRITICAL)
    torch.manual_seed(0)
    embeddings = TransformerWordEmbeddings(
        str(options.encoder), layers="all", layer_mean=True, subtoken_pooling="first", fine_tune=False
    )
    labels = Dictionary(add_unk=False)
    for label in LABELS:
        labels.add_item(label)
    tagger = SequenceTagger(embeddings, labels, tag_type="ner", hidden_size=256, use_crf=True)
    texts = json.loads(options.sentences.read_text(encoding="utf-8"))
    for _ in sys.stdin:
        start = time.process_time()
        tagger.predict([Sentence(text) for text in texts], mini_batch_size=options.batch)
        print(json.dumps(time.process_time() - start), flush=True)


if __name__ == "__main__":
    main()
