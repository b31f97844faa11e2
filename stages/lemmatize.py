"""Gold mentions of train, with features -> models/lemmas: base forms by lookup, rules, and a head."""

from __future__ import annotations

if __name__ == "__main__":
    from . import start

    start("lemmatize")

import shutil

from ner_head.base.params import read_params
from ner_head.base.runtime import RuntimeParams
from ner_head.features.store.mentions import SpanVectors, nearest_layers
from ner_head.features.store.store import FeatureStore
from ner_head.lemmas.params import LemmaParams
from ner_head.lemmas.training import train_lemmatizer

from . import FEATURES, LEMMAS, PARAMS, read_split, warn


def main() -> None:
    """Train the lemmatizer."""
    read_params(PARAMS, "runtime", RuntimeParams).start()
    params = read_params(PARAMS, "lemmatize", LemmaParams)
    documents = read_split("train")
    if not any(span.lemma for document in documents for span in document.spans):
        warn(["the spans of train have no lemmas: the lemma of each form will be the form"])
    store = FeatureStore.open(FEATURES)
    encoder = store.manifest.encoder
    (layer,) = nearest_layers(encoder.stored_layers, [params.layer])
    vectors = SpanVectors(documents, store, [layer])
    found = train_lemmatizer(
        documents, vectors, params.model_copy(update={"layer": layer}), encoder=encoder.fingerprint
    )
    shutil.rmtree(LEMMAS, ignore_errors=True)
    found.save(LEMMAS)
