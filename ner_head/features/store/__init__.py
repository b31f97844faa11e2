"""Features on disk: shards, the store that reads them, and padded batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ner_head.features.store.store import FeatureStore

__all__ = ["FeatureStore"]


def __getattr__(name: str) -> object:
    """Import h5py only when the store is used: params are read without it."""
    if name == "FeatureStore":
        from ner_head.features.store.store import FeatureStore

        return FeatureStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
