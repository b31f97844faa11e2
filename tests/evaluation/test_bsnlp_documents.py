"""Documents of the shared task: file names for any id, forms of one line, and strict scores without files."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ner_head.corpus.documents import Document, Span
from ner_head.evaluation.bsnlp import score_directories
from ner_head.evaluation.bsnlp_documents import rows, strict_form_scores, write_predictions
from tests.corpus.strategies import LANGUAGES, documents

TEXT = "Theresa May, THERESA MAY a May v Bank of England."
SPANS = (Span(0, 11, "PER"), Span(13, 24, "PER"), Span(27, 30, "PER"), Span(33, 48, "ORG"), Span(41, 48, "LOC"))
DOCUMENT = Document("cs 1", TEXT, "cs", "brexit", spans=SPANS)


def written(root: Path, *found: Document) -> dict[str, str]:
    assert write_predictions(root, found) == len(found)
    return {
        str(path.relative_to(root)): path.read_bytes().decode() for path in sorted(root.rglob("*")) if path.is_file()
    }


def test_a_file_has_the_id_and_a_row_for_each_of_the_longest_spans(tmp_path: Path) -> None:
    assert written(tmp_path, DOCUMENT) == {
        "brexit/cs/cs 1.out": (
            "cs 1\n"
            "Theresa May\tTheresa May\tPER\tPER-theresa-may\n"
            "May\tMay\tPER\tPER-may\n"
            "Bank of England\tBank of England\tORG\tORG-bank-of-england\n"
        )
    }


def test_a_form_may_stand_in_two_categories(tmp_path: Path) -> None:
    found = replace(DOCUMENT, text="UE ue Ue", spans=(Span(0, 2, "ORG"), Span(3, 5, "LOC"), Span(6, 8, "ORG")))
    assert written(tmp_path, found)["brexit/cs/cs 1.out"] == "cs 1\nUE\tUE\tORG\tORG-ue\nue\tue\tLOC\tLOC-ue\n"


def test_a_document_without_entities_has_a_file_with_its_id(tmp_path: Path) -> None:
    assert written(tmp_path, replace(DOCUMENT, spans=())) == {"brexit/cs/cs 1.out": "cs 1\n"}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Theresa\tMay", "Theresa May"),
        ("Theresa \r\n  May", "Theresa May"),
        ("Theresa\u2028May", "Theresa May"),
        ("Theresa\x85\u00a0May\n", "Theresa May"),
        ("Theresa  May", "Theresa  May"),  # two spaces are valid in the file, and may be in the gold
    ],
)
def test_a_form_is_one_line_without_tabs(text: str, form: str) -> None:
    ((found, *_),) = rows(text, [Span(0, len(text), "PER")])
    assert found == form


def test_a_form_of_white_space_is_none() -> None:
    assert list(rows(" \n", [Span(0, 2, "PER")])) == []


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a/b\\c", "a%2Fb%5Cc.out"),
        ("..", "%2E%2E.out"),
        (".hidden", "%2Ehidden.out"),
        ("", "_.out"),
        (" \n ", "%0A.out"),
        ("чл-1: *?%", "чл-1%3A %2A%3F%25.out"),
        ("ř" * 300, "ř" * 50 + ".out"),
    ],
)
def test_any_id_gives_a_file_in_its_folder(tmp_path: Path, name: str, file: str) -> None:
    (path,) = written(tmp_path, replace(DOCUMENT, id=name))
    assert path == f"brexit/cs/{file}"


def test_topics_and_languages_stay_in_the_directory(tmp_path: Path) -> None:
    assert list(written(tmp_path, replace(DOCUMENT, topic="../..", language=""))) == ["%2E.%2F.%2E/_/cs 1.out"]


def test_ids_that_look_the_same_to_a_file_system_get_files_of_their_own(tmp_path: Path) -> None:
    same = [replace(DOCUMENT, id=name, spans=()) for name in ("a", "A", "ř" * 60, "ř" * 61)]
    assert written(tmp_path, *same) == {
        "brexit/cs/a.out": "a\n",
        "brexit/cs/A~2.out": "A\n",
        f"brexit/cs/{'ř' * 50}.out": "ř" * 60 + "\n",
        f"brexit/cs/{'ř' * 50}~2.out": "ř" * 61 + "\n",
    }


def test_an_id_is_one_line_and_never_empty(tmp_path: Path) -> None:
    found = written(tmp_path, *(replace(DOCUMENT, id=name, spans=()) for name in ("", "a\nb")))
    assert sorted(found.values()) == ["_\n", "a b\n"]


@settings(max_examples=60, deadline=None)
@given(st.lists(documents(), min_size=1, max_size=3), st.data())
def test_what_is_written_scores_one_against_itself(found: list[Document], data: st.DataObject) -> None:
    names = data.draw(st.lists(st.text("ab./ \n", max_size=4), min_size=len(found), max_size=len(found)))
    found = [
        replace(document, id=f"{number}{name}", topic="topic")
        for number, (name, document) in enumerate(zip(names, found, strict=True))
    ]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        assert write_predictions(root, found) == len(found)
        assert sum(path.is_file() for path in root.rglob("*")) == len(found)
        scores = score_directories(root, root)
    filled = any(list(rows(document.text, document.spans)) for document in found)
    assert scores["strict"]["all"]["f1"] == scores["relaxed_exact"]["all"]["f1"] == float(filled)
    assert {name for name in scores["strict"] if "/" not in name} <= {"all", "topic", "PER", "LOC", "ORG", *LANGUAGES}


def test_strict_form_scores_are_those_of_the_files(tmp_path: Path) -> None:
    other = replace(DOCUMENT, id="2", language="pl", spans=(Span(41, 48, "LOC"),))
    gold = [replace(DOCUMENT, spans=(*SPANS[:1], *SPANS[3:4])), other]
    predicted = [replace(DOCUMENT, spans=SPANS[1:]), replace(other, spans=())]
    write_predictions(tmp_path / "gold", gold)
    write_predictions(tmp_path / "system", predicted)
    wanted = score_directories(tmp_path / "gold", tmp_path / "system")["strict"]
    found = strict_form_scores(gold, predicted)
    assert set(found["per_type"]) == {"LOC", "ORG", "PER"}
    assert set(found["per_language"]) == {"cs", "pl"}
    flat = {"all": found["all"], **found["per_type"], **found["per_language"]}
    assert flat == {name: wanted[name] for name in flat}
    assert found["all"] == {"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3}


def test_nested_gold_counts_and_topics_named_like_a_slice_do_not() -> None:
    gold = [replace(DOCUMENT, topic="cs"), replace(DOCUMENT, topic="PER", language="pl")]
    found = strict_form_scores(gold, gold)
    # England lies inside of Bank of England: not predicted, but gold
    assert found["per_language"]["cs"]["recall"] == 3 / 4
    assert found["per_type"]["PER"]["f1"] == 1.0
    assert found["per_type"]["LOC"]["f1"] == 0.0


@pytest.mark.parametrize("label", ["all", "cs", "per_type", "a/b", "cs/PER"])
def test_a_label_called_like_a_slice_has_scores_of_its_own(label: str) -> None:
    gold = [replace(DOCUMENT, spans=(Span(0, 4, label), Span(5, 9, "PER")))]
    found = strict_form_scores(gold, [replace(DOCUMENT, spans=(Span(0, 4, label),))])
    assert found["per_type"][label]["f1"] == 1.0
    assert found["all"]["recall"] == found["per_language"]["cs"]["recall"] == 1 / 2
