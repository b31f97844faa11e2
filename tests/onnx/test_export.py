"""Exported models against torch: all parts of a head, all codes of features, both contexts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from ner_head.base.errors import DataError, UsageError
from ner_head.cli import main as cli
from ner_head.corpus.documents import Document
from ner_head.features.store.spec import EncoderSpec
from ner_head.head.params import AttentionParams, LstmParams, WordParams
from ner_head.recognizer import Recognizer
from tests.conftest import ROOT, SHARED
from tests.conftest import TEXTS as LANGUAGE_TEXTS
from tests.onnx.models import Kind, make

pytest.importorskip("onnxscript", reason="needs the extra `onnx`")
pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")

from ner_head.onnx.recognizer import OnnxRecognizer

CZECH = LANGUAGE_TEXTS["cs"][0]
KINDS = {
    "words": Kind("bert", members=2, head={"pieces": "mean", "words": WordParams(width=4, buckets=50)}),
    "paper": Kind(
        "xlm_roberta",
        spec=EncoderSpec(dtype="int8"),
        head={"mix": "per_dimension", "tags": "iobx", "classifier": 0, "lstm": LstmParams(layers=2, hidden=8)},
    ),
    "plain": Kind(
        "distilbert",
        spec=EncoderSpec(dtype="bfloat16", context="document"),
        head={
            "pieces": "first",
            "mix": "concat",
            "decoder": "softmax",
            "attention": AttentionParams(layers=0),
            "projection": 0,
            "layers": "last-2",
        },
    ),
    "tuned": Kind("bert", tuned=2, rank=2, members=2, head={"mix": "free", "lstm": LstmParams(layers=0)}),
}
TEXTS = [
    "Jana Nováková přijela do Prahy. Vláda mlčela. Jan Kowalski mieszka w Warszawie.",
    "Анна Петрова живёт в Москве. Она рада.",
    "Jan",
    " ",
    "To je dlouhá věta, která se nevejde do jednoho průchodu enkodéru, a proto má několik oken.",
    "Ano. Ne. Snad. Možná. Praha a Brno. Jan a Jana. Konec.",
]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """Makes the head of a kind, and exports it once; returns both folders."""

    @cache
    def make_and_export(name: str) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp(name)
        head = make(folder, KINDS[name])
        run("export", "onnx", str(folder / "onnx"), "--model", str(head))
        return head, folder / "onnx"

    return make_and_export


def run(*arguments: str) -> None:
    """Run a command in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ner-head", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
    assert not stop.value.code


def assert_same(ours: list[Document], found: list[Document], *, at_least: int) -> None:
    """The same spans and languages, with the same probabilities."""
    assert found == ours
    spans = [span for document in ours for span in document.spans]
    assert len(spans) >= at_least
    others = [span for document in found for span in document.spans]
    np.testing.assert_allclose([s.probability for s in others], [s.probability for s in spans], atol=1e-4)
    known = [document.language_probability for document in ours]
    assert [p is None for p in known] == [document.language_probability is None for document in found]
    pairs = [(a, b.language_probability) for a, b in zip(known, found, strict=True) if a is not None]
    np.testing.assert_allclose(*np.array(pairs or [(0, 0)]).T, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_an_exported_model_gives_the_spans_and_probabilities_of_torch(
    export: Callable[[str], tuple[Path, Path]], kind: str
) -> None:
    head, exported = export(kind)
    ours, other = Recognizer.load(head, "cpu"), OnnxRecognizer.load(exported)
    assert_same(ours.recognize(TEXTS), other.recognize(TEXTS), at_least=5)
    for text in TEXTS:  # alone, and not only in a batch
        assert_same(ours.recognize([text]), other.recognize([text]), at_least=0)
    assert other.recognize([]) == []
    assert other.recognize(TEXTS[:1], language="ces")[0].language == "cs"
    for options in ({"min_probability": 0.3}, {"min_probability": {"PER": 0.3}}, {"labels": ["LOC"]}):
        assert_same(ours.recognize(TEXTS, **options), other.recognize(TEXTS, **options), at_least=0)
    streamed = list(other.stream(iter(TEXTS)))
    assert_same(list(ours.stream(iter(TEXTS))), streamed, at_least=5)
    for document in streamed:
        assert [span.text for span in document.spans] == [document.text[s.start : s.end] for s in document.spans]
        assert set(json.loads(document.to_json())) == {"id", "language", "language_probability", "text", "spans"}


@pytest.fixture(scope="module")
def one(export: Callable[[str], tuple[Path, Path]]) -> Path:
    """One exported model."""
    return export("words")[1]


WITHOUT_TORCH = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "numba", "h5py", "safetensors", "gguf", "onnx"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from ner_head.onnx.recognizer import OnnxRecognizer

found = OnnxRecognizer.load(sys.argv[1]).recognize(json.loads(sys.argv[2]))
print(json.dumps([[[s.start, s.end, s.label] for s in d.spans] for d in found]))
"""


def test_an_exported_model_needs_no_torch(one: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(one), json.dumps(TEXTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found = OnnxRecognizer.load(one).recognize(TEXTS)
    assert json.loads(done.stdout) == [[[s.start, s.end, s.label] for s in document.spans] for document in found]
    assert any(document.spans for document in found)


def test_the_example_of_the_documentation_runs(one: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs/export.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(from ner_head.onnx.*?)```", text, re.DOTALL)
    exec(compile(code.replace("models/onnx", str(one)), "docs/export.md", "exec"), {})
    assert capsys.readouterr().out


def test_damaged_and_other_folders_are_one_line(one: Path, model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest.json: No such file .*`ner-head export onnx`"):
        OnnxRecognizer.load(tmp_path)
    with pytest.raises(DataError, match="not of an exported model; export one with `ner-head export onnx`"):
        OnnxRecognizer.load(model)
    shutil.copytree(one, tmp_path / "changed")
    (tmp_path / "changed/crf.json").write_text("{}")
    with pytest.raises(DataError, match=r"changed: damaged: crf.json \(SHA-256 44136fa355b3, expected .*export"):
        OnnxRecognizer.load(tmp_path / "changed")
    manifest = json.loads((one / "manifest.json").read_text())
    (tmp_path / "changed/manifest.json").write_text(json.dumps({**manifest, "segmentation": "old"}))
    with pytest.raises(DataError, match="segmentation old, but this ner-head has"):
        OnnxRecognizer.load(tmp_path / "changed")


def test_texts_that_are_none_are_refused(one: Path) -> None:
    recognizer = OnnxRecognizer.load(one)
    with pytest.raises(TypeError, match=r"write recognize\(\[text\]\)"):
        recognizer.recognize("Jan")
    with pytest.raises(UsageError, match="a lone surrogate"):
        recognizer.recognize(["Jan \ud83d"])
    with pytest.raises(UsageError, match="the least probability must be between 0 and 1, got 2"):
        recognizer.recognize(["Jan"], min_probability=2)
    with pytest.raises(UsageError, match="n_best is 2, but an exported model gives one reading only"):
        recognizer.recognize(["Jan"], n_best=2)
    with pytest.raises(UsageError, match="label 'EVT': the model has LOC, PER"):
        recognizer.recognize(["Jan"], labels=["EVT"])
    with pytest.warns(UserWarning, match="trained on cs, pl, ru, not on uk"):
        recognizer.recognize(["Київ."], language="uk")


def test_the_default_model_is_exported_and_a_manifest_names_files_of_its_folder_only(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/head").symlink_to(model)
    monkeypatch.chdir(tmp_path)
    run("export", "onnx", "exported")
    (document,) = OnnxRecognizer.load("exported").recognize([CZECH])
    assert [(span.text, span.label) for span in document.spans] == [("Jana Nováková", "PER"), ("Prahy", "LOC")]
    manifest = json.loads((tmp_path / "exported/manifest.json").read_text())
    manifest["files"]["../models/head/manifest.json"] = "0" * 64
    (tmp_path / "exported/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"manifest.json: files.*String should match pattern"):
        OnnxRecognizer.load("exported")


@pytest.mark.parametrize("case", ["in use", "no model", "bfloat16"])
def test_what_cannot_be_exported_is_one_line(
    case: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    head, output, code = model, tmp_path / "out", 2
    if case == "in use":
        (output / "x").mkdir(parents=True)
        message = f"ner-head: {output}: exists already; remove it, or give another folder\n"
    elif case == "no model":
        head, code = tmp_path, 3
        message = f"ner-head: {tmp_path}/manifest.json: No such file or directory; train one with `dvc repro`\n"
    else:
        (tmp_path / "made").mkdir()
        head = make(tmp_path / "made", Kind("bert", spec=EncoderSpec(compute="bfloat16")))
        message = (
            "ner-head: this model reads features of encoder.compute: bfloat16, which the graph cannot reproduce; "
            "set it to float32 and run `dvc repro`\n"
        )
    capsys.readouterr()  # what transformers prints while the encoder is made
    monkeypatch.setattr(sys, "argv", ["ner-head", "export", "onnx", str(output), "--model", str(head)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert (stop.value.code, capsys.readouterr().err) == (code, message)
    assert case == "in use" or not output.exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recognizer, OnnxRecognizer]:
    """The head that the pipeline trained, by torch and exported. `.ci/run` names it after the pipeline has run."""
    given = os.environ.get("NER_HEAD_MODEL")
    if not given:
        pytest.skip("NER_HEAD_MODEL names no head: models/head after `make`, for example")
    head = Path(given)
    exported = tmp_path_factory.mktemp("trained") / "onnx"
    run("export", "onnx", str(exported), "--model", str(head))
    return Recognizer.load(head, "cpu"), OnnxRecognizer.load(exported)


def test_sentences_of_the_sample_have_the_same_spans(trained: tuple[Recognizer, OnnxRecognizer]) -> None:
    files = sorted((ROOT / "data/sample/raw").glob("*/*/*.txt"))[::12]
    ours, found = (each.recognize([path.read_text(encoding="utf-8") for path in files]) for each in trained)
    assert sum(len(document.sentences) for document in ours) >= 200
    assert_same(ours, found, at_least=200)


def test_sentences_of_other_texts_have_the_same_spans(trained: tuple[Recognizer, OnnxRecognizer]) -> None:
    import lzma

    files = sorted(SHARED.glob("text/*.txt.xz"))
    if not files:
        pytest.skip(f"{SHARED}/text is not here")
    lines: list[str] = []
    for path in files:
        with lzma.open(path, "rt", encoding="utf-8") as handle:
            lines += [line.rstrip("\n") for line in islice((line for line in handle if line.strip()), 60)]
    ours, found = (each.recognize(lines) for each in trained)
    assert sum(len(document.sentences) for document in ours) >= 200
    assert_same(ours, found, at_least=50)
