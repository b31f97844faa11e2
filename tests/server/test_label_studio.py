"""The protocol of Label Studio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ner_head.server.intake import Intake
from ner_head.server.limits import Limits
from tests.server.service import application, ask

CONFIG = """<View>
  <Labels name="label" toName="text">
    <Label value="Person" predicted_values="PER, PERSON" background="red"/>
    <Label value="loc"/>
  </Labels>
  <Text name="text" value="$review"/>
</View>"""
REQUEST = {
    "tasks": [{"id": 7, "data": {"review": "Je tu \U0001f600 Jan, Pavel"}}, {"id": 8, "data": {"review": "nikdo"}}],
    "project": "3.1700000000",
    "label_config": CONFIG,
    "model_version": None,
    "params": {"login": None, "password": None, "context": None},
}


@pytest.fixture(scope="module")
def app() -> Iterator[Intake]:
    with application() as found:
        yield found


def post(app: Intake, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    answer = ask(app, "POST", f"/label-studio/{path}", json=body)
    return answer.status_code, answer.json()


def test_tasks_are_predicted_with_offsets_in_code_points(app: Intake) -> None:
    status, answer = post(app, "predict", REQUEST)
    assert status == 200
    assert answer["model_version"] == "names-1"
    first, second = answer["results"]
    text = REQUEST["tasks"][0]["data"]["review"]  # type: ignore[index]
    values = [region["value"] for region in first["result"]]
    assert [text[value["start"] : value["end"]] for value in values] == [value["text"] for value in values]
    assert values[1] == {"start": 8, "end": 12, "text": "Jan,", "labels": ["Person"]}
    region = {name: first["result"][1][name] for name in ("from_name", "to_name", "type", "score")}
    assert region == {"from_name": "label", "to_name": "text", "type": "labels", "score": 0.75}
    assert len({region["id"] for region in first["result"]}) == len(first["result"]) == 3
    assert (first["score"], second["score"], second["result"]) == (0.75, None, [])
    assert first["model_version"] == "names-1"


def test_spans_whose_label_is_not_in_the_config_are_left_out(app: Intake) -> None:
    config = CONFIG.replace('predicted_values="PER, PERSON"', "")
    assert post(app, "setup", {"project": "3.1", "schema": config})[1]["labels_not_in_config"] == ["PER"]
    assert post(app, "predict", {**REQUEST, "label_config": config})[1]["results"][0]["result"] == []


def test_setup_gives_the_version_and_checks_the_config(app: Intake) -> None:
    body = {"project": "3.1", "schema": CONFIG, "hostname": "http://localhost:8080", "access_token": "x"}
    assert post(app, "setup", body) == (200, {"model_version": "names-1", "labels_not_in_config": []})
    assert post(app, "setup", {})[0] == 200


@pytest.mark.parametrize(
    ("config", "line"),
    [
        ("<View", "label_config: not XML: unclosed token: line 1, column 0"),
        ("<View/>", "label_config: no <Labels name=... toName=...> for a <Text name=...>"),
        (CONFIG.replace("toName", "to"), "label_config: no <Labels name=... toName=...> for a <Text name=...>"),
        (CONFIG.replace("$review", ""), "label_config: the <Text> must have value="),
        (CONFIG.replace("<Text", '<Text valueType="url"'), "label_config: the <Text> must have value="),
        (CONFIG.replace("PER, PERSON", "x").replace("loc", "y"), "label_config: no label for LOC, PER; name one"),
        (f'<!DOCTYPE x [<!ENTITY a "b">]>{CONFIG}', "label_config: a document type is not allowed"),
        ("<a>" * 101, "label_config: more than 100 levels of elements"),
    ],
)
def test_a_config_that_cannot_be_used_is_refused(app: Intake, config: str, line: str) -> None:
    for path, body in (("setup", {"schema": config}), ("predict", {**REQUEST, "label_config": config})):
        status, answer = post(app, path, body)
        assert (status, answer["error"][: len(line)]) == (422, line)


def test_a_task_without_its_text_is_refused(app: Intake) -> None:
    tasks = [{"data": {"review": "Jan"}}, {"data": {"review": None}}]
    line = "tasks.1: its data has no text under 'review'"
    assert post(app, "predict", {**REQUEST, "tasks": tasks}) == (422, {"error": line})


def test_the_limits_are_those_of_the_server() -> None:
    with application(limits=Limits(texts=1)) as app:
        assert post(app, "predict", REQUEST)[0] == 413


def test_events_are_taken_note_of_and_training_is_refused(app: Intake) -> None:
    status, answer = post(app, "webhook", {"action": "ANNOTATION_CREATED", "project": {"id": 3}})
    assert (status, answer["status"], answer["action"]) == (200, "ignored", "ANNOTATION_CREATED")
    status, answer = post(app, "train", {"annotations": []})
    assert status == 501
    assert answer["error"].startswith("this model does not learn from annotations")


def test_the_backend_is_healthy(app: Intake) -> None:
    for path in ("/label-studio/health", "/label-studio/"):
        assert ask(app, "GET", path).json()["status"] == "UP"
