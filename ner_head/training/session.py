"""A training session: heads trained on one corpus and one feature store, and the temperatures of a head."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ner_head.base.errors import DataError
from ner_head.base.files import digest_of
from ner_head.base.runtime import Preload, Show
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, sentence_id
from ner_head.corpus.results import Temperatures
from ner_head.corpus.segment import SEGMENTATION
from ner_head.evaluation.measures.slices import forms
from ner_head.features.store.preload import Selection, preload
from ner_head.features.store.shard import check_layers
from ner_head.features.store.store import FeatureStore
from ner_head.head.committee import AnyHead, Committee
from ner_head.head.model import Head, layers_to_read
from ner_head.head.params import HeadParams
from ner_head.inference.saved_model import ModelManifest, SavedModel, TrainingRecord, TunedLayers, load_layers, new_head
from ner_head.inference.tagger import Tagger
from ner_head.training.examples import examples
from ner_head.training.held_out import hold_out
from ner_head.training.params import TrainingParams
from ner_head.training.progress import show_training
from ner_head.training.result import TrainingResult, n_parameters
from ner_head.training.state import Checkpoint, Epoch, run_key
from ner_head.training.temperatures import fit_temperatures
from ner_head.training.trainer import Trained, Trainer, strict_f1

Epochs = Literal["best", "last"]
NOTHING_FOUND = "dev F1 is 0 in every epoch: the head finds nothing right on dev; check its labels, or train for longer"


@dataclass(frozen=True)
class Checkpoints:
    """A folder of checkpoints, and the files that decide the result of a run.

    Attributes:
        folder: Folder of checkpoints.
        inputs: Data files. A run is resumed only if their contents are unchanged.
    """

    folder: Path
    inputs: tuple[Path, ...]


@dataclass(frozen=True)
class Fit:
    """A trained head.

    Attributes:
        seed: Seed of the run.
        head: Head with the weights of the best epoch.
        trained: Learning curve and weights.
        checkpoint: Checkpoint of the run, to be removed when its result has been saved; None without checkpoints.
    """

    seed: int
    head: Head
    trained: Trained
    checkpoint: Checkpoint | None

    def epoch(self, which: Epochs) -> Epoch:
        """The best or the last epoch."""
        return self.trained.best if which == "best" else self.trained.curve[-1]

    def weights(self, which: Epochs) -> dict[str, torch.Tensor]:
        """The weights after the best or the last epoch."""
        return self.trained.best_weights if which == "best" else self.trained.last_weights


class TrainingSession:
    """Trains heads on a train split and selects their epochs on a dev split.

    All heads of a session have the labels and languages of the whole train split, also if they are trained on a part of
    it.

    Args:
        train: Annotated documents.
        dev: Documents on which the epoch is selected. Without any, the last epoch is the best one.
        store: Features of both.
        head: Shape of the heads.
        params: Training params. `epochs` is lowered to `most_steps` (`TrainingParams.epochs_for`).
        device: Device to train on.
        show: How progress is shown.
        place: Where the features are kept in memory.
        checkpoints: Where interrupted runs are resumed from; None keeps no checkpoints.
        notify: Function that receives messages about unexpected properties of the data or the result.
    Raises:
        DataError: The train split has no entities, or the store lacks layers that the heads read or tune.
        UsageError: The encoder does not have the layers of the params.
    """

    def __init__(
        self,
        train: Sequence[Document],
        dev: Sequence[Document],
        store: FeatureStore,
        *,
        head: HeadParams,
        params: TrainingParams,
        device: torch.device,
        show: Show = "none",
        place: Preload = "none",
        checkpoints: Checkpoints | None = None,
        notify: Callable[[list[str]], None] = lambda lines: None,
    ) -> None:
        self.train, self.dev, self.device, self.show = train, dev, device, show
        self.checkpoints, self.notify = checkpoints, notify
        n_sentences = sum(len(document.sentences) for document in train)
        self.params = params.model_copy(update={"epochs": params.epochs_for(n_sentences)})
        labels = sorted({span.label for document in train for span in document.spans})
        if not labels:
            raise DataError("the train split has no entities to learn from")
        encoder = store.manifest.encoder
        reads = layers_to_read(head, encoder.n_layers, params.tune_layers)
        check_layers(encoder.stored_layers, reads)
        self.layer_weights = store.layer_weights() if params.tune_layers else {}
        self.manifest = ModelManifest(
            scheme=head.tags,
            labels=labels,
            languages=sorted({document.language for document in train if document.language != UNKNOWN_LANGUAGE}),
            segmentation=SEGMENTATION,
            encoder=encoder,
            head=head,
            training=TrainingRecord(seed=params.seed, epoch=0),
            tuned=tuned_layers(store, params),
        )
        names = [sentence_id(d.key, i) for d in (*train, *dev) for i in range(len(d.sentences))]
        wanted = Selection(head.read_pieces, reads, separator=params.tune_layers > 0)
        self.store = preload(store, names, wanted, place=place, device=device)

    def run(self) -> TrainingResult:
        """Train a head, or a committee of heads, on the whole train split and fit the temperatures."""
        fits = self.fit_members(self.train, self.dev)
        best, last = self.model(fits, "best"), self.model(fits, "last")
        if self.dev and best.manifest.training.dev_f1 == 0:
            self.notify([NOTHING_FOUND])
        temperatures, seconds = self.calibrate([fit.trained.best.epoch for fit in fits])
        return TrainingResult(
            best=best.at(temperatures),
            last=last.at(temperatures),
            curves=[fit.trained.curve for fit in fits],
            checkpoints=[fit.checkpoint for fit in (*fits, *seconds) if fit.checkpoint is not None],
        )

    def fit_members(self, train: Sequence[Document], dev: Sequence[Document], *, last: Sequence[int] = ()) -> list[Fit]:
        """Train each head of the committee in turn; a single head if `training.committee` is 1.

        Args:
            train: Documents to train on.
            dev: Documents on which the epochs are selected.
            last: Last epoch of each head; empty = all epochs.
        """
        members = self.params.members()
        fits = []
        for number, (params, end) in enumerate(zip(members, last or [0] * len(members), strict=True), 1):
            if len(members) > 1:
                self._tell(f"head {number} of {len(members)}")
            fits.append(self.fit(train, dev, last=end, params=params))
        return fits

    def fit(
        self, train: Sequence[Document], dev: Sequence[Document], *, last: int = 0, params: TrainingParams | None = None
    ) -> Fit:
        """Train a head, or resume its training from a checkpoint.

        Args:
            train: Documents to train on.
            dev: Documents on which the epoch is selected.
            last: Last epoch, although the learning rate is scheduled for all epochs; 0 = all epochs.
            params: Params of this head; those of the session if None.
        """
        params = params or self.params
        head, manifest = self.new_head(params.seed), self.manifest
        self._tell(f"{n_parameters(head):,} parameters, {len(train)} train and {len(dev)} dev documents")
        trainer = Trainer(head, manifest.tag_set, manifest.languages, params=params, device=self.device)
        checkpoint = None
        if self.checkpoints is not None:
            key = self._key(trainer, self.checkpoints.inputs, train, last)
            checkpoint = Checkpoint(self.checkpoints.folder, key)
        sentences = examples(train, manifest.tag_set, manifest.languages)
        with closing(show_training(self.show, last or params.epochs, scored=bool(dev))) as callback:
            trained = trainer.fit(sentences, dev, self.store, callback=callback, checkpoint=checkpoint, last=last)
        head.load_state_dict(trained.best_weights)
        return Fit(params.seed, head, trained, checkpoint)

    def calibrate(self, n_epochs: Sequence[int]) -> tuple[Temperatures, list[Fit]]:
        """Fit the temperatures on held-out documents, with second heads that are trained without them.

        The heads of the model are trained on all documents, and are overconfident on documents that they were trained
        on.

        Args:
            n_epochs: Number of epochs to train each second head for.
        Returns:
            The temperatures and the second heads; 1 and none if nothing can be held out.
        """
        kept, held = hold_out(self.train, self.params.held_out, seed=self.params.seed)
        if not held:
            if self.params.held_out:
                self.notify(["temperatures: 1.0, because train has too few documents to hold any out"])
            return Temperatures(), []
        what = "a second head" if len(n_epochs) == 1 else f"{len(n_epochs)} second heads"
        self._tell(f"temperatures: training {what} without {len(held)} held-out train documents")
        fits = self.fit_members(kept, [], last=n_epochs)
        found = fit_temperatures(
            self.tagger(self.model(fits, "best", scored=False).head),
            held,
            self.store,
            self.manifest.languages,
            seen=forms(kept),
            new_forms=self.params.new_forms,
            notify=self.notify,
        )
        self._tell(f"temperatures: {found.spans:.3f} of spans, {found.languages:.3f} of languages")
        return found, fits

    def model(self, fits: Sequence[Fit], which: Epochs, *, scored: bool = True) -> SavedModel:
        """The model of the best or the last epoch of each head, without temperatures.

        Args:
            fits: One head, or the heads of a committee.
            which: The epoch.
            scored: Whether a committee is scored on dev. A single head has the score of its epoch.
        """
        heads, records = [], []
        for fit in fits:
            head, epoch = self.new_head(fit.seed).to(self.device), fit.epoch(which)
            head.load_state_dict(fit.weights(which))
            heads.append(head)
            score = epoch.dev_f1 if self.dev else None
            records.append(TrainingRecord(seed=fit.seed, epoch=epoch.epoch, dev_f1=score))
        if len(heads) == 1:
            return SavedModel(self.manifest.model_copy(update={"training": records[0]}), heads[0])
        tagger = self.tagger(Committee(heads))
        f1 = strict_f1(tagger, self.dev, self.store, self.manifest.languages) if self.dev and scored else None
        record = TrainingRecord(seed=self.params.seed, epoch=max(each.epoch for each in records), dev_f1=f1)
        return SavedModel(self.manifest.model_copy(update={"training": record, "members": records}), tagger.head)

    def new_head(self, seed: int | None = None) -> Head:
        """A head with fresh weights, which depend on the seed only, and the encoder's weights in layers to be tuned.

        Args:
            seed: The seed; that of the session if None.
        """
        with torch.random.fork_rng():
            torch.manual_seed(self.params.seed if seed is None else seed)
            head = new_head(self.manifest)
        load_layers(head, self.manifest, self.layer_weights)
        return head

    def tagger(self, head: AnyHead, temperatures: Temperatures | None = None) -> Tagger:
        """A tagger with a head of this session."""
        return Tagger(head, self.manifest.tag_set, self.device, temperatures)

    def _key(self, trainer: Trainer, inputs: Sequence[Path], train: Sequence[Document], last: int) -> str:
        """The key of a run: a digest of everything that decides its result."""
        documents = " ".join(document.key for document in train)
        return run_key(
            {str(path): digest_of(path) for path in inputs}
            | {"head": self.manifest.head.model_dump_json(), "training": trainer.params.model_dump_json()}
            | {"documents": f"{last} {documents}", "device": trainer.device.type}
            | {"precision": str(trainer.dtype), "torch": torch.__version__}
        )

    def _tell(self, line: str) -> None:
        """Print a line on standard error if progress is shown."""
        if self.show != "none":
            print(line, file=sys.stderr)


def tuned_layers(store: FeatureStore, params: TrainingParams) -> TunedLayers | None:
    """The layers of the encoder that are trained, for the manifest of a model; None without any."""
    record = store.manifest.layers
    if not params.tune_layers or record is None:
        return None
    return TunedLayers(layers=params.tune_layers, rank=params.tune_rank, shape=record.shape)
