"""Heads trained on subsets of the documents of one training session, each kept in a folder named after its inputs."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import ner_head
from ner_head.base.files import new_folder
from ner_head.corpus.documents import Document
from ner_head.corpus.records import to_record
from ner_head.features.store.store import FeatureStore
from ner_head.inference.saved_model import SavedModel
from ner_head.inference.tagger import Tagger
from ner_head.training.params import TrainingParams
from ner_head.training.session import Checkpoints, TrainingSession

UNFINISHED = "unfinished"


class SubsetHeads:
    """Trains heads on subsets of documents. A finished head is read from its folder instead of trained again.

    Heads are trained for all epochs, without dev documents, so a head is not influenced by documents that it is later
    compared with. All heads have the labels and languages of the whole session.

    Args:
        session: session with all documents that subsets are taken from.
        store: features of the documents, as they are on disk.
        folder: folder of finished heads and of checkpoints of interrupted runs.
    Attributes:
        trained: number of heads that were trained; others were read from the folder.
    """

    def __init__(self, session: TrainingSession, store: FeatureStore, folder: Path) -> None:
        self.session, self.store, self.folder = session, store, folder
        self.trained = 0
        manifest = store.manifest.model_dump_json()
        self._common = [ner_head.__version__, manifest, session.manifest.head.model_dump_json(), session.device.type]
        self._common += session.manifest.labels + session.manifest.languages

    def place(self, documents: Sequence[Document], params: TrainingParams) -> Path:
        """The folder of the head that is trained on some documents with some params."""
        digest = hashlib.sha256(json.dumps([*self._common, params.model_dump_json()]).encode())
        for document in documents:
            digest.update(json.dumps(to_record(document)).encode())
        return self.folder / digest.hexdigest()[:32]

    def tagger(self, documents: Sequence[Document], params: TrainingParams | None = None) -> Tagger:
        """A tagger with the head that is trained on some documents, without temperatures.

        Args:
            documents: documents of the session.
            params: training params; those of the session if None.
        Raises:
            DataError: the documents have no sentences, or the store lacks features of them.
        """
        params = params or self.session.params
        place = self.place(documents, params)
        if (place / "manifest.json").is_file():
            weights = self.store.layer_weights
            model = SavedModel.load(place, device=self.session.device, layer_weights=lambda _: weights())
        else:
            model = self._train(documents, params, place)
        return self.session.tagger(model.head)

    def _train(self, documents: Sequence[Document], params: TrainingParams, place: Path) -> SavedModel:
        session, unfinished = self.session, self.folder / UNFINISHED / place.name
        session.checkpoints = Checkpoints(unfinished, ())  # the name of the folder says all that decides the run
        fits = [session.fit(documents, [], params=member) for member in params.members()]
        model = session.model(fits, "last", scored=False)
        with new_folder(place) as whole:
            model.save(whole)
        shutil.rmtree(unfinished, ignore_errors=True)
        self.trained += 1
        return model
