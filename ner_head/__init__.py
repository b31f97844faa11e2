"""Named entity recognition with a frozen BERT, whose hidden layers are computed once and cached."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ner_head.corpus.documents import Document, Span
    from ner_head.features.store import FeatureStore
    from ner_head.recognizer import Recognizer

    __version__: str

__all__ = ["Document", "FeatureStore", "Recognizer", "Span", "__version__"]

HOMES = {
    "Document": "ner_head.corpus.documents",
    "FeatureStore": "ner_head.features.store.store",
    "Recognizer": "ner_head.recognizer",
    "Span": "ner_head.corpus.documents",
}
"""The module of each public name."""


def __getattr__(name: str) -> object:
    """Import a public name on first use: the recognizer needs torch, the feature store h5py.

    The version is that of the installed package. No stage depends on it, so that a release re-runs nothing.
    """
    if name in HOMES:
        from importlib import import_module

        return getattr(import_module(HOMES[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("ner-head")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
