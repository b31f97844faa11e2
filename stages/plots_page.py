"""reports/*.csv -> reports/plots.html: the plots of dvc.yaml on one page, which needs no network."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("plots_page")

from pathlib import Path

from ner_head.base.files import write_text
from ner_head.pages.plots_page import plots_page, read_plots

from . import REPORTS

PIPELINE, TEMPLATES = Path("dvc.yaml"), Path(".dvc/plots")


def main() -> None:
    """Draw all plots."""
    write_text(REPORTS / "plots.html", plots_page(read_plots(PIPELINE), TEMPLATES))
