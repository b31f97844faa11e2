"""Libraries that are installed with an extra of the package only (`pip install 'ner-head[train]'`)."""

from __future__ import annotations

from importlib.util import find_spec

from ner_head.base.errors import UsageError


def require_extra(extra: str, *modules: str) -> None:
    """Check that the libraries of an extra are installed. Call it before they are imported.

    Args:
        extra: name of the extra in `pyproject.toml`.
        modules: names of the top-level modules that are needed.
    Raises:
        UsageError: one of them is absent; names the extra to install.
    """
    absent = [module for module in modules if find_spec(module) is None]
    if absent:
        verb, what = ("is", "it") if len(absent) == 1 else ("are", "them")
        raise UsageError(
            f"{', '.join(absent)} {verb} not installed; install {what} with: pip install 'ner-head[{extra}]'"
        )
