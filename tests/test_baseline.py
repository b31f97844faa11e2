from __future__ import annotations

import json
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from ner_head.base.errors import DataError, ResourceError
from ner_head.baseline import (
    Baseline,
    BaselineParams,
    document_features,
    sentence_features,
    train_baseline,
)
from ner_head.corpus.documents import Document, Span
from ner_head.corpus.records import read_documents, write_documents
from ner_head.corpus.segment import segment
from stages import baseline as stage

PARAMS = BaselineParams(iterations=30)
NAMES = ("Jana Malá", "Petr Novák", "Eva Horáková", "Ivan Dvořák", "Olga Veselá", "Pavel Černý")
TOWNS = ("Praze", "Brně", "Plzni", "Ostravě", "Olomouci", "Zlíně")


def written(number: int, name: str, town: str, *, language: str = "cs") -> Document:
    """A document with a person and a place."""
    text = f"Dnes řekla {name}, že žije v {town}. Vláda mlčela."
    place = text.index(town)
    gold = (Span(11, 11 + len(name), "PER"), Span(place, place + len(town), "LOC"))
    return Document(str(number), text, language, "news", segment(text, language), gold)


TRAIN = [written(i, name, TOWNS[i]) for i, name in enumerate(NAMES)]
NEW = written(9, "Lenka Bílá", "Kladně")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Baseline:
    return train_baseline(TRAIN, tmp_path_factory.mktemp("model") / "model.crfsuite", PARAMS)


def found(documents: list[Document]) -> list[tuple[Span, ...]]:
    return [document.spans for document in documents]


def test_a_model_that_crfsuite_wrote_in_part_is_not_used(tmp_path: Path) -> None:
    """CRFsuite does not notice when writing fails, and crashes on what it wrote."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(ResourceError, match=r"model\.crfsuite: CRFsuite could not write the model; free some disk"):
            train_baseline(TRAIN, tmp_path / "model.crfsuite", PARAMS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_it_finds_names_and_towns_that_it_has_not_seen(trained: Baseline) -> None:
    prediction = trained.predict(replace(NEW, spans=()))
    assert prediction == NEW
    assert [NEW.text[s.start : s.end] for s in prediction.spans] == ["Lenka Bílá", "Kladně"]


def test_gold_is_not_looked_at_when_predicting(trained: Baseline) -> None:
    wrong = replace(NEW, spans=(Span(0, 4, "ORG"),))
    assert trained.predict(wrong) == NEW


def test_entities_side_by_side_stay_apart(trained: Baseline, tmp_path: Path) -> None:
    text = "V Praze Jana Malá mlčela."
    document = Document("1", text, "cs", "news", segment(text, "cs"), (Span(2, 7, "LOC"), Span(8, 17, "PER")))
    prediction = train_baseline([document], tmp_path / "model", PARAMS).predict(replace(document, spans=()))
    assert prediction == document


def test_the_same_documents_give_the_same_model(trained: Baseline, tmp_path: Path) -> None:
    once, again = tmp_path / "a" / "model", tmp_path / "b" / "model"
    predictions = [[train_baseline(TRAIN, path, PARAMS).predict(d) for d in [*TRAIN, NEW]] for path in (once, again)]
    assert once.read_bytes() == again.read_bytes()
    assert found(predictions[0]) == found(predictions[1])


def test_a_model_read_from_its_file_predicts_the_same(tmp_path: Path) -> None:
    path = tmp_path / "model"
    first = train_baseline(TRAIN, path, PARAMS)
    assert Baseline(path, PARAMS).predict(NEW) == first.predict(NEW) == NEW


@pytest.mark.parametrize("language", ["und", "sk"])
def test_a_language_that_train_did_not_have_is_tagged_too(trained: Baseline, language: str) -> None:
    document = written(9, "Lenka Bílá", "Kladně", language=language)
    assert trained.predict(document) == document


def test_a_document_without_sentences_has_no_entities(trained: Baseline) -> None:
    empty = Document("0", "", "cs")
    assert trained.predict(empty) == empty
    assert document_features(empty, PARAMS) == []


def test_any_text_is_tagged(trained: Baseline) -> None:
    text = "\u0301 \u200b ß ﬁ Ǆ 𝕏 😀 İstanbul 1/2 : = + \\ \t\x00 x" + "ж" * 300
    document = Document("1", text, "und", "", segment(text, "und"))
    assert trained.predict(document).text == text


def test_no_entities_to_learn_from_is_an_error(tmp_path: Path) -> None:
    for documents in ([], [replace(NEW, spans=())]):
        with pytest.raises(DataError, match="no entities to learn from"):
            train_baseline(documents, tmp_path / "model", PARAMS)


def features(words: list[str], params: BaselineParams, **spelled: str) -> list[list[str]]:
    return sentence_features(words, "cs", params, spelled=spelled)


def test_neighbours_beyond_the_window_do_not_matter() -> None:
    words, changed = ["a", "b", "Praha", "c", "d"], ["A1", "b", "Praha", "c", "D1"]
    inside = ["a", "B1", "Praha", "c", "d"]
    narrow, wide = BaselineParams(window=1), BaselineParams(window=2)
    assert features(words, narrow)[2] == features(changed, narrow)[2]
    assert features(words, narrow)[2] != features(inside, narrow)[2]
    assert features(words, wide)[2] != features(changed, wide)[2]


def test_without_a_window_a_word_stands_alone() -> None:
    params = BaselineParams(window=0)
    assert features(["a", "Praha", "b"], params)[1] == features(["1", "Praha", "C"], params)[1]


def test_affixes_are_no_longer_than_asked_for_and_shorter_than_the_word() -> None:
    (row,) = features(["Brno"], BaselineParams(affix=5))
    assert {f for f in row if f.startswith(("prefix=", "suffix="))} == {
        *("prefix=b", "prefix=br", "prefix=brn"),
        *("suffix=o", "suffix=no", "suffix=rno"),
    }
    (row,) = features(["Brno"], BaselineParams(affix=0))
    assert not [feature for feature in row if feature.startswith(("prefix=", "suffix="))]


def test_the_first_word_of_a_sentence_is_told_from_the_others() -> None:
    first, second = features(["Vláda", "Vláda"], BaselineParams(window=0))
    assert first != second


def test_how_a_word_is_spelled_in_the_document_is_a_feature_of_it() -> None:
    params = BaselineParams(window=0)
    assert features(["Vláda"], params) != features(["Vláda"], params, vláda="x")
    assert features(["Vláda"], params) == features(["Vláda"], params, praha="Xx")


def test_documents_do_not_share_their_spellings() -> None:
    lower = "Dnes vláda mlčela. Vláda."
    documents = [Document(str(i), text, "cs", "", segment(text, "cs")) for i, text in enumerate((lower, "Vláda."))]
    with_lower, alone = (document_features(document, BaselineParams(window=0)) for document in documents)
    assert with_lower[-1][0] != alone[-1][0]


def test_the_stage_scores_dev_and_predicts_a_blind_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("baseline: {iterations: 30}\n", encoding="utf-8")
    blind = [replace(NEW, spans=())]
    for split, documents in {"train": TRAIN, "dev": [NEW], "test": blind}.items():
        write_documents(Path(f"data/prepared/{split}.jsonl"), documents)
    stage.main()
    scores = json.loads(Path("reports/baseline/metrics.json").read_text(encoding="utf-8"))
    assert {"language", "test"}.isdisjoint(scores)
    assert scores["f1"] == 1.0
    for split in ("dev", "test"):
        assert list(read_documents(Path(f"reports/baseline/predictions/{split}.jsonl"))) == [NEW]
    assert Path("models/baseline/model.crfsuite").stat().st_size


@pytest.mark.parametrize("gold", [True, False])
def test_the_stage_scores_a_test_split_that_has_gold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gold: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("baseline: {iterations: 30}\n", encoding="utf-8")
    for split, documents in {"train": TRAIN, "dev": [NEW], "test": [NEW] if gold else []}.items():
        write_documents(Path(f"data/prepared/{split}.jsonl"), documents)
    stage.main()
    scores = json.loads(Path("reports/baseline/metrics.json").read_text(encoding="utf-8"))
    assert ("test" in scores) == gold
    assert Path("reports/baseline/predictions/test.jsonl").read_text(encoding="utf-8")
