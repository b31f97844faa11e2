"""Requests to the server, with a stand-in for the model."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from functools import cache
from random import Random
from urllib.parse import quote

from ner_head.server.intake import Intake
from ner_head.server.limits import Limits
from tests.fuzz.door import LIMIT_SECONDS, Hang, Outcome, alarm, peak, reset_peak
from tests.fuzz.mutate import ANY, STRINGS, in_json
from tests.server.service import application, ask

SOUND = (
    ("/predict", {"text": "Jan Nowak", "language": "cs", "n_best": 1, "min_probability": 0.5}),
    ("/predict", {"texts": ["Jan", "Eva"], "labels": ["PER"]}),
    ("/predict", {"documents": [{"id": "a", "text": "Jan", "language": "pl"}], "min_probability": {"PER": 0.2}}),
    ("/label-studio/predict", {"tasks": [{"id": 1, "data": {"text": "Jan Nowak"}}], "label_config": "<View/>"}),
    ("/label-studio/setup", {"project": "1", "schema": "<View><Text name='t' value='$text'/></View>"}),
    ("/inception/predict", {
        "metadata": {"layer": "custom.Span", "feature": "value", "projectId": 1, "anchoringMode": "tokens"},
        "document": {"xmi": "<xmi/>", "documentId": 1, "userId": "x"},
        "typeSystem": "<typeSystemDescription/>",
    }),
)  # fmt: skip
PATHS = (
    "/",
    "/health",
    "/info",
    "/docs",
    "/openapi.json",
    "/label-studio/health",
    "/inception",
    "/absent",
    "//",
    "/../x",
)
STACK = ExitStack()  # is never closed
ERRORS: list[str] = []
"""Unexpected errors that the server reported."""


@cache
def server() -> Intake:
    """The application. It lives as long as the process."""
    return STACK.enter_context(
        application(limits=Limits(body_bytes=1 << 20), report=lambda error: ERRORS.append(repr(error)))
    )


def odd_request(rng: Random) -> tuple[Outcome, str]:
    """Send a request, and judge the answer."""
    path, tree = rng.choice(SOUND)
    body = json.dumps(tree).encode()
    for _ in range(rng.choice((1, 1, 2))):
        body = in_json(body, rng) if rng.random() < 0.7 else rng.choice(ANY)(body, rng)
    method, headers = "POST", {"Content-Type": "application/json"}
    if rng.random() < 0.2:
        path = rng.choice((*PATHS, *(quote(each, errors="replace") for each in STRINGS if len(each) < 200)))
        path = path if path.startswith("/") else f"/{path}"
        method = rng.choice(("GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"))
    if rng.random() < 0.2:
        name = rng.choice(("Content-Type", "Content-Length", "Authorization", "Content-Encoding", "Accept", "Host"))
        headers[name] = rng.choice([each for each in STRINGS if each.isascii() and each.isprintable()])
    done = f"{method} {path} {headers} {body[:2000]!r}"
    begun, before = time.process_time(), reset_peak()
    ERRORS.clear()
    try:
        with alarm(LIMIT_SECONDS):
            answer = ask(server(), method, path, content=body, headers=headers)
    except Hang:
        return Outcome(0, "", "", LIMIT_SECONDS, 0, "hangs"), done
    except BaseException as error:
        return Outcome(0, "", "", 0, 0, f"leaves the server: {type(error).__name__}: {error}"), done
    problem = f"unexpected: {ERRORS[0]}" if ERRORS else judged(answer.status_code, answer.content, method)
    seconds, grown = time.process_time() - begun, peak() - before
    return Outcome(answer.status_code, "", answer.text[:500], seconds, grown, problem), done


def judged(status: int, content: bytes, method: str) -> str:
    """What is wrong with an answer; "" if nothing is."""
    if status >= 500:
        return f"status {status}"
    if status < 400 or method == "HEAD":
        return ""
    try:
        found = json.loads(content)
    except ValueError:
        return "an error that is no JSON"
    if set(found) != {"error"} or len(found["error"].splitlines()) != 1:
        return "an error that is not one line"
    return "a message of thousands of characters" if len(found["error"]) > 3000 else ""
