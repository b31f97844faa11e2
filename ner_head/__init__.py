"""Named entity recognition with a frozen BERT, whose hidden layers are computed once and cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ner_head.recognizer import Recognizer

    __version__: str

__all__ = ["Recognizer", "__version__"]


def __getattr__(name: str) -> object:
    """Import the recognizer, and with it torch, on first use.

    The version is that of the installed package. No stage depends on it, so that a release re-runs nothing.
    """
    if name == "Recognizer":
        from ner_head.recognizer import Recognizer

        return Recognizer
    if name == "__version__":
        from importlib.metadata import version

        return version("ner-head")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
