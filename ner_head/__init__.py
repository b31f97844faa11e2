"""Named entity recognition with a frozen BERT whose hidden layers are computed once and cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ner_head.recognizer import Recognizer

__version__ = "0.1.0"
__all__ = ["Recognizer", "__version__"]


def __getattr__(name: str) -> object:
    """Import torch only when somebody asks for the recogniser."""
    if name == "Recognizer":
        from ner_head.recognizer import Recognizer

        return Recognizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
