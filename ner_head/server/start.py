"""Put the parts of the server together, and take them apart."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ner_head.base.entry import write_traceback
from ner_head.corpus.documents import Document
from ner_head.inference.saved_model import ModelManifest
from ner_head.recognizer import Recognizer
from ner_head.server.app import Service, create_app, identity
from ner_head.server.batcher import Batcher
from ner_head.server.intake import Intake
from ner_head.server.limits import Limits

WARM_UP = "Jana Nová bydlí v Brně."


@contextmanager
def start(recognizer: Recognizer, model: Path, limits: Limits, *, token: str | None) -> Iterator[Intake]:
    """The application, ready to answer: the model has computed once, as the first time takes longer.

    Args:
        recognizer: the model.
        model: its folder.
        limits: limits of a request.
        token: secret that a client must know; None if everybody may use the server.
    """
    recognizer.recognize_documents([Document(id="warm-up", text=WARM_UP)])
    manifest = ModelManifest.read(model)
    batcher = Batcher(recognizer.recognize_documents, limits)
    service = Service(recognizer, manifest, identity(model, manifest), batcher, limits)
    try:
        yield create_app(service, token=token, report=Reporter())
    finally:
        batcher.close()


class Reporter:
    """Reports unexpected errors on standard error, with a traceback in a file for the first of each kind."""

    def __init__(self) -> None:
        """Start without errors."""
        self.kinds = set[str]()

    def __call__(self, error: Exception) -> None:
        """Report an error."""
        what = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        kind = type(error).__name__
        where = "as before" if kind in self.kinds else f"please report, with {write_traceback(error)}"
        self.kinds.add(kind)
        print(f"ner-head: unexpected: {what:.300}, {where}", file=sys.stderr, flush=True)
