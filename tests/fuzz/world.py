"""Sound inputs of every kind, made on the spot: a project that the pipeline has run in, and corpora in every format."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from gguf import GGUFWriter
from safetensors.torch import load_file

from experiments import params as experiments
from ner_head import conversion
from ner_head.bundles.bundle import make_bundle
from ner_head.cards.card import Description
from ner_head.conversion import Options
from ner_head.corpus.documents import Document, Span
from ner_head.features.extraction.configs import EncoderConfig
from ner_head.features.extraction.gguf_weights import INSIDE, OUTSIDE, WORDS
from ner_head.features.extraction.tensors import checkpoint_names
from tests import tiny_encoders
from tests.conftest import ROOT, TEXTS
from tests.fuzz.door import inside

CHANGES = (
    "prepare.source=corpora/bsnlp2019",
    "prepare.languages=[cs, pl]",
    "prepare.splits.train=[train]",
    "prepare.splits.dev=[dev]",
    "encoder.model=encoders/bert",
    "runtime.device=cpu",
    "runtime.progress=none",
    "head={words: {width: 4, buckets: 50}, lstm: {hidden: 4}, attention: {key_size: 4}, projection: 8, classifier: 4}",
    "training.epochs=1",
    "baseline.iterations=5",
)
STAGES = ("prepare", "extract", "train", "baseline", "evaluate", "lemmatize", "link", "submit", "error_page")
FILES = {
    **dict.fromkeys(("doccano", "jsonl"), "/corpus.jsonl"),
    **{"conll": "/corpus.conll", "label-studio": "/corpus.json", "spacy": "/corpus.spacy"},
}
"""Formats of one file."""
TOOLS = ("label-studio", "doccano", "brat", "webanno", "xmi", "spacy", "conll", "bsnlp", "jsonl")


def build(root: Path) -> Path:
    """Make all inputs in a new folder.

    Contents: `corpora/FORMAT`, `encoders/NAME`, `bundle`, and what the pipeline writes, with `params.yaml`.
    """
    root.mkdir(parents=True, exist_ok=True)
    tiny_encoders.save("bert", root / "encoders/bert")
    tiny_encoders.save("xlm_roberta", root / "encoders/xlm_roberta")
    gguf_encoder(root / "encoders/bert", root / "encoders/gguf")
    for tool in TOOLS:
        target = root / place_of(tool)
        target.parent.mkdir(parents=True, exist_ok=True)
        conversion.write(iter(documents()), target, tool, None, Options(columns=10 if tool == "conll" else 2))
    plain_corpora(root / "corpora", documents())
    shutil.copy(ROOT / "params.yaml", root)
    shutil.copy(ROOT / "dvc.yaml", root)
    shutil.copytree(ROOT / ".dvc/plots", root / ".dvc/plots")
    with inside(root), mock.patch("sys.argv", ["params", *CHANGES]), contextlib.redirect_stderr(io.StringIO()):
        experiments.main()
        run_stages(STAGES)
        make_bundle(Path("models/head"), Path("bundle"), Description("sound"))
    shutil.rmtree(root / "data/pool")
    return root


def run_stages(names: Sequence[str]) -> None:
    """Run stages in the current folder."""
    from importlib import import_module

    for name in names:
        import_module(f"stages.{name}").main()


def place_of(tool: str) -> str:
    """The file, or the folder, of the corpus in the format of a tool."""
    return f"corpora/{tool}{FILES.get(tool, '')}"


def documents() -> list[Document]:
    """Eight documents, two per language and topic, with lemmas and ids of entities."""
    found = []
    for topic in ("train", "dev"):
        for language in ("cs", "pl"):
            text, spans = TEXTS[language]
            for number in (1, 2):
                gold = [
                    Span(start, end, label, lemma=text[start:end], entity=f"{label}-{start}")
                    for start, end, label in spans
                ]
                own = f"{text} Číslo {number} {topic}."
                found.append(Document(f"{language}-{number}", own, language, topic, spans=tuple(gold)))
    return found


def plain_corpora(folder: Path, given: Sequence[Document]) -> None:
    """Corpora of `prepare.format` that no tool of `convert` writes: bsnlp2019, slavicner, conll with two columns."""
    for document in given:
        place, name = f"{document.topic}/{document.language}", document.id
        forms = [(document.text[span.start : span.end], span) for span in document.spans]
        names = [f"{form}\t{form}\t{span.label}\t{span.entity}" for form, span in forms]
        rows = [f"{span.start}\t{span.end}\t{row}" for (_, span), row in zip(forms, names, strict=True)]
        head = f"{name}\n{document.language}\n2020-01-01\nhttp://a.example\nTitle\n"
        write(folder / f"bsnlp2019/raw/{place}/{name}.txt", head + document.text)
        write(folder / f"bsnlp2019/annotated/{place}/{name}.out", "\n".join([name, *names, ""]))
        write(folder / f"slavicner/raw/{place}/{name}.txt", document.text)
        write(folder / f"slavicner/ner/{place}/{name}.tsv", "\n".join([*rows, ""]))
    conversion.write(iter(given), folder / "iob/corpus.conll", "conll", None, Options())
    write(folder / "jsonl-words/a.jsonl", '{"words": ["Jana", "Nová"], "tags": ["B-PER", "I-PER"], "id": "a"}\n')
    write(folder / "text/a.txt", TEXTS["cs"][0])
    write(folder / "text/b.txt", TEXTS["pl"][0] + " <script>alert(1)</script>")


def write(path: Path, text: str) -> None:
    """Write a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def gguf_encoder(source: Path, folder: Path) -> None:
    """The same BERT, with its weights in a GGUF file."""
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder)
    tensors = load_file(source / "model.safetensors")
    known = checkpoint_names(EncoderConfig.read(source))
    names = {ours: theirs for theirs, ours in {**INSIDE, **OUTSIDE}.items()}
    writer = GGUFWriter(folder / "model.gguf", "bert")
    for ours, theirs in known.items():
        match ours.split("."):
            case ["layers", number, part, kind]:
                name = f"blk.{number}.{names[part]}.{kind}"
            case ["embeddings", "words", _]:
                name = WORDS
            case [_, part, kind]:
                name = f"{names[part]}.{kind}"
        writer.add_tensor(name, np.ascontiguousarray(tensors[theirs].to(torch.float32).numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
