"""`reports/plots.html`: the plots of `dvc.yaml` on one self-contained page of drawings."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from ruamel.yaml.error import YAMLError

from ner_head.base.errors import DataError, system_error
from ner_head.base.params import first_problem, round_trip
from ner_head.pages.parts import asset, head, safe


class Plot(BaseModel):
    """What every plot of `dvc.yaml` has here; its other keys are DVC's."""

    x: str
    y: Annotated[dict[str, str | Annotated[list[str], Field(min_length=1)]], Field(min_length=1, max_length=1)]
    """The columns of one table."""


def read_plots(path: Path) -> list[dict[str, Mapping[str, Any]]]:
    """The list `plots` of a `dvc.yaml`.

    Raises:
        DataError: the file is absent, not YAML, or has no such list.
    """
    try:
        plots: list[dict[str, Mapping[str, Any]]] = round_trip().load(path.read_text(encoding="utf-8"))["plots"]
        TypeAdapter(list[dict[str, Plot]]).validate_python(plots)
        return plots
    except OSError as error:
        raise system_error(error, path) from None
    except ValidationError as error:
        raise DataError(f"{path}: plots: {first_problem(error)}") from None
    except (YAMLError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: has no list `plots`: {' '.join(str(error).split())[:200]}") from None


def plots_page(plots: Sequence[Mapping[str, Mapping[str, Any]]], templates: Path) -> str:
    """The page as HTML, without scripts. A plot whose table is absent or empty is left out.

    Args:
        plots: list `plots` of `dvc.yaml`; each plot has one table.
        templates: folder of the templates that are not DVC's own.
    Raises:
        DataError: a table is damaged.
    """
    cards = []
    for name, plot in (item for entry in plots for item in entry.items()):
        ((table, y),) = plot["y"].items()
        rows = read_rows(Path(table), plot["x"], *([y] if isinstance(y, str) else y))
        if rows:
            title = safe(plot.get("title", name))
            cards.append(f"<figure><figcaption>{title}</figcaption>{drawing(name, plot, rows, y, templates)}</figure>")
    style = asset("plots.css")
    return head("Plots", style) + Template(asset("plots.html")).substitute(
        figures="\n".join(cards) or "<p>There is nothing to draw: no table has a row.</p>",
    )


def read_rows(table: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a CSV file; none if there is no such file.

    Raises:
        DataError: the file is not CSV, or lacks some of the columns in a row.
    """
    if not table.is_file():
        return []
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (ValueError, csv.Error):  # not UTF-8, or a NUL
        rows = [{}]
    if any(row.get(column) is None for row in rows for column in columns):
        raise DataError(f"{table}: not a table with the columns {', '.join(columns)}; write it again: `dvc repro -f`")
    return rows


def drawing(
    name: str, plot: Mapping[str, Any], rows: Sequence[Mapping[str, str]], y: str | Sequence[str], templates: Path
) -> str:
    """A plot as SVG, from the same template that `dvc plots` fills.

    Raises:
        DataError: the template is absent or cannot be drawn.
    """
    import vl_convert
    from dvc_render.exceptions import DvcRenderError
    from dvc_render.vega import VegaRenderer

    field = y if isinstance(y, str) else y[0]
    points = [{**row, "rev": "workspace"} for row in rows]
    try:
        renderer = VegaRenderer(
            points,
            name,
            template=plot.get("template", "linear"),
            template_dir=str(templates),
            x=plot["x"],
            y=field,
            x_label=plot.get("x_label", plot["x"]),
            y_label=plot.get("y_label", field),
            revs_with_datapoints=["workspace"],
        )
        content = renderer.get_filled_template()
        spec = json.loads(content) if isinstance(content, str) else content
        return str(vl_convert.vegalite_to_svg(without_revision(spec)))
    except (DvcRenderError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(f"plot {name} of dvc.yaml cannot be drawn: {why}; mend the list `plots` there") from None


def without_revision(spec: Any) -> Any:
    """A specification without the titles and legends that tell revisions apart, as there is only one."""
    if isinstance(spec, list):
        return [without_revision(part) for part in spec]
    if not isinstance(spec, dict):
        return spec
    found = {key: without_revision(value) for key, value in spec.items() if key != "title" or spec.get("title")}
    if found.get("field") == "rev":
        return {**found, "legend": None, "header": None, "title": None}
    return found
