from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ner_head
from ner_head import cli
from ner_head.corpus.documents import Document, read_documents, sentence_id
from ner_head.corpus.segment import SEGMENTATION
from ner_head.errors import DataError, UsageError
from ner_head.features.store import FeatureStore
from ner_head.head.model import HeadParams, LstmParams
from ner_head.predictions import predict_from_store
from ner_head.recognizer import Recognizer
from ner_head.saved_model import ModelManifest, SavedModel, TrainingRecord, new_head
from ner_head.tagger import Tagger
from ner_head.training.examples import examples
from ner_head.training.trainer import Trainer, TrainingParams

LABELS, LANGUAGES = ["LOC", "PER"], ["cs", "pl", "ru"]


@pytest.fixture(scope="module")
def model(
    store: FeatureStore, documents: list[Document], tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A head that knows the six documents by heart."""
    encoder = store.manifest.encoder.model_copy(update={"model": str(tiny_encoder)})
    manifest = ModelManifest(
        scheme="iob",
        labels=LABELS,
        languages=LANGUAGES,
        segmentation=SEGMENTATION,
        encoder=encoder,
        head=HeadParams(lstm=LstmParams(hidden=16), projection=16, classifier=8, dropout=0.0),
        training=TrainingRecord(seed=0, epoch=40, dev_f1=1.0),
    )
    torch.manual_seed(0)
    head = new_head(manifest)
    params = TrainingParams(epochs=40, batch_size=4, learning_rate=0.01)
    trainer = Trainer(head, manifest.tag_set, LANGUAGES, params=params, device=torch.device("cpu"))
    trainer.fit(examples(documents, manifest.tag_set, LANGUAGES), [], store)
    folder = tmp_path_factory.mktemp("model")
    SavedModel(manifest, head).save(folder)
    return folder


def test_raw_text_gives_what_the_cache_gives(model: Path, store: FeatureStore, documents: list[Document]) -> None:
    recognizer = ner_head.Recognizer.load(model, device="cpu")
    found = recognizer.recognize([d.text for d in documents])
    saved = SavedModel.load(model, device=torch.device("cpu"))
    tagger = Tagger(saved.head, saved.manifest.tag_set, torch.device("cpu"))
    cached = predict_from_store(tagger, documents, store, LANGUAGES)
    assert [d.spans for d in found] == [p.document.spans for p in cached] == [d.spans for d in documents]
    assert [d.language for d in found] == [d.language for d in documents]


def test_offsets_count_the_characters_of_the_text_as_given(model: Path, documents: list[Document]) -> None:
    text = "\ufeff \r\n\t" + documents[0].text + "\u00a0\u200b \U0001f600"
    (found,) = Recognizer.load(model, device="cpu").recognize([text], language="cs")
    assert found.text == text
    assert "Jana Nováková" in [text[s.start : s.end] for s in found.spans]
    assert found.language == "cs"


@pytest.mark.parametrize("text", ["", " \n\t ", "\u200b", "."])
def test_texts_with_nothing_in_them_are_fine(model: Path, text: str) -> None:
    (found,) = Recognizer.load(model, device="cpu").recognize([text])
    assert found.text == text
    assert found.spans == ()


def test_no_texts_give_no_documents(model: Path) -> None:
    assert Recognizer.load(model, device="cpu").recognize([]) == []


def test_another_encoder_or_segmentation_is_refused(model: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    other = tmp_path / "encoder"
    shutil.copytree(tiny_encoder, other)
    config = other / "config.json"
    config.write_text(config.read_text().replace('"layer_norm_eps": 1e-12', '"layer_norm_eps": 1e-05'))
    with pytest.raises(DataError, match=r"this model was trained on features of .* but the encoder given has"):
        Recognizer.load(model, device="cpu", encoder=str(other))
    changed = tmp_path / "model"
    shutil.copytree(model, changed)
    manifest = json.loads((changed / "manifest.json").read_text())
    (changed / "manifest.json").write_text(json.dumps({**manifest, "segmentation": "old-0"}))
    with pytest.raises(DataError, match="trained with segmentation old-0"):
        Recognizer.load(changed, device="cpu")


def run(*arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["ner-head", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    output = capsys.readouterr()
    return int(stop.value.code or 0), output.out, output.err


def test_predict_writes_a_json_line_per_text(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"Jan Kowalski mieszka w Warszawie.\r\nTo miasto.")
    text = "Jana Nováková přijela do Prahy. Vláda mlčela."
    code, out, _ = run(
        "predict", str(file), "--text", text, "--model", str(model), capsys=capsys, monkeypatch=monkeypatch
    )
    first, second = (json.loads(line) for line in out.splitlines())
    assert code == 0
    assert first["text"] == text
    assert first["language"] == "cs"
    shown = dict(first["spans"][0])
    assert 0 < shown.pop("probability") <= 1
    assert shown == {"start": 0, "end": 13, "label": "PER", "text": "Jana Nováková"}
    assert second["id"] == str(file)
    assert second["text"] == file.read_bytes().decode()
    assert all(second["text"][s["start"] : s["end"]] == s["text"] for s in second["spans"])


def test_predict_runs_on_as_many_threads_as_asked(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    arguments = ("predict", "--text", "x", "--model", str(model))
    run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert 3 not in asked
    run(*arguments, "--threads", "3", capsys=capsys, monkeypatch=monkeypatch)
    assert 3 in asked
    code, _, err = run("predict", "--text", "x", "--threads=-1", capsys=capsys, monkeypatch=monkeypatch)
    assert code == 2
    assert "--threads" in err


def test_less_probable_spans_are_left_out_on_demand(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, documents: list[Document]
) -> None:
    texts = [text for document in documents for text in ("--text", document.text)]

    def probabilities(*options: str) -> list[float]:
        code, out, _ = run("predict", *texts, "--model", str(model), *options, capsys=capsys, monkeypatch=monkeypatch)
        assert code == 0
        return [span["probability"] for line in out.splitlines() for span in json.loads(line)["spans"]]

    everything = probabilities()
    middle = sorted(everything)[len(everything) // 2]
    assert probabilities("--min-probability", "0") == everything
    assert probabilities("--min-probability", str(middle - 1e-4)) == [p for p in everything if p > middle - 1e-4]
    assert len(probabilities("--min-probability", "1")) < len(everything)


def test_the_models_temperatures_are_used(model: Path, tmp_path: Path, documents: list[Document]) -> None:
    warm = tmp_path / "warm"
    shutil.copytree(model, warm)
    manifest = json.loads((warm / "manifest.json").read_text())
    assert manifest["temperatures"] == {"spans": 1.0, "languages": 1.0}
    (warm / "manifest.json").write_text(json.dumps({**manifest, "temperatures": {"spans": 4.0, "languages": 1.0}}))
    texts = [document.text for document in documents]
    one, other = (Recognizer.load(folder, device="cpu").recognize(texts) for folder in (model, warm))
    assert [document.spans for document in one] == [document.spans for document in other]
    pairs = [
        (a.probability, b.probability)
        for before, after in zip(one, other, strict=True)
        for a, b in zip(before.spans, after.spans, strict=True)
    ]
    assert pairs
    assert all(cold > hot > 0 for cold, hot in pairs)
    with pytest.raises(UsageError, match="the least probability must be between 0 and 1, got 2"):
        Recognizer.load(model, device="cpu").recognize(texts, min_probability=2)


def test_predict_reads_standard_input(model: Path) -> None:
    command = [sys.executable, "-m", "ner_head.cli", "predict", "-", "--model", str(model)]
    text = "Анна Петрова живёт в Москве. Она рада."
    found = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    record = json.loads(found.stdout)
    assert [s["text"] for s in record["spans"]] == ["Анна Петрова", "Москве"]
    assert record["language"] == "ru"


def test_wrong_input_is_one_line_and_an_exit_code(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "latin.txt").write_bytes("Plzeň".encode("cp1250"))
    cases = [
        (["predict"], 2, "nothing to read"),
        (["predict", str(tmp_path / "absent.txt")], 2, "absent.txt: No such file or directory"),
        (["predict", str(tmp_path / "latin.txt")], 3, "latin.txt: not UTF-8 at byte 4"),
        (["predict", "--text", "x", "--model", str(tmp_path)], 3, "train one with `dvc repro`"),
        (["predict", "--text", "x", "--model", str(model), "--device", "cuda"], 2, "no cuda device"),
        (["predict", "--text", "x", "--model", str(model), "--device", "tpu"], 2, "runtime.device"),
        (
            ["predict", "--text", "x", "--min-probability", "1.5"],
            2,
            "--min-probability: must be between 0 and 1, got 1.5",
        ),
        (["embed", str(tmp_path / "out"), "--text", "x", "--encoder", "no/such/folder/x"], 2, "no folder"),
    ]
    if torch.cuda.is_available():
        del cases[4]
    for arguments, expected, message in cases:
        code, out, err = run(*arguments, capsys=capsys, monkeypatch=monkeypatch)
        assert (code, out) == (expected, "")
        assert message in err
        assert len(err.splitlines()) == 1


def test_embed_writes_a_feature_store(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "store"
    options = ["--text", "Ahoj, světe. Jak je?", "--encoder", str(tiny_encoder), "--language", "cs"]
    code, _, _ = run("embed", str(out), *options, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    (document,) = read_documents(out / "documents.jsonl")
    store = FeatureStore.open(out)
    for i, sentence in enumerate(document.sentences):
        features = store[sentence_id(document.key, i)]
        assert features.hidden.shape == (len(features.piece_ids), 3, 16)
        assert int(features.word_of_piece[-1]) + 1 == len(sentence.words)


@pytest.fixture
def scored(tmp_path: Path) -> tuple[str, str]:
    """A golden folder and a system's, which lacks one of the two documents."""
    rows = {"gold/t/cs/1.out": "cs-1\nPrahy\tPraha\tLOC\t1\n", "gold/t/cs/2.out": "cs-2\n", "system/t/cs/1": "cs-1\n"}
    for name, content in rows.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    return str(tmp_path / "gold"), str(tmp_path / "system")


def test_score_prints_a_table_or_all_slices_as_json(
    scored: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run("score", *scored, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["relaxed", "P", "all", "LOC", "cs"]
    assert err == "golden documents: 1 scored, 1 skipped, as the system has no file of them (the first is t/cs/cs-2)\n"
    code, out, err = run("score", scored[0], scored[0], "--json", capsys=capsys, monkeypatch=monkeypatch)
    assert (code, err) == (0, "")
    assert json.loads(out)["normalization"]["t/cs/LOC"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


def test_what_score_cannot_read_is_one_line_and_an_exit_code(
    scored: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [
        ([str(tmp_path / "absent"), scored[1]], 2, "absent: no such folder"),
        ([scored[0], str(tmp_path / "absent")], 2, "absent: no such folder"),
        ([f"{scored[0]}/t/cs", scored[1]], 3, "no folders TOPIC/LANGUAGE in it"),
        ([scored[0], str(tmp_path)], 3, "files are expected as TOPIC/LANGUAGE/FILE"),
    ]
    for arguments, expected, message in cases:
        code, out, err = run("score", *arguments, capsys=capsys, monkeypatch=monkeypatch)
        assert (code, out) == (expected, "")
        assert message in err
        assert len(err.splitlines()) == 1


def test_help_starts_without_torch() -> None:
    code = "import sys, ner_head, ner_head.cli; print(sorted({'torch', 'transformers', 'h5py'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = ner_head.Nothing


def test_an_unknown_language_is_guessed_from_all_sentences(model: Path, documents: list[Document]) -> None:
    recognizer = Recognizer.load(model, device="cpu")
    (found,) = recognizer.recognize_documents([replace(documents[4], language="und")])
    assert found.language == "ru"
