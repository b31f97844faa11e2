"""`/predict`, `/info`, `/health`, `/docs`: answers, errors of the server itself, and any input at all."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ner_head.corpus.documents import Document
from ner_head.recognizer import Recognizer
from ner_head.server.intake import Intake
from ner_head.server.limits import Limits
from ner_head.server.schemas import PredictAnswer
from tests.server.service import JSON, Names, application, ask, error, predict


def test_the_records_are_those_of_the_command(app: Intake, recognizer: Recognizer, documents: list[Document]) -> None:
    texts = [document.text for document in documents]
    answer = predict(app, {"texts": texts})
    expected = recognizer.recognize_documents([Document(f"text-{i}", text) for i, text in enumerate(texts, 1)])
    assert answer.status_code == 200
    assert answer.json() == {"documents": [document.to_dict() for document in expected], "warnings": []}
    assert [[span["label"] for span in each["spans"]] for each in answer.json()["documents"]] == [["PER", "LOC"]] * 6


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"n_best": 3}, {"n_best": 3}),
        ({"min_probability": {"LOC": 1, "PER": 0.1}}, {"min_probability": {"LOC": 1, "PER": 0.1}}),
        ({"min_probability": "LOC=1,PER=0.1", "n_best": 2}, {"min_probability": {"LOC": 1, "PER": 0.1}, "n_best": 2}),
        ({"labels": ["LOC"], "n_best": 4}, {"labels": ["LOC"], "n_best": 4}),
        ({"min_probability": 1.0}, {"min_probability": 1.0}),
    ],
)
def test_options_are_those_of_the_recognizer(
    app: Intake, recognizer: Recognizer, documents: list[Document], asked: dict[str, Any], wanted: dict[str, Any]
) -> None:
    texts = [document.text for document in documents]
    answer = predict(app, {"texts": texts, **asked}).json()["documents"]
    found = recognizer.recognize(texts, **wanted)
    assert [{**each, "id": ""} for each in answer] == [{**each.to_dict(), "id": ""} for each in found]
    assert ("readings" in answer[0]) == ("n_best" in asked)


def test_requests_with_other_options_at_once_get_what_each_gets_alone(
    app: Intake, recognizer: Recognizer, documents: list[Document]
) -> None:
    bodies = [{"text": document.text, "n_best": n} for document in documents for n in (1, 2, 3)]
    with ThreadPoolExecutor(len(bodies)) as threads:
        answers = list(threads.map(lambda body: predict(app, body).json()["documents"][0], bodies))
    for body, answer in zip(bodies, answers, strict=True):
        (found,) = recognizer.recognize([body["text"]], n_best=body["n_best"])
        assert {**answer, "id": "0"} == near(found.to_dict())


def near(wanted: Any) -> Any:
    """The record with approximate probabilities: other texts of a batch change them by about 1e-5."""
    if isinstance(wanted, dict):
        return {name: near(value) for name, value in wanted.items()}
    if isinstance(wanted, list):
        return [near(value) for value in wanted]
    return pytest.approx(wanted, abs=2e-4) if isinstance(wanted, float) else wanted


def test_texts_together_give_what_each_gives_alone(recognizer: Recognizer, documents: list[Document]) -> None:
    """To 1e-5, before probabilities are rounded; the lengths differ, so that there is padding."""
    texts = [document.text[: 5 + 7 * number] for number, document in enumerate(documents)] + ["A", "", "Jan. " * 30]
    wanted = [Document(id=str(number), text=text) for number, text in enumerate(texts)]
    together = recognizer.recognize_documents(wanted)
    alone = [recognizer.recognize_documents([document])[0] for document in wanted]
    assert together == alone
    pairs = [(a, b) for x, y in zip(together, alone, strict=True) for a, b in zip(x.spans, y.spans, strict=True)]
    assert len(pairs) > 5
    assert max(abs((a.probability or 0) - (b.probability or 0)) for a, b in pairs) < 1e-5


def test_a_text_may_come_alone_or_with_an_id_and_a_language(names: Intake) -> None:
    assert predict(names, {"text": "Jan"}).json()["documents"][0]["id"] == "text-1"
    item = {"id": "x", "text": "Jan", "language": "POL"}
    (found,) = predict(names, {"documents": [item]}).json()["documents"]
    span = {"start": 0, "end": 3, "label": "PER", "text": "Jan", "probability": 0.75}
    assert found == {"id": "x", "language": "pl", "language_probability": None, "text": "Jan", "spans": [span]}


def test_options_apply_to_all_texts(names: Intake) -> None:
    body = {"documents": [{"text": "Jan"}, {"text": "Jan", "language": "sv"}], "language": "cs"}
    answer = predict(names, {**body, "min_probability": 0.8}).json()
    assert [document["language"] for document in answer["documents"]] == ["cs", "sv"]
    assert [document["spans"] for document in answer["documents"]] == [[], []]
    assert answer["warnings"] == ["this model was trained on cs, pl, not on sv: expect worse results"]


@pytest.mark.parametrize("text", ["", " ", "\x00", "Jan\x00 \x07Nowak", "\U0001f600 Jan", "\ufeffJan", "a" * 3000])
def test_any_text_that_utf8_can_hold_is_fine(app: Intake, text: str) -> None:
    answer = predict(app, {"text": text})
    assert answer.status_code == 200
    assert answer.json()["documents"][0]["text"] == text


def test_info_describes_the_model_and_the_limits(app: Intake) -> None:
    found = ask(app, "GET", "/info").json()
    assert (found["labels"], found["languages"]) == (["LOC", "PER"], ["cs", "pl", "ru"])
    assert found["limits"]["texts"] == Limits().texts
    assert re.fullmatch("ner-head-[0-9a-f]{12}", found["model"])
    assert "/" not in found["encoder"]["model"]  # no paths of the machine


def test_the_docs_are_one_page_that_loads_nothing(app: Intake) -> None:
    answer = ask(app, "GET", "/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert not re.findall(r"<script|<link|<img|src=|@import|https?://", answer.text)
    described = ask(app, "GET", "/openapi.json").json()
    for path in described["paths"]:
        assert f"<code>{path}</code>" in answer.text
    fields = described["components"]["schemas"]["PredictRequest"]["properties"]
    assert set(fields) == {"text", "texts", "documents", "language", "n_best", "min_probability", "labels"}


def test_the_described_answer_is_the_real_one(app: Intake) -> None:
    schemas = ask(app, "GET", "/openapi.json").json()["components"]["schemas"]
    body = {"text": "Jana Nováková přijela do Prahy."}
    plain, answer = predict(app, body).json(), predict(app, {**body, "n_best": 3}).json()
    assert set(plain["documents"][0]) == set(schemas["FoundDocument"]["required"])
    document = answer["documents"][0]
    sentence = document["readings"][0]
    reading = sentence["best"][0]
    for value, name in (
        (answer, "PredictAnswer"),
        (document, "FoundDocument"),
        (document["spans"][0], "FoundSpan"),
        (sentence, "SentenceReadings"),
        (reading, "FoundReading"),
        (reading["spans"][0], "ReadSpan"),
    ):
        assert set(value) == set(schemas[name]["properties"])
    assert PredictAnswer.model_validate(answer, strict=True).model_dump() == answer


def test_an_unexpected_error_is_reported_and_the_server_goes_on() -> None:
    class Faulty(Names):
        def recognize_documents(self, documents: Any, *, n_best: int = 1) -> Any:
            if documents[0].text == "fault":
                raise LookupError("a fault")
            return super().recognize_documents(documents)

    reported: list[Exception] = []
    with application(Faulty(), report=reported.append) as app:
        answer = error(predict(app, {"text": "fault"}))
        assert answer == (500, "unexpected error; the log of the server has the details")
        assert [str(each) for each in reported] == ["a fault"]
        assert predict(app, {"text": "Jan"}).status_code == 200


def test_a_lack_of_memory_is_no_fault_of_the_request() -> None:
    class Small(Names):
        def recognize_documents(self, documents: Any, *, n_best: int = 1) -> Any:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: tried 1 byte"
            )

    with application(Small()) as app:
        assert error(predict(app, {"text": "Jan"}))[0] == 503


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["text", "texts", "documents", "language", "min_probability", "labels", "n_best"]
FIELDS += ["tasks", "label_config", "metadata", "document"]
NEARLY = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4)
TEXTS = st.builds(lambda texts: {"texts": texts}, st.lists(st.text(max_size=60), max_size=4))
PATHS = ["/predict", "/label-studio/predict", "/label-studio/setup", "/label-studio/webhook", "/inception/predict"]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PATHS), st.binary(max_size=80) | (NEARLY | TEXTS | VALUES).map(lambda v: json.dumps(v).encode()))
def test_no_body_is_an_error_of_the_server(app: Intake, path: str, content: bytes) -> None:
    answer = ask(app, "POST", path, content=content, headers=JSON)
    assert answer.status_code in (200, 400, 413, 422)
    if answer.status_code != 200:
        error(answer)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=30).map(lambda text: "/" + text), st.sampled_from(["GET", "POST", "PUT", "DELETE", "X"]))
def test_no_path_is_an_error_of_the_server(names: Intake, path: str, method: str) -> None:
    answer = ask(names, method, quote(path.encode("utf-8", "surrogatepass")), headers=JSON)
    assert answer.status_code in (200, 400, 401, 404, 405, 422)
