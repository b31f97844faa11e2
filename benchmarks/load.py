"""Large inputs: a long text through `predict`, a store of 20 GB, 100,000 documents through `prepare` and `check`.

    python -m benchmarks.load [--documents 100000] [--megabytes 1000] [--gigabytes 20] [--limit 0] [--only PART ...]

The inputs are made in a temporary folder: texts and corpora from the sample by substitution (some documents are near
copies), a tiny random model, and a store whose shards but the first take no room on the disk. Times of commands
are CPU seconds, because other programs lengthen the time by the clock. Memory is resident memory, the pages of mapped
files and the libraries (about 350 MB for torch) included. A command that takes more than `--limit` seconds is ended,
and the table says so: its figures are of a part of the input. A small size first shows whether a machine has the time.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from benchmarks.load_corpus import Source, write_bsnlp, write_conll, write_jsonl
from benchmarks.load_store import sparse_store
from benchmarks.report import RESULTS, write_results
from benchmarks.tiny_model import OUTSIDE, TINY_HEAD, tiny_encoder, untrained
from benchmarks.watched import Run, run

ROOT = Path.cwd()
PARAMS = """
prepare: {{source: {source}, format: {form}, languages: [], splits: {{train: [railway, satellite], dev: {dev}}}}}
encoder: {{model: {encoder}}}
"""


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    what: str
    size: str
    result: str

    @classmethod
    def of(cls, what: str, size: str, took: Run, *more: str) -> Row:
        """What a command took. A command that failed or was ended says so."""
        ended = [] if took.code == 0 else ["ended at the limit" if took.code < 0 else f"exit code {took.code}"]
        figures = (f"{took.cpu:,.0f} CPU s", f"{took.peak:,.0f} MB", *more, *ended)
        return cls(what, size, ", ".join(figures))


def predict_rows(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Prediction of a long text in four layouts, with a model whose encoder takes almost no time."""
    source = Source()
    encoder = tiny_encoder(folder / "encoder", [word for words in source.words.values() for word in words])
    untrained(folder / "tiny", encoder, TINY_HEAD, outside=OUTSIDE)
    characters = int(options.megabytes * 1e6)
    for layout in ("lines", "one line", "jsonl", "files"):
        path = folder / layout.replace(" ", "_")
        size = characters if layout == "lines" else min(characters, int(options.others * 1e6))
        write_text(path, layout, source.text(size))
        form = {"one line": "lines", "files": "text"}.get(layout, layout)
        command = [
            "python",
            "-m",
            "ner_head.cli",
            "predict",
            str(path),
            "--from",
            form,
            "--model",
            str(folder / "tiny"),
        ]
        took = run([*command, "--language", "cs", "--threads", "1"], watch=path, limit=options.limit)
        parts = [f"{rate / 1e3:,.0f} kB/s and {rss:,.0f} MB until {end:,.1f} MB" for end, rate, rss in took.parts()]
        yield Row.of(f"predict, {layout}", f"{size / 1e6:,.0f} million characters", took, *parts)


def write_text(path: Path, layout: str, texts: Iterator[str]) -> None:
    """Write texts as short lines, as one line, as JSONL, or as a folder of files."""
    if layout == "files":
        path.mkdir()
        for number, text in enumerate(texts):
            (path / f"{number:07d}.txt").write_text(text, encoding="utf-8")
        return
    lines = chain.from_iterable(text.splitlines() for text in texts) if layout == "lines" else texts
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        for line in lines:
            if layout == "one line":
                handle.write(" ".join(line.split()) + " ")
            elif line.strip():
                handle.write((json.dumps({"text": line}, ensure_ascii=False) if layout == "jsonl" else line) + "\n")


def store_rows(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """Opening of a large store; the digest of a shard is checked when it is first read."""
    sparse_store(folder, options.gigabytes)
    command = [sys.executable, "-m", "benchmarks.load_store", str(folder)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    size = f"{found['GB']:.1f} GB, {found['files']} shards, {found['sentences']:,} sentences"
    yield Row("store: open", size, f"{found['open_s']:.2f} s, {found['memory_MB']:.0f} MB with all that follows")
    yield Row("store: first sentence, with the digest of its shard", size, f"{found['first_read_s']:.2f} s")
    yield Row("store: names of all sentences", size, f"{found['scan_of_the_index_s']:.2f} s")


def corpus_rows(folder: Path, options: argparse.Namespace) -> Iterator[Row]:
    """`prepare` and `check` of a corpus in three formats."""
    for form, path, write in (
        ("jsonl", folder / "corpus.jsonl", write_jsonl),
        ("conll", folder / "conll", write_conll),
        ("bsnlp2019", folder / "bsnlp", write_bsnlp),
    ):
        write(path, Source().corpus(options.documents))
        encoder = ROOT / "encoders/multilingual-e5-small"
        size = f"{options.documents:,} documents, {form}"
        for dev in ("[]", "0.2") if form == "jsonl" else ("[]",):
            (folder / "params.yaml").write_text(PARAMS.format(source=path, form=form, encoder=encoder, dev=dev))
            split = ", dev: 0.2" if dev != "[]" else ""
            yield measured(f"prepare{split}", size, ["-m", "stages.prepare"], folder, options)
        yield measured("check", size, ["-m", "ner_head.cli", "check"], folder, options)
        if form == "jsonl":
            convert = ["convert", str(path), str(folder / "out.conll"), "--from", "jsonl", "--to", "conll"]
            yield measured("convert to conll", size, ["-m", "ner_head.cli", *convert], folder, options)
            prepared = str(folder / "data/prepared/train.jsonl")
            compare = ["compare", prepared, prepared, "--gold", prepared, "--output", str(folder / "page.html")]
            yield measured("compare train with itself", size, ["-m", "ner_head.cli", *compare], folder, options)
        if form == "bsnlp2019":
            score = ["score", str(path / "annotated"), str(path / "annotated")]
            yield measured("score", size, ["-m", "ner_head.cli", *score], folder, options)


def measured(what: str, size: str, arguments: list[str], folder: Path, options: argparse.Namespace) -> Row:
    """A row of a command of the project, run in a folder."""
    return Row.of(what, size, run(["python", *arguments], cwd=folder, limit=options.limit))


PARTS: dict[str, Callable[[Path, argparse.Namespace], Iterator[Row]]] = {
    "predict": predict_rows,
    "store": store_rows,
    "corpus": corpus_rows,
}


def main() -> None:
    """Measure, print, and write benchmarks/results/load.md and load.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--megabytes", type=float, default=1000, help="million characters of short lines")
    parser.add_argument("--others", type=float, default=100, help="at most, in the other layouts of the text")
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--limit", type=float, default=0, help="seconds a command; 0 for no limit")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--folder", type=Path, help="where inputs are made, and removed")
    options = parser.parse_args()
    lines = ["| what | size | result |", "|---|---|---|"]
    rows = list[dict[str, str]]()
    print("\n".join(lines), flush=True)
    for part in options.only:
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            for row in PARTS[part](Path(name), options):
                lines.append(f"| {row.what} | {row.size} | {row.result} |")
                rows.append(vars(row))
                print(lines[-1], flush=True)
    write_results("load", {"rows": rows}, ("torch", "h5py", "tokenizers"))
    (RESULTS / "load.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
