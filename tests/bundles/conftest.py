from __future__ import annotations

from pathlib import Path

import pytest

from ner_head.bundles.bundle import make_bundle
from ner_head.cards.card import Description
from tests.training.conftest import tunable

__all__ = ["bundle", "tunable"]
DESCRIBED = Description("tiny", "six documents by heart", "## What it is good for\n\nTests.")


@pytest.fixture(scope="session")
def bundle(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the tiny model, which must not be changed."""
    folder = tmp_path_factory.mktemp("bundled") / "tiny"
    make_bundle(model, folder, DESCRIBED)
    return folder
