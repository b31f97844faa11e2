"""The development corpora."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpora() -> Path:
    """BSNLP 2019 and SlavicNER, in a sibling of the repository; they are not part of it."""
    folder = Path(__file__).parents[2].parent / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: BSNLP 2019 and SlavicNER are needed")
    return folder
