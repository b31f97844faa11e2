"""Epochs of flair's sequence tagger over cached embeddings; for `benchmarks.training`, in an environment of its own.

python benchmarks/flair_epochs.py SENTENCES.conll ENCODER_FOLDER [--threads 1]

One line of JSON on standard output: seconds of each epoch. In the first one flair runs the encoder; with
`embeddings_storage_mode="cpu"` the others read what it kept.
"""

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path

import flair
import torch
from flair.data import Corpus
from flair.datasets.sequence_labeling import ColumnDataset
from flair.embeddings import TransformerWordEmbeddings
from flair.models import SequenceTagger
from flair.trainers import ModelTrainer
from flair.trainers.plugins import TrainerPlugin


class Clock(TrainerPlugin):
    """Seconds of each epoch's steps."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    @TrainerPlugin.hook
    def before_training_epoch(self, **_: object) -> None:
        """Start."""
        self.start = time.perf_counter()

    @TrainerPlugin.hook
    def after_training_epoch(self, **_: object) -> None:
        """Stop."""
        self.seconds.append(time.perf_counter() - self.start)


def main() -> None:
    """Train, and print the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    flair.device = torch.device("cpu")
    logging.disable(logging.CRITICAL)
    data = ColumnDataset(str(options.sentences), {0: "text", 1: "ner"})
    corpus = Corpus(train=data, sample_missing_splits=False)
    embeddings = TransformerWordEmbeddings(
        str(options.encoder), layers="all", layer_mean=True, subtoken_pooling="first", fine_tune=False
    )
    tagger = SequenceTagger(
        embeddings,
        corpus.make_label_dictionary("ner", add_unk=False),
        "ner",
        hidden_size=options.hidden,
        rnn_layers=1,
        tag_format="BIO",
        reproject_embeddings=False,
        use_crf=True,
    )
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        ModelTrainer(tagger, corpus).train(
            folder,
            learning_rate=1e-3,
            optimizer=torch.optim.AdamW,
            mini_batch_size=options.batch,
            max_epochs=options.epochs,
            embeddings_storage_mode="cpu",
            save_final_model=False,
            plugins=[clock],
        )
    print(json.dumps({"flair": flair.__version__, "torch": torch.__version__, "seconds": clock.seconds}))


if __name__ == "__main__":
    main()
