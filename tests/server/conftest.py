"""Applications to test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ner_head.recognizer import Recognizer
from ner_head.server.intake import Intake
from ner_head.server.limits import Limits
from ner_head.server.start import start
from tests.server.service import application


@pytest.fixture(scope="module")
def recognizer(model: Path) -> Recognizer:
    return Recognizer.load(model, device="cpu")


@pytest.fixture(scope="module")
def app(recognizer: Recognizer, model: Path) -> Iterator[Intake]:
    """The application with a model that was trained."""
    with start(recognizer, model, Limits(), token=None) as found:
        yield found


@pytest.fixture(scope="module")
def names() -> Iterator[Intake]:
    with application() as found:
        yield found
