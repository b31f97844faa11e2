"""An application with a stand-in for the model, ways to ask it, and a process that serves it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import httpx

from ner_head.corpus.documents import Document, Span
from ner_head.recognizer import Recognizer
from ner_head.server import run
from ner_head.server.app import Service, create_app
from ner_head.server.batcher import Batcher
from ner_head.server.intake import Intake
from ner_head.server.limits import Limits

JSON = {"Content-Type": "application/json"}


class Names:
    """A stand-in for a recognizer: the words with a capital letter are persons. It may take its time."""

    languages = ("cs", "pl")
    language_code, language_warning = Recognizer.language_code, Recognizer.language_warning

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[list[str]] = []

    def recognize_documents(self, documents: Sequence[Document], *, n_best: int = 1) -> list[Document]:
        self.batches.append([document.text for document in documents])
        time.sleep(self.seconds * len(documents))
        return [replace(document, spans=tuple(self.spans(document.text))) for document in documents]

    @staticmethod
    def spans(text: str) -> Iterator[Span]:
        position = 0
        for word in text.split(" "):
            if word[:1].isupper():
                yield Span(position, position + len(word), "PER", probability=0.75)
            position += len(word) + 1


class Manifest:
    """A stand-in for a manifest."""

    labels, languages = ["LOC", "PER"], ["cs", "pl"]

    class encoder:
        model, fingerprint = "/somewhere/tiny", "abc"

    class training:
        dev_f1 = None


@contextmanager
def application(
    model: Any = None,
    limits: Limits | None = None,
    token: str | None = None,
    report: Callable[[Exception], None] = print,
) -> Iterator[Intake]:
    model, limits = model or Names(), limits or Limits()
    batcher = Batcher(model.recognize_documents, limits)
    service = Service(model, cast(Any, Manifest), "names-1", batcher, limits)
    try:
        yield create_app(service, token=token, report=report)
    finally:
        batcher.close()


def ask(app: Intake, method: str, path: str, **request: Any) -> httpx.Response:
    """One request to an application, without a network."""

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(cast(Any, app))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.request(method, path, **request)

    return asyncio.run(send())


def predict(app: Intake, body: Any) -> httpx.Response:
    return ask(app, "POST", "/predict", json=body)


def error(answer: httpx.Response) -> tuple[int, str]:
    assert set(answer.json()) == {"error"}
    line = answer.json()["error"]
    assert len(line.splitlines()) == 1
    return answer.status_code, line


def main(arguments: Sequence[str], output: str, errors: str) -> None:
    """Serve in this process, whose streams go to files; the first line of the output is the URL."""
    for number, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY), number)
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=0.0)
    options, rest = parser.parse_known_args(arguments)
    given = {name.removeprefix("--"): json.loads(value) for name, value in (each.split("=") for each in rest)}
    log, limits = given.pop("access_log", False), Limits(**given)
    listener = run.bind("127.0.0.1", 0)
    run.listen(listener)

    def show() -> None:
        print(run.url(listener), flush=True)

    with application(Names(options.seconds), limits) as app:
        run.serve(app, listener, limits, ready=show, stopping=app.stop, access_log=log)
