"""Speed of extraction, compared with the encoder alone and with simpler ways of batching; see docs/results.md.

    python -m benchmarks.extraction [--corpus SLAVICNER] [--sentences 1500] [--threads 2]

It measures the bundled encoder, and a 12 x 768 BERT with random weights on a quarter of the sentences. All ways are
measured in turn in one process, `--repeats` times, and the ratios are of the best times. The bare encoder is ours, with
its packed products. The plain loop uses the network of transformers with sentences sorted by length, in padded batches
of 16.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import write_results
from ner_head.corpus.documents import Document
from ner_head.features.extraction.encode import split_words
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.network import EncoderNetwork
from ner_head.features.extraction.passes import Pass, plan_passes
from ner_head.features.extraction.plans import plan_shards
from ner_head.features.extraction.pool import Pool
from ner_head.features.extraction.workers import Workers
from ner_head.features.store.batches import length_batches
from ner_head.features.store.codecs import CODECS
from ner_head.preparation.prepare import PrepareParams, Splits, prepare

BUNDLED = Path("encoders/multilingual-e5-small")


def random_encoder(folder: Path, width: int = 768) -> Encoder:
    """A BERT of 12 layers with random weights and the bundled encoder's tokenizer; by default as large as BERT-base."""
    from transformers import BertConfig, BertModel

    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(BUNDLED / name, folder)
    torch.manual_seed(0)
    vocabulary = json.loads((BUNDLED / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    config = BertConfig(vocab_size=vocabulary, hidden_size=width, intermediate_size=4 * width)
    BertModel(config).save_pretrained(folder)
    return Encoder(folder, device=torch.device("cpu"))


def sample(n_sentences: int, corpus: str) -> list[Document]:
    """Random documents with at least `n_sentences` sentences, of the sample corpus or of a folder of SlavicNER."""
    params = PrepareParams(source="data/sample", format="bsnlp2019", splits=Splits(train=["railway"]))
    if corpus:
        params = PrepareParams(source=corpus, format="slavicner", splits=Splits(train=["brexit"]))
    documents = prepare(params).splits["train"]
    chosen: list[Document] = []
    for document in (documents[i] for i in np.random.default_rng(0).permutation(len(documents))):
        if sum(len(d.sentences) for d in chosen) < n_sentences:
            chosen.append(document)
    return chosen


def best(ways: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """The best time in seconds of each way; the ways are run in turn."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    return {name: min(found) for name, found in times.items()}


def code_errors(states: torch.Tensor) -> dict[str, Any]:
    """Bytes per piece of each codec, and its largest and mean error, relative to the largest magnitude of a vector."""
    size = states.abs().amax(-1, keepdim=True).double().numpy()
    found = {}
    for code, codec in CODECS.items():
        back = codec.decode(codec.encode(states)).astype(np.float64)
        error = np.abs(back - states.double().numpy()) / size
        n_bytes = codec.bytes_per_piece(states.shape[-2], states.shape[-1])
        found[code] = {
            "bytes_per_piece": n_bytes,
            "largest_error": float(error.max()),
            "mean_error": float(error.mean()),
        }
    return found


class Bench:
    """The same passes through one encoder, batched in several ways.

    Attributes:
        passes: passes of all sentences, in the order of extraction.
        batches: the batches of extraction, as ranges of passes.
        order: a random order of the passes.
    """

    def __init__(self, folder: Path, encoder: Encoder, documents: list[Document], batch_pieces: int) -> None:
        self.folder, self.encoder, self.documents, self.batch_pieces = folder, encoder, documents, batch_pieces
        self.plain = encoder.files.load(encoder.device, dropout=True)  # transformers, in evaluation mode
        self.plans = plan_shards(
            documents,
            shard_words=4096,
            fingerprint=encoder.fingerprint.digest(),
            spaces=encoder.word_pieces.marks_spaces,
        )
        self.passes, self.batches = list[Pass](), list[range]()
        for plan in self.plans:
            ids = [[p.ids for p in document] for document in split_words(plan.words, self.encoder)]
            found = plan_passes(ids, context="sentence", capacity=self.encoder.fingerprint.limit - 2)
            start = len(self.passes)
            self.passes += found
            cut = length_batches([len(p) for p in found], batch_pieces)
            self.batches += [range(start + batch.start, start + batch.stop) for batch in cut]
        self.lengths = [len(p) for p in self.passes]
        self.order = np.random.default_rng(0).permutation(len(self.passes)).tolist()
        self.third = self.order[: len(self.order) // 3 // 16 * 16]

    def forward(self, rows: Sequence[int], longest: int, model: EncoderNetwork | None = None) -> None:
        """Run a batch through the encoder, or through another network."""
        tokens = torch.zeros(len(rows), longest, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.bool)
        for row, index in enumerate(rows):
            tokens[row, 1 : self.lengths[index] - 1] = torch.from_numpy(self.passes[index].body)
            mask[row, : self.lengths[index]] = True
        with torch.inference_mode():
            (model or self.encoder.model)(tokens, None if mask.all() else mask, self.encoder.layers)

    def sorted_16(self) -> None:
        """The plain loop: batches of 16, sorted by length."""
        order = sorted(range(len(self.passes)), key=self.lengths.__getitem__)
        for start in range(0, len(order), 16):
            rows = order[start : start + 16]
            self.forward(rows, self.lengths[rows[-1]], self.plain)

    def bare(self) -> None:
        """The batches of extraction, through the encoder alone."""
        for batch in self.batches:
            self.forward(batch, self.lengths[batch.stop - 1])

    def random_16(self) -> None:
        """A third of the passes, in random batches of 16, padded to the longest."""
        for start in range(0, len(self.third), 16):
            rows = self.third[start : start + 16]
            self.forward(rows, max(self.lengths[i] for i in rows))

    def half_paper_batch(self) -> None:
        """Half a batch of 16, padded to 512; a whole batch takes minutes on a CPU."""
        self.forward(self.order[:8], 512)

    def extraction(self) -> None:
        """The whole extraction, from documents to shards in a new pool."""
        place = Path(tempfile.mkdtemp(dir=self.folder))
        extract(
            self.documents,
            self.encoder,
            encoder_name="random",
            shard_words=4096,
            batch_pieces=self.batch_pieces,
            pool=Pool(place / "pool"),
            output=place,
            workers=Workers(show="none"),
        )

    def states(self) -> torch.Tensor:
        """(P, L, D) of one sentence."""
        with torch.inference_mode():
            body = torch.from_numpy(np.stack([self.passes[-1].body])).long()
            hidden = self.encoder.model(body, None, self.encoder.layers)
        return torch.stack(hidden, dim=2)[0]

    def measure(self, repeats: int) -> dict[str, Any]:
        """Measure all ways, and compute ratios."""
        ways = {
            "extraction": self.extraction,
            "bare": self.bare,
            "sorted_16": self.sorted_16,
            "random_16": self.random_16,
        }
        times = best(ways, repeats)
        times["random_16"] *= len(self.order) / len(self.third)
        times["paper_16"] = 2 * best({"paper": self.half_paper_batch}, 1)["paper"]
        paper = times["paper_16"] * len(self.passes) / 16
        return {
            "sentences": len(self.passes),
            "pieces": sum(self.lengths) - len(self.passes),
            "shards": len(self.plans),
            "threads": torch.get_num_threads(),
            "batch_pieces": self.batch_pieces,
            "seconds": {name: round(value, 3) for name, value in times.items()},
            "throughput_of_the_bare_encoder": round(times["bare"] / times["extraction"], 3),
            "faster_than_a_plain_loop": round(times["sorted_16"] / times["extraction"], 3),
            "pieces_per_second": round((sum(self.lengths) - len(self.passes)) / times["extraction"]),
            "faster_than_padding_to_512_in_batches_of_16": round(paper / times["extraction"], 2),
            "faster_than_random_batches_of_16": round(times["random_16"] / times["extraction"], 2),
            "codes": code_errors(self.states()),
        }


def main() -> None:
    """Measure, print, and write benchmarks/results/extraction.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="", help="folder of SlavicNER; the sample if not given")
    parser.add_argument("--sentences", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-pieces", type=int, default=1024)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder, figures = Path(name), {}
        bundled, large = Encoder(BUNDLED, device=torch.device("cpu")), random_encoder(folder / "encoder")
        for encoder, n_sentences in ((bundled, options.sentences), (large, options.sentences // 4)):
            bench = Bench(folder, encoder, sample(n_sentences, options.corpus), options.batch_pieces)
            shape = f"12 x {encoder.fingerprint.width}"
            figures[shape] = bench.measure(options.repeats)
            print(shape, figures[shape], flush=True)
    write_results("extraction", figures, ("torch", "transformers", "h5py"))


if __name__ == "__main__":
    main()
