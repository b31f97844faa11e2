"""The command that downloads an encoder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_predict_and_embed import run


def test_what_the_hub_does_not_give_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run("fetch", "nobody/nothing", capsys=capsys, monkeypatch=monkeypatch)
    assert (code, out) == (2, "")
    assert err.startswith("ner-head: encoder 'nobody/nothing': the hub did not give it (")
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
