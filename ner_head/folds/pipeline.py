"""What the commands over cached features read: params, prepared documents and the feature store of the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ner_head.base.params import read_params
from ner_head.base.runtime import RuntimeParams
from ner_head.corpus.documents import Document
from ner_head.corpus.records import read_documents
from ner_head.features.store.store import FeatureStore
from ner_head.folds.heads import SubsetHeads
from ner_head.head.params import HeadParams
from ner_head.training.params import TrainingParams
from ner_head.training.session import TrainingSession

NOTHING_COMPUTED = "0 word pieces were computed by the encoder: all features are cached"


@dataclass(frozen=True)
class Pipeline:
    """The files of the pipeline.

    Attributes:
        params: file of params.
        prepared: folder of prepared documents.
        features: folder of the feature store.
    """

    params: Path = Path("params.yaml")
    prepared: Path = Path("data/prepared")
    features: Path = Path("data/features")

    def documents(self, splits: Sequence[str]) -> list[Document]:
        """The prepared documents of some splits, in order.

        Raises:
            DataError: a file is absent or damaged.
        """
        return [document for split in splits for document in read_documents(self.prepared / f"{split}.jsonl")]

    def training(self, *, epochs: int = 0, seed: int | None = None) -> TrainingParams:
        """The training params. `epochs` and `seed` replace those of the file; 0 and None keep them."""
        params = read_params(self.params, "training", TrainingParams)
        changes = ({"epochs": epochs} if epochs else {}) | ({} if seed is None else {"seed": seed})
        return params.model_copy(update=changes)

    def heads(
        self, documents: Sequence[Document], folder: Path, training: TrainingParams, notify: Callable[[list[str]], None]
    ) -> SubsetHeads:
        """Heads of subsets of documents, in the shape and on the device of the params.

        Raises:
            DataError: the documents have no entities, or the store is absent or damaged.
        """
        runtime = read_params(self.params, "runtime", RuntimeParams)
        store = FeatureStore.open(self.features)
        session = TrainingSession(
            documents,
            [],
            store,
            head=read_params(self.params, "head", HeadParams),
            params=training,
            device=runtime.start(),
            show=runtime.progress,
            place=runtime.preload,
            notify=notify,
        )
        return SubsetHeads(session, store, folder)
