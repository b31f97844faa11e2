"""What `predict` reads of a manifest before the model is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from ner_head.cli.predict_options import ModelFacts, read_facts


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff", b"1", b"{}", b'{"languages": 1, "labels": []}'])
def test_a_damaged_manifest_gives_no_facts(tmp_path: Path, content: bytes) -> None:
    """Loading the model reports it."""
    (tmp_path / "manifest.json").write_bytes(content)
    assert read_facts(tmp_path / "manifest.json") == ModelFacts([], [])
