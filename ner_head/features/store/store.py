"""A folder of shards with its manifest, read by sentence."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from ner_head.base.errors import DataError, system_error
from ner_head.base.files import write_whole
from ner_head.base.params import Params
from ner_head.corpus.documents import sentence_id
from ner_head.features.store.digests import DigestsAhead
from ner_head.features.store.shard import Features, Shard
from ner_head.features.store.spec import EncoderSpec

MANIFEST = "manifest.json"
HEX64 = r"^[0-9a-f]{64}$"


class DocumentRows(Params):
    """A document in a shard: its sentences are the next rows."""

    key: str
    n_sentences: int = Field(ge=0)


class ShardRecord(Params):
    """A shard, as the manifest lists it."""

    key: str = Field(pattern=HEX64)
    sha256: str = Field(pattern=HEX64)
    documents: list[DocumentRows]

    @property
    def n_sentences(self) -> int:
        """Rows of the shard."""
        return sum(document.n_sentences for document in self.documents)


class EncoderIdentity(Params):
    """Which encoder made the features."""

    model: str
    """A folder, relative to the project, or a name on the hub."""
    local: bool = False
    """Whether it is a folder."""
    fingerprint: str = Field(pattern=HEX64)
    n_layers: int = Field(ge=1)
    width: int = Field(ge=1)


class EncoderRecord(EncoderSpec, EncoderIdentity):  # fields of the last base come first: the order of the file
    """Which encoder made the features, and how."""


class StoreManifest(Params):
    """`manifest.json` of a store."""

    version: Literal[1] = 1
    encoder: EncoderRecord
    shards: list[ShardRecord]


class Place(NamedTuple):
    """Where sentences of a document are: rows [row, row + n_sentences) of a shard."""

    shard: int
    row: int
    n_sentences: int
    is_last: bool
    """In the shard; a long document may then go on as the first of the next one."""

    def goes_on_in(self, shard: int) -> bool:
        """Whether the document's next sentences may be in this shard."""
        return self.is_last and shard == self.shard + 1


class FeatureStore:
    """Random access to cached features.

    Each shard's digest is checked once, before the shard is first read; a background thread runs ahead, so that
    the checks overlap with the first epoch. A forked process reads on; pickled, a store is opened anew elsewhere.
    """

    def __init__(self, directory: Path, manifest: StoreManifest) -> None:
        """Index the manifest's documents.

        Raises:
            DataError: a shard is absent, too small for its sentences, or a document is listed twice.
        """
        self.directory, self.manifest = directory, manifest
        self._view = 0
        self._places: dict[str, list[Place]] = {}  # by document
        self._shards: dict[int, Shard] = {}
        for number, record in enumerate(manifest.shards):
            row = 0
            for document in record.documents:
                places = self._places.setdefault(document.key, [])
                if places and (row or not places[-1].goes_on_in(number)):
                    raise DataError(f"{directory / 'manifest.json'}: lists document {document.key} twice")
                row += document.n_sentences
                is_last = document is record.documents[-1]
                places.append(Place(number, row - document.n_sentences, document.n_sentences, is_last))
            self._check_size(record, row)
        self._digests = DigestsAhead([self.path(record) for record in manifest.shards])

    def __getstate__(self) -> dict[str, object]:
        """Everything but open shards and the thread, which belong to this process."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_shards", "_digests")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._shards = {}
        self._digests = DigestsAhead([self.path(record) for record in self.manifest.shards])

    @classmethod
    def open(cls, directory: Path) -> FeatureStore:
        """Read the manifest; shards are opened when they are first touched.

        Raises:
            DataError: the manifest is absent or not one, or a shard is absent.
        """
        return cls(directory, read_manifest(directory))

    def path(self, record: ShardRecord) -> Path:
        """A shard's file."""
        return self.directory / f"{record.key}.h5"

    def _check_size(self, record: ShardRecord, n_sentences: int) -> None:
        """A row takes 8 bytes at least: a manifest cannot promise more sentences than its files can hold."""
        path = self.path(record)
        try:
            size = path.stat().st_size
        except OSError as error:
            raise system_error(error, path, mend="run `dvc repro extract`") from None
        if 8 * n_sentences > size:
            raise DataError(f"{path}: {size:,} bytes cannot hold the {n_sentences:,} sentences of the manifest")

    def __len__(self) -> int:
        return sum(place.n_sentences for places in self._places.values() for place in places)

    def __iter__(self) -> Iterator[str]:
        for key, places in self._places.items():
            for index in range(sum(place.n_sentences for place in places)):
                yield sentence_id(key, index)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._place(name) is not None

    def __getitem__(self, name: str) -> Features:
        """The features of a sentence (`sentence_id`), in this store's view.

        Raises:
            KeyError: the store does not have it.
            DataError: its shard is damaged.
        """
        number, row = self._row(name)
        return self.shard(number).sentence(row, view=self._view)

    def n_pieces(self, name: str) -> int:
        """P of a sentence, without touching its hidden states."""
        number, row = self._row(name)
        offsets = self.shard(number).offsets
        return int(offsets[row + 1] - offsets[row])

    def view(self, number: int) -> FeatureStore:
        """The same store, reading view `number`: 0 is without dropout, 1 to `encoder.views` with it.

        Raises:
            IndexError: the store has no such view.
        """
        if not 0 <= number <= self.manifest.encoder.views:
            raise IndexError(f"view {number} of a store with views 0 to {self.manifest.encoder.views}")
        other = self.sibling()
        other._view = number
        return other

    def sibling(self) -> FeatureStore:
        """A copy in this process: open shards and digests are shared."""
        other = copy.copy(self)
        other._shards, other._digests = self._shards, self._digests
        return other

    def for_epoch(self, epoch: int) -> FeatureStore:
        """The view that an epoch (counted from 1) of training draws: each in its turn; 0 where there are none."""
        views = self.manifest.encoder.views
        return self.view((epoch - 1) % views + 1) if views else self

    def _place(self, name: str) -> tuple[int, int] | None:
        key, _, index = name.rpartition("#")
        if not index.isdecimal() or name != sentence_id(key, row := int(index)):
            return None
        for place in self._places.get(key, ()):
            if row < place.n_sentences:
                return place.shard, place.row + row
            row -= place.n_sentences
        return None

    def _row(self, name: str) -> tuple[int, int]:
        place = self._place(name)
        if place is None:
            raise KeyError(name)
        return place

    def shard(self, number: int) -> Shard:
        """An opened shard, its digest checked.

        Raises:
            DataError: it is damaged, or not what the manifest says.
        """
        if number not in self._shards:
            record, encoder = self.manifest.shards[number], self.manifest.encoder
            shard = Shard(
                self.path(record),
                sha256=record.sha256,
                key=record.key,
                fingerprint=encoder.fingerprint,
                found=self._digests.of(number),
            )
            found = (*shard.shape[1:], shard.code, shard.n_views, len(shard))
            if found != (encoder.n_layers, encoder.width, encoder.dtype, encoder.views, record.n_sentences):
                raise DataError(f"{self.path(record)}: is not what the manifest says; run `dvc repro -f extract`")
            self._shards[number] = shard
        return self._shards[number]


def read_manifest(directory: Path) -> StoreManifest:
    """A store's `manifest.json`.

    Raises:
        DataError: it is absent or not one.
    """
    path = directory / MANIFEST
    try:
        return StoreManifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise system_error(error, path, mend="run `dvc repro extract`") from None
    except ValidationError as error:
        raise DataError(f"{path}: not a feature manifest: {error.errors()[0]['msg']}") from None


def write_manifest(directory: Path, manifest: StoreManifest) -> None:
    """Write `manifest.json`: the last step of an extraction."""
    text = json.dumps(manifest.model_dump(), ensure_ascii=False, indent=1) + "\n"
    write_whole(directory / MANIFEST, text.encode())
