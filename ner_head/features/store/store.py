"""A folder of shards with its manifest, read by sentence."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ner_head.base.errors import DataError, system_error
from ner_head.corpus.documents import sentence_id
from ner_head.features.store.digests import DigestsAhead
from ner_head.features.store.manifest import LAYERS, ShardRecord, StoreManifest, read_manifest, read_weights
from ner_head.features.store.shard import Features, Shard

if TYPE_CHECKING:
    from torch import Tensor

    from ner_head.features.store.batches import ResidentRows


class DocumentPart(NamedTuple):
    """Sentences of a document in one shard: rows [row, row + n_sentences)."""

    shard: int
    row: int
    n_sentences: int
    is_last: bool
    """Whether it is the last document of the shard, which may continue in the next shard."""

    def goes_on_in(self, shard: int) -> bool:
        """Whether the document may continue in this shard."""
        return self.is_last and shard == self.shard + 1


class FeatureStore:
    """Random access to cached features, by sentence.

    The digest of each shard is checked once, before the shard is first read. A background thread computes digests
    ahead, so that the checks overlap with the first epoch. A store may be used after a fork and may be pickled.
    """

    def __init__(self, directory: Path, manifest: StoreManifest) -> None:
        """Index the documents of the manifest.

        Raises:
            DataError: a shard is missing or too small for its sentences, or a document is listed twice.
        """
        self.directory, self.manifest = directory, manifest
        self._view = 0
        self._resident: ResidentRows | None = None
        self._parts: dict[str, list[DocumentPart]] = {}  # by document
        self._shards: dict[int, Shard] = {}
        for number, record in enumerate(manifest.shards):
            row = 0
            for document in record.documents:
                parts = self._parts.setdefault(document.key, [])
                if parts and (row or not parts[-1].goes_on_in(number)):
                    raise DataError(f"{directory / 'manifest.json'}: lists document {document.key} twice")
                row += document.n_sentences
                is_last = document is record.documents[-1]
                parts.append(DocumentPart(number, row - document.n_sentences, document.n_sentences, is_last))
            self._check_size(record, row)
        self._keys = list(self._parts)
        self._ends = list(accumulate(sum(part.n_sentences for part in parts) for parts in self._parts.values()))
        self._digests = DigestsAhead([self.path(record) for record in manifest.shards])

    def __getstate__(self) -> dict[str, object]:
        """All attributes except open shards and the thread, which belong to this process."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_shards", "_digests")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._shards = {}
        self._digests = DigestsAhead([self.path(record) for record in self.manifest.shards])

    @classmethod
    def open(cls, directory: Path | str) -> FeatureStore:
        """Open a store; each shard is opened when it is first read.

        Raises:
            DataError: the manifest is missing or invalid, or a shard is missing.
        """
        folder = Path(directory)
        return cls(folder, read_manifest(folder))

    def path(self, record: ShardRecord) -> Path:
        """The file of a shard."""
        return self.directory / f"{record.key}.h5"

    def _check_size(self, record: ShardRecord, n_sentences: int) -> None:
        """Refuse a manifest with more sentences than the file can hold; a sentence takes at least 8 bytes."""
        path = self.path(record)
        try:
            size = path.stat().st_size
        except OSError as error:
            raise system_error(error, path, mend="run `dvc repro extract`") from None
        if 8 * n_sentences > size:
            raise DataError(f"{path}: {size:,} bytes cannot hold the {n_sentences:,} sentences of the manifest")

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[str]:
        for key, parts in self._parts.items():
            for index in range(sum(part.n_sentences for part in parts)):
                yield sentence_id(key, index)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._find(name) is not None

    def __getitem__(self, name: str | int) -> Features:
        """Features of a sentence in the store's view.

        Args:
            name: `TOPIC/LANGUAGE/ID#N`, the key of its document and its number in it, counted from 0 (`sentence_id`);
                or its number in the store, negative from the end.
        Raises:
            KeyError: the store has no such sentence; names similar ones.
            IndexError: the store has fewer sentences.
            DataError: its shard is damaged.
        """
        name = self.name(name) if isinstance(name, int) else name
        number, row = self._row(name)
        found = self.shard(number).sentence(row, view=self._view)
        return found if self._resident is None else self._resident.attach(name, found)

    def name(self, number: int) -> str:
        """The id of a sentence by its number in the store.

        Raises:
            IndexError: the store has fewer sentences.
        """
        place = number if number >= 0 else number + len(self)
        if not 0 <= place < len(self):
            raise IndexError(f"sentence {number} of a store with {len(self):,}")
        document = bisect_right(self._ends, place)
        return sentence_id(self._keys[document], place - (self._ends[document - 1] if document else 0))

    def n_pieces(self, name: str) -> int:
        """Number of word pieces of a sentence; its hidden states are not read."""
        number, row = self._row(name)
        offsets = self.shard(number).offsets
        return int(offsets[row + 1] - offsets[row])

    def layer_weights(self) -> dict[str, Tensor]:
        """The weights of the encoder's layers, float32, as `NUMBER.PART.weight` and `NUMBER.PART.bias`.

        Raises:
            DataError: the store has none, or the file is damaged.
        """
        record = self.manifest.layers
        if record is None:
            raise DataError(
                f"{self.directory}: has no weights of the encoder's layers, which training.tune_layers needs: "
                "either this ner-head cannot train the layers of this encoder, or the features are of an earlier "
                "version; run `dvc repro extract`"
            )
        return read_weights(self.directory / LAYERS, record.sha256)

    def view(self, number: int) -> FeatureStore:
        """This store with another view: 0 is without dropout, 1 to `encoder.views` are with dropout.

        Raises:
            IndexError: the store has no such view.
        """
        if not 0 <= number <= self.manifest.encoder.views:
            raise IndexError(f"view {number} of a store with views 0 to {self.manifest.encoder.views}")
        other = self._sibling()
        other._view = number
        return other

    def with_resident(self, resident: ResidentRows) -> FeatureStore:
        """This store with the hidden states of some sentences in memory; other sentences are read from their files."""
        other = self._sibling()
        other._resident = resident
        return other

    def _sibling(self) -> FeatureStore:
        """A copy that shares open shards and digests."""
        other = copy.copy(self)
        other._shards, other._digests = self._shards, self._digests
        return other

    def for_epoch(self, epoch: int) -> FeatureStore:
        """This store with the view for an epoch, counted from 1: views 1, 2 ... in turn, or 0 if it has no others."""
        views = self.manifest.encoder.views
        return self.view((epoch - 1) % views + 1) if views else self

    def _find(self, name: str) -> tuple[int, int] | None:
        """Shard and row of a sentence."""
        key, _, index = name.rpartition("#")
        if not index.isdecimal() or name != sentence_id(key, row := int(index)):
            return None
        for part in self._parts.get(key, ()):
            if row < part.n_sentences:
                return part.shard, part.row + row
            row -= part.n_sentences
        return None

    def _row(self, name: str) -> tuple[int, int]:
        found = self._find(name)
        if found is None:
            raise KeyError(f"{name!r}: {self._hint(name)}")
        return found

    def _hint(self, name: str) -> str:
        """What a wrong id may have meant."""
        key = name.rpartition("#")[0] or name
        if key in self._parts:
            last = sum(part.n_sentences for part in self._parts[key]) - 1
            return f"the sentences of this document are {key}#0 to {key}#{last}"
        similar = [each for each in self._parts if name and key in each]
        similar = similar or get_close_matches(key, self._parts, cutoff=0.4)
        shown = ", ".join(sentence_id(each, 0) for each in similar[:3] or list(self._parts)[:3])
        return f"no such sentence; ids are TOPIC/LANGUAGE/ID#N, such as {shown}"

    def shard(self, number: int) -> Shard:
        """A shard, opened, with its digest checked.

        Raises:
            DataError: it is damaged, or differs from the manifest.
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
            stored = encoder.stored_layers
            found = (shard.first_layer, *shard.shape[1:], shard.codec.name, shard.n_views, len(shard))
            if found != (stored[0], len(stored), encoder.width, encoder.dtype, encoder.views, record.n_sentences):
                raise DataError(f"{self.path(record)}: is not what the manifest says; run `dvc repro -f extract`")
            self._shards[number] = shard
        return self._shards[number]
