"""reports/*.csv -> reports/plots.html: the plots of dvc.yaml on one page, which needs no network."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("plots_page")

from pathlib import Path

from ner_head.base.files import write_text
from ner_head.base.params import round_trip
from ner_head.pages.plots_page import plots_page

from . import REPORTS

PIPELINE, TEMPLATES = Path("dvc.yaml"), Path(".dvc/plots")


def main() -> None:
    """Draw all plots."""
    plots = round_trip().load(PIPELINE.read_text(encoding="utf-8"))["plots"]
    write_text(REPORTS / "plots.html", plots_page(plots, TEMPLATES))
