"""Requests that are refused: malformed ones, those over a limit, and those without the token."""

from __future__ import annotations

from typing import Any

import pytest

from ner_head.server.intake import Intake
from ner_head.server.limits import Limits
from tests.server.service import JSON, Names, application, ask, error, predict


@pytest.mark.parametrize(
    ("content", "status", "line"),
    [
        (b"", 422, "body: Field required"),
        (b"[1", 400, "the body is not JSON: Expecting ',' delimiter at line 1, column 3"),
        (b'{"text": "\xff"}', 400, "the body is not UTF-8 at byte 10"),
        (b'{"text": "a\\ud800"}', 400, "the body has a lone surrogate (U+D800), which is no character"),
        (b'{"\\udfff": 1}', 400, "the body has a lone surrogate (U+DFFF), which is no character"),
        (b'{"text": NaN}', 400, "the body is not JSON: NaN is no number"),
        (b"[" * 100_000, 400, "the body is not JSON: "),
        (b"1" * 5000, 400, "the body is not JSON: "),
        (b"[]", 422, "body: Input should be a valid object"),
        (b"{}", 422, "body: give one of text, texts and documents, got none of them"),
        (b'{"text": "a", "texts": []}', 422, "body: give one of text, texts and documents, got text, texts"),
        (b'{"texts": ["a", 1]}', 422, "texts.1: Input should be a valid string"),
        (b'{"text": "a", "nbest": 2}', 422, "nbest: Extra inputs are not permitted"),
        (b'{"text": "a", "min_probability": 2}', 422, "the least probability must be between 0 and 1, got 2"),
        (
            b'{"text": "a", "min_probability": {"PER": -1}}',
            422,
            "the least probability must be between 0 and 1, got -1",
        ),
        (b'{"text": "a", "min_probability": "PER=2"}', 422, "min_probability: must be between 0 and 1, got 2"),
        (b'{"text": "a", "min_probability": "PER=x"}', 422, "min_probability: 'x' is no number; give 0.5, or PER=0.8"),
        (b'{"text": "a", "min_probability": {"PER": "x"}}', 422, "min_probability: give a number, numbers by label as"),
        (b'{"text": "a", "min_probability": true}', 422, "min_probability: give a number, numbers by label as"),
        (b'{"text": "a", "min_probability": {"EVT": 0.5}}', 422, "label 'EVT': the model has LOC, PER"),
        (b'{"text": "a", "labels": ["EVT"]}', 422, "label 'EVT': the model has LOC, PER"),
        (b'{"text": "a", "labels": []}', 422, "labels: List should have at least 1 item"),
        (b'{"text": "a", "labels": "PER"}', 422, "labels: Input should be a valid list"),
        (b'{"text": "a", "n_best": 0}', 422, "n_best: Input should be greater than or equal to 1"),
        (b'{"text": "a", "n_best": 11}', 422, "n_best: 11; this server gives at most 10"),
        (b'{"text": "a", "language": "xx"}', 422, "text-1: language 'xx': no code of ISO 639"),
        (b'{"documents": [{"id": "a", "text": ""}, {"id": "a", "text": ""}]}', 422, "id 'a': given twice"),
    ],
)
def test_a_malformed_body_is_refused_with_one_line(names: Intake, content: bytes, status: int, line: str) -> None:
    answer = ask(names, "POST", "/predict", content=content, headers=JSON)
    found = error(answer)
    assert found[0] == status
    assert found[1].startswith(line)


def test_other_paths_methods_and_kinds_are_refused(names: Intake) -> None:
    assert error(ask(names, "GET", "/absent")) == (404, "GET /absent: Not Found; see /docs")
    assert error(ask(names, "GET", "/predict")) == (405, "GET /predict: Method Not Allowed; see /docs")
    kind = (415, "send plain JSON, with the header `Content-Type: application/json`")
    assert error(ask(names, "POST", "/predict", content=b'{"text": "a"}')) == kind
    packed = {**JSON, "Content-Encoding": "gzip"}
    assert error(ask(names, "POST", "/predict", content=b"x", headers=packed)) == kind


def test_a_request_over_a_limit_is_refused() -> None:
    with application(limits=Limits(body_bytes=1024, texts=2, characters=100)) as app:
        large = (413, "the body has more than 1,024 bytes; send fewer texts in a request")
        assert error(predict(app, {"text": "a" * 2000})) == large
        assert error(predict(app, {"texts": ["", "", ""]})) == (413, "3 texts; a request may have 2")
        many = (413, "101 characters; the texts of a request may have 100 together")
        assert error(predict(app, {"texts": ["a" * 50, "b" * 51]})) == many
        assert predict(app, {"texts": ["a" * 50, "b" * 50]}).status_code == 200
        assert app.under_way == 0


def test_a_body_without_a_length_is_counted_while_it_is_read() -> None:
    read = 0

    async def endless() -> Any:
        nonlocal read
        while True:
            read += 1
            yield b" " * 500

    with application(limits=Limits(body_bytes=1024)) as app:
        assert error(ask(app, "POST", "/predict", content=endless(), headers=JSON))[0] == 413
        assert app.under_way == 0
    assert read < 10  # a little more is read and dropped, so that the client gets the answer


def test_all_bodies_together_are_limited() -> None:
    with application(limits=Limits(body_bytes=4096, bodies_bytes=2048)) as app:
        answer = predict(app, {"text": "a" * 3000})
        assert error(answer)[0] == 429
        assert answer.headers["retry-after"] == "5"


def test_a_request_that_takes_too_long_is_refused() -> None:
    with application(Names(seconds=0.5), Limits(request_seconds=0.1)) as app:
        answer = predict(app, {"text": "Jan"})
        assert error(answer) == (504, "no result within 0.1 s; send fewer texts, or try again")
        assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ({}, False),
        ({"Authorization": "Bearer secret"}, True),
        ({"Authorization": "bearer secret"}, True),
        ({"Authorization": "Bearer secre"}, False),
        ({"Authorization": "Bearer "}, False),
        ({"Authorization": "secret"}, False),
        ({"Authorization": "Basic bmFtZTpzZWNyZXQ="}, True),  # name:secret, as Label Studio and browsers send it
        ({"Authorization": "Basic c2VjcmV0Og=="}, False),  # secret:
        ({"Authorization": "Basic !"}, False),
        ({b"Authorization": "Bearer s\u00e9cret".encode()}, False),
    ],
)
def test_with_a_token_only_health_is_open(given: dict[Any, Any], allowed: bool) -> None:
    with application(token="secret") as app:
        for path in ("/info", "/docs", "/openapi.json"):
            assert (ask(app, "GET", path, headers=given).status_code == 200) == allowed
        answer = ask(app, "POST", "/predict", json={"text": "Jan"}, headers=given)
        assert answer.status_code == (200 if allowed else 401)
        if not allowed:
            assert error(answer) == (401, "give the token: `Authorization: Bearer TOKEN`")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert ask(app, "GET", "/health").json() == {"status": "ok"}
        assert ask(app, "GET", "/label-studio/health").status_code == 200


def test_a_name_of_thousands_of_characters_is_not_sent_back_whole(names: Intake) -> None:
    content = b'{"text": "a", "' + b"k" * 9999 + b'": 1}'
    status, found = error(ask(names, "POST", "/predict", content=content, headers=JSON))
    assert status == 422
    assert found.startswith("kkk")
    assert found.endswith("k: Extra inputs are not permitted")
    assert len(found) < 2000
