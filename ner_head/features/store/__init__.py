"""Features on disk: shards, the store that reads them, batches of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ner_head.features.store.store import FeatureStore

__all__ = ["FeatureStore"]


def __getattr__(name: str) -> object:
    """Import h5py and torch only when somebody asks for the store: params are read without them."""
    if name == "FeatureStore":
        from ner_head.features.store.store import FeatureStore

        return FeatureStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
