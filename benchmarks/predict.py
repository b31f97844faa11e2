"""Speed of prediction, compared with the encoder alone, a pipeline of transformers, and flair; see docs/prediction.md.

    python -m benchmarks.predict [--flair .venv-flair/bin/python] [--documents 40] [--repeats 3]

All ways use the bundled encoder and one thread, on the same documents of the sample, in turn; the figures are CPU
seconds, which other programs on the machine disturb little. The heads are not trained: a speed needs no trained
weights, and the head is of the default size. Our way and flair's have a CRF; the pipeline has one linear layer. The
pipeline and flair get the sentences, cut by our segmentation, which is counted for our way only. The encoder alone runs
the batches that `Recognizer.stream` runs. The memory is that of `ner-head predict --from lines` on files of two sizes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.extraction import BUNDLED, sample
from benchmarks.report import write_results
from benchmarks.tiny_model import LABELS, untrained
from ner_head.base.runtime import RuntimeParams
from ner_head.corpus.documents import Document
from ner_head.features.extraction.encode import encode_pieces, split_words
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.plans import words_of
from ner_head.head.params import HeadParams
from ner_head.prediction.groups import grouped, parts
from ner_head.recognizer import Recognizer

BATCH = 32  # sentences in a batch of the peers
SIZES = (0.1, 0.3)  # MB of the files whose prediction's memory is measured


def unquantised(encoder: Encoder, folder: Path) -> Path:
    """Save the encoder as transformers and flair read it, with all weights as float32."""
    from transformers import BertConfig, BertModel

    loaded = encoder.files.load(torch.device("cpu"), dropout=True).get_submodule("network")  # names of transformers
    plain = BertModel(BertConfig.from_pretrained(BUNDLED), add_pooling_layer=False)
    weights = dict(loaded.state_dict())
    embeddings = loaded.get_submodule("embeddings.word_embeddings")
    with torch.inference_mode():
        vocabulary = torch.arange(plain.config.vocab_size)[None]
        weights["embeddings.word_embeddings.weight"] = embeddings(vocabulary)[0].clone()
    absent = plain.load_state_dict(weights, strict=False).missing_keys
    if [name for name in absent if "position_ids" not in name and "token_type_ids" not in name]:
        raise ValueError(f"the encoder has no {absent}")
    plain.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(BUNDLED / name, folder)
    return folder


def encoder_alone(recognizer: Recognizer, documents: Sequence[Document]) -> Callable[[], None]:
    """The encoder's part of `Recognizer.stream`, on sentences and pieces that are there already."""
    encoder = recognizer.encoder
    pieces = [
        part
        for group in grouped(documents)
        for part in parts(
            split_words(words_of(group, spaces=encoder.word_pieces.marks_spaces), encoder), whole_documents=False
        )
    ]

    def run() -> None:
        for part in pieces:
            with encoder.threads() as threads:
                encode_pieces(part, encoder, batch_pieces=RuntimeParams().batch_pieces, threads=threads)

    return run


def pipeline_of(encoder: Path, sentences: list[str]) -> Callable[[], None]:
    """A token-classification pipeline of transformers with the same encoder and a random linear layer."""
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    torch.manual_seed(0)
    model = AutoModelForTokenClassification.from_pretrained(encoder, num_labels=2 * len(LABELS) + 1)
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    found = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple", device=-1)
    return lambda: list(found(sentences, batch_size=BATCH)) and None


class Flair:
    """flair's tagger in a process of its own environment, which computes when it is asked."""

    def __init__(self, python: Path, sentences: Path, encoder: Path) -> None:
        script = Path(__file__).with_name("flair_predict.py")
        command = [str(python), str(script), str(sentences), str(encoder), "--batch", str(BATCH)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self) -> float:
        """Predict all sentences once; CPU seconds."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(json.loads(self.process.stdout.readline()))


def cpu_seconds(way: Callable[[], None]) -> float:
    """CPU seconds of this process for a way."""
    start = time.process_time()
    way()
    return time.process_time() - start


def peak_memory(model: Path, texts: Sequence[str], size: float) -> float:
    """Peak resident memory, in MB, of `ner-head predict --from lines` on a file of about `size` MB."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        block = "".join(f"{' '.join(text.split())}\n" for text in texts)
        file.write(block * max(1, round(size * 1e6 / len(block.encode()))))
        file.flush()
        code = (
            "import resource, sys; from ner_head.cli.main import main\n"
            "try: main()\n"
            "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
        )
        arguments = ["predict", file.name, "--from", "lines", "--model", str(model), "--threads", "1"]
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    return int(done.stderr.split()[-1]) / 1e3


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flair", type=Path, help="Python of an environment with flair")
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    documents = sample(10**9, "")[: options.documents]
    sentences = [document.text[s.start : s.end] for document in documents for s in document.sentences]
    texts = [document.text for document in documents]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        untrained(folder / "head", BUNDLED, HeadParams())
        recognizer = Recognizer.load(folder / "head", "cpu", threads=1)
        plain = unquantised(recognizer.encoder, folder / "encoder")
        ways: dict[str, Callable[[], float]] = {}
        for name, way in {
            "stream": lambda: list(recognizer.stream(texts)) and None,
            "encoder alone": encoder_alone(recognizer, documents),
            "transformers pipeline": pipeline_of(plain, sentences),
        }.items():
            ways[name] = lambda way=way: cpu_seconds(way)
        if options.flair:
            path = folder / "sentences.json"
            path.write_text(json.dumps(sentences), encoding="utf-8")
            ways["flair"] = Flair(options.flair, path, plain).seconds
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.repeats):
            for name, measured in ways.items():
                seconds[name].append(round(measured(), 2))
        print(json.dumps(seconds), flush=True)
        memory = {f"{size} MB": round(peak_memory(folder / "head", texts, size)) for size in SIZES}
    best = {name: min(found) for name, found in seconds.items()}
    characters = sum(map(len, texts))
    figures = {
        "documents": len(documents),
        "sentences": len(sentences),
        "characters": characters,
        "CPU seconds": seconds,
        "characters a CPU second": {name: round(characters / least) for name, least in best.items()},
        "share of the encoder's speed": round(best["encoder alone"] / best["stream"], 3),
        "peak MB of memory by size of the input": memory,
    }
    print(json.dumps(figures, indent=1))
    write_results("predict", figures, ("torch", "transformers", "tokenizers", "numba"))


if __name__ == "__main__":
    main()
