"""Speed of a trained model with torch and, exported, with onnxruntime, on one thread.

    python -m benchmarks.onnx [--model models/head] [--documents 40] [--rounds 5]

Both find the entities of the same documents in turn, so that what else the machine does slows both. The start is that
of a new process: imports, loading, and one short text. Spans and probabilities are compared.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.report import write_results
from ner_head.corpus.documents import Document
from ner_head.inference.saved_model import ModelManifest, SavedModel
from ner_head.onnx.export import export_onnx
from ner_head.onnx.recognizer import OnnxRecognizer
from ner_head.recognizer import Recognizer

SAMPLE = Path("data/sample/raw")
STARTS = {
    "torch": "from ner_head import Recognizer as R; R.load({!r}, 'cpu', threads=1).recognize(['Jana bydlí v Brně.'])",
    "onnxruntime": (
        "from ner_head.onnx.recognizer import OnnxRecognizer as R; "
        "R.load({!r}, threads=1).recognize(['Jana bydlí v Brně.'])"
    ),
}
Recognize = Callable[[Sequence[str]], list[Document]]


def seconds(work: Callable[[], object]) -> float:
    """The time that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def start_of(name: str, folder: Path) -> float:
    """Seconds of a new process that finds the entities of one text."""
    command = [sys.executable, "-c", STARTS[name].format(str(folder))]
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def compare(ours: Sequence[Document], others: Sequence[Document]) -> dict[str, object]:
    """Differences between two predictions of the same texts."""
    pairs = [(a, b) for one, two in zip(ours, others, strict=True) for a, b in zip(one.spans, two.spans, strict=False)]
    return {
        "spans": sum(len(document.spans) for document in ours),
        "documents_with_other_spans": sum(a.spans != b.spans for a, b in zip(ours, others, strict=True)),
        "largest_difference_of_probabilities": max(
            (abs((a.probability or 0.0) - (b.probability or 0.0)) for a, b in pairs), default=0.0
        ),
    }


def measure(model: Path, texts: Sequence[str], rounds: int) -> dict[str, object]:
    """Export a model, and run both in turn."""
    recognizer = Recognizer.load(model, "cpu", threads=1)
    record = ModelManifest.model_validate_json((model / "manifest.json").read_bytes())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "onnx")
        exporting = seconds(lambda: export_onnx(SavedModel(record, recognizer.tagger.head), recognizer.encoder, folder))
        exported = OnnxRecognizer.load(folder, threads=1)
        runs: dict[str, Recognize] = {"torch": recognizer.recognize, "onnxruntime": exported.recognize}
        first = {name: run(texts) for name, run in runs.items()}  # kernels are compiled here
        times: dict[str, list[float]] = {name: [] for name in runs}
        single: dict[str, list[float]] = {name: [] for name in runs}
        starts: dict[str, list[float]] = {name: [] for name in runs}
        sentences = [text.splitlines()[0] for text in texts if text.strip()]
        for _ in range(rounds):
            for name, run in runs.items():
                times[name].append(seconds(lambda run=run: run(texts)))  # type: ignore[misc]
                single[name].append(seconds(lambda run=run: [run([text]) for text in sentences]))  # type: ignore[misc]
            for name, place in (("torch", model), ("onnxruntime", folder)):
                starts[name].append(start_of(name, place))
    n_words = sum(len(s.words) for document in first["torch"] for s in document.sentences)
    return {
        "documents": len(texts),
        "sentences": sum(len(document.sentences) for document in first["torch"]),
        "words": n_words,
        "rounds": rounds,
        "words_per_second": {name: round(n_words / statistics.median(found)) for name, found in times.items()},
        "milliseconds_per_short_text": {
            name: round(1000 * statistics.median(found) / len(sentences), 2) for name, found in single.items()
        },
        "seconds_to_start": {name: round(statistics.median(found), 2) for name, found in starts.items()},
        "seconds_to_export": round(exporting, 1),
        **compare(first["torch"], first["onnxruntime"]),
    }


def table(figures: dict[str, object]) -> str:
    """The figures of both, side by side."""
    rows = ["| | torch | onnxruntime |", "|---|---|---|"]
    for key in ("words_per_second", "milliseconds_per_short_text", "seconds_to_start"):
        found = figures[key]
        assert isinstance(found, dict)
        rows.append(f"| {key.replace('_', ' ')} | {found['torch']:,} | {found['onnxruntime']:,} |")
    return "\n".join(rows)


def main() -> None:
    """Measure, print, and write benchmarks/results/onnx.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/head"))
    parser.add_argument("--documents", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    files = sorted(SAMPLE.glob("*/*/*.txt"))
    step = max(1, len(files) // options.documents)
    texts = [path.read_text(encoding="utf-8") for path in files[::step][: options.documents]]
    figures = measure(options.model.absolute(), texts, options.rounds)
    print(table(figures))
    print(figures)
    write_results("onnx", figures, ("torch", "onnxruntime", "transformers"))


if __name__ == "__main__":
    main()
