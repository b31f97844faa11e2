"""Gold mentions of train, with features -> models/links: which names are one entity."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("link")

import shutil

from ner_head.base.params import read_params
from ner_head.base.runtime import RuntimeParams
from ner_head.features.store.mentions import SpanVectors, nearest_layers
from ner_head.features.store.store import FeatureStore
from ner_head.linking.params import LinkParams
from ner_head.linking.training import train_linker

from . import FEATURES, LINKS, PARAMS, read_split, warn


def main() -> None:
    """Train the linker."""
    read_params(PARAMS, "runtime", RuntimeParams).start()
    params = read_params(PARAMS, "link", LinkParams)
    documents = read_split("train")
    store = FeatureStore.open(FEATURES)
    encoder = store.manifest.encoder
    layers = nearest_layers(encoder.stored_layers, params.layers)
    linker = train_linker(
        documents,
        SpanVectors(documents, store, layers),
        params.model_copy(update={"layers": layers}),
        encoder=encoder.fingerprint,
    )
    if linker.network is None:
        warn(["the spans of train have no entity ids to learn from: only names of equal spelling will be linked"])
    shutil.rmtree(LINKS, ignore_errors=True)
    linker.save(LINKS)
