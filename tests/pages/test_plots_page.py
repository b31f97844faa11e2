"""The page of plots draws what dvc.yaml lists, without scripts and without network."""

from __future__ import annotations

from pathlib import Path

import pytest

from ner_head.base.errors import DataError
from ner_head.base.params import round_trip
from ner_head.pages.plots_page import plots_page, read_plots
from tests.conftest import ROOT

PLOTS = round_trip().load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
TABLES = {
    "learning_curve": "epoch,loss,dev_f1\n1,9.5,0.25\n2,3.5,0.75\n",
    "layer_weights": "layer,weight\n05,0.25\n06,0.75\n",
    "confusion": "gold,predicted\nPER,PER\nPER,LOC\nLOC,(missed)\n",
    "oracle": "n,f1\n1,0.5\n2,0.75\n",
    "reliability_spans": "temperature,probability,right,count\nwithout,0.2,0.5,4\nwith,0.8,0.75,9\n",
    "thresholds": "threshold,precision,recall,f1,predicted\n0,0.5,0.75,0.6,8\n0.5,0.75,0.5,0.6,6\n",
}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("reports").mkdir()
    for name, content in TABLES.items():
        Path(f"reports/{name}.csv").write_text(content, encoding="utf-8")
    return plots_page(PLOTS, ROOT / ".dvc/plots")


def test_each_plot_with_a_table_is_drawn(page: str) -> None:
    absent = "Is the language as often right as its probability says?"  # its table is not there
    titles = [plot["title"] for entry in PLOTS for plot in entry.values()]
    assert [title for title in titles if f"<figcaption>{title}</figcaption>" not in page] == [absent]
    assert page.count("<svg") == len(titles) - 1
    assert ">(missed)</text>" in page
    assert ">06</text>" in page


def test_the_page_loads_and_runs_nothing(page: str) -> None:
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "src=" not in page.replace("style-src", "").replace("default-src", "")


def test_without_tables_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no table has a row" in plots_page(PLOTS, ROOT / ".dvc/plots")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[",
        "[1]",
        "stages: {}",
        "plots: 5",
        "plots: [5]",
        "plots: [{a: {x: b}}]",
        "plots: [{a: {x: b, y: {}}}]",
        "plots: [{a: {x: b, y: {c: []}}}]",
        "plots: [{a: {x: b, y: {c: 5}}}]",
        "\x00",
        "- " * 9999,
    ],
)
def test_a_pipeline_without_plots_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(content)
    with pytest.raises(DataError, match=r"dvc\.yaml: (plots: |has no list `plots`)") as caught:
        read_plots(tmp_path / "dvc.yaml")
    assert len(str(caught.value).splitlines()) == 1


def test_a_plot_without_its_template_is_one_line(page: str) -> None:
    with pytest.raises(DataError, match=r"plot confusion of dvc\.yaml cannot be drawn: Template 'odd' not found"):
        plots_page([{"confusion": {"x": "predicted", "y": {"reports/confusion.csv": "gold"}, "template": "odd"}}], ROOT)


@pytest.mark.parametrize("content", [b"epoch,dev_f0\n1,0.5\n", b"epoch,dev_f1\n1\n", b"epoch,dev_f1\n1,\xb7\n"])
def test_a_damaged_table_is_one_line(tmp_path: Path, content: bytes) -> None:
    """One flipped bit makes another name of a column, another separator, or no UTF-8."""
    table = tmp_path / "curve.csv"
    table.write_bytes(content)
    plots = [{"Learning curve": {"x": "epoch", "y": {str(table): ["dev_f1"]}}}]
    with pytest.raises(DataError, match=r"curve\.csv: not a table with the columns epoch, dev_f1; write it again"):
        plots_page(plots, tmp_path)
