"""Lemmas and entities for predicted mentions of a model that has the folders `lemmas` and `links`, or one of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ner_head.base.errors import DataError
from ner_head.corpus.documents import Document, Span
from ner_head.features.store.mentions import WordVectors, word_vectors
from ner_head.features.store.shard import Features
from ner_head.lemmas.lemmatizer import FILES as LEMMA_FILES
from ner_head.lemmas.lemmatizer import MANIFEST as LEMMAS
from ner_head.lemmas.lemmatizer import Lemmatizer
from ner_head.linking.linker import FILES as LINK_FILES
from ner_head.linking.linker import MANIFEST as LINKS
from ner_head.linking.linker import Linker


@dataclass(frozen=True)
class Namer:
    """Gives spans their lemma and entity, document by document.

    Attributes:
        lemmatizer: Finds base forms; None if the model has none.
        linker: Finds ids of entities; None if the model has none.
    """

    lemmatizer: Lemmatizer | None
    linker: Linker | None

    @classmethod
    def of_model(cls, directory: Path, fingerprint: str) -> Namer | None:
        """Load what a model has: the folders `lemmas` and `links` in it, or beside it as stages write them.

        Args:
            directory: Folder of the model.
            fingerprint: Of its encoder.
        Returns:
            The namer; None if there is no such folder.
        Raises:
            DataError: A file is damaged, or was trained with another encoder.
        """
        folders = folders_of(directory)
        lemmas, links = folders.get("lemmas"), folders.get("links")
        lemmatizer = Lemmatizer.load(lemmas) if lemmas else None
        linker = Linker.load(links) if links else None
        for folder, part in ((lemmas, lemmatizer), (links, linker)):
            if part is not None and part.encoder not in ("", fingerprint):
                raise DataError(f"{folder}: trained with another encoder than {directory}; run `dvc repro submit`")
        return cls(lemmatizer, linker) if lemmatizer or linker else None

    @property
    def layers(self) -> list[int]:
        """Layers of the encoder whose vectors are read."""
        return sorted({layer for part in (self.lemmatizer, self.linker) if part is not None for layer in part.layers})

    def vectors(self, features: Features, spans: Sequence[Span]) -> list[WordVectors]:
        """The vectors of the words of spans (in words) of a sentence."""
        return [word_vectors(features, range(span.start, span.end), self.layers) for span in spans]

    def named(self, document: Document, vectors: Sequence[WordVectors]) -> Document:
        """A document with the lemma and the entity of each span. Nothing but the document itself decides them.

        A Python warning names a language that the lemmatizer was not trained on.

        Args:
            document: Document with sentences.
            vectors: Of each span, of `layers`.
        """
        known = self.lemmatizer.languages if self.lemmatizer is not None else set()
        if document.spans and known and document.language not in known:
            warnings.warn(
                f"the lemmatizer was trained on {', '.join(sorted(known))}, not on {document.language}: lemmas there "
                "are the forms",
                stacklevel=2,
            )
        found = [document]
        for part in (self.lemmatizer, self.linker):
            if part is not None:
                places = [self.layers.index(layer) for layer in part.layers]
                rows = [[each[:, places] for each in vectors]]
                if isinstance(part, Lemmatizer):
                    found = part.lemmatize(found, rows)
                else:
                    found = part.link(found, rows).documents
        return found[0]


PART_FILES = {"lemmas": LEMMA_FILES, "links": LINK_FILES}
"""The files of the folders `lemmas` and `links` of a model."""


def folders_of(directory: Path) -> dict[str, Path]:
    """The folders `lemmas` and `links` of a model that exist, in it or beside it."""
    places = [(name, place / name, file) for name, file in (("lemmas", LEMMAS), ("links", LINKS))
              for place in (directory.parent, directory)]  # fmt: skip
    return {name: place for name, place, file in places if (place / file).is_file()}
