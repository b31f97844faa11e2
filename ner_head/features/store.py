"""A folder of shards with its manifest, read by sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, ValidationError

from ner_head.corpus.documents import sentence_id
from ner_head.errors import DataError
from ner_head.features.shard import Features, Shard, write_whole
from ner_head.params import Params

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


class EncoderRecord(Params):
    """Which encoder made the features."""

    model: str
    fingerprint: str = Field(pattern=HEX64)
    n_layers: int = Field(ge=1)
    width: int = Field(ge=1)


class StoreManifest(Params):
    """`manifest.json` of a store."""

    version: int = 1
    encoder: EncoderRecord
    shards: list[ShardRecord]


class FeatureStore:
    """Random access to cached features. Each shard's digest is checked once, when it is first touched."""

    def __init__(self, directory: Path, manifest: StoreManifest) -> None:
        self.directory, self.manifest = directory, manifest
        self._rows: dict[str, tuple[int, int]] = {}
        self._shards: dict[int, Shard] = {}
        for number, shard in enumerate(manifest.shards):
            row = 0
            for document in shard.documents:
                for index in range(document.n_sentences):
                    self._rows[sentence_id(document.key, index)] = (number, row)
                    row += 1

    @classmethod
    def open(cls, directory: Path) -> FeatureStore:
        """Read the manifest.

        Raises:
            DataError: it is absent or not a manifest.
        """
        path = directory / "manifest.json"
        try:
            return cls(directory, StoreManifest.model_validate_json(path.read_bytes()))
        except OSError as error:
            raise DataError(f"{path}: {error.strerror}; run `dvc repro extract`") from None
        except ValidationError as error:
            raise DataError(f"{path}: not a feature manifest: {error.errors()[0]['msg']}") from None

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __getitem__(self, name: str) -> Features:
        """The features of a sentence (`sentence_id`).

        Raises:
            KeyError: the store does not have it.
            DataError: its shard is damaged.
        """
        number, row = self._rows[name]
        return self._shard(number)[row]

    def n_pieces(self, name: str) -> int:
        """P of a sentence, without touching its hidden states."""
        number, row = self._rows[name]
        offsets = self._shard(number).offsets
        return int(offsets[row + 1] - offsets[row])

    def _shard(self, number: int) -> Shard:
        if number not in self._shards:
            record, encoder = self.manifest.shards[number], self.manifest.encoder
            shard = Shard(
                self.directory / f"{record.key}.h5",
                sha256=record.sha256,
                key=record.key,
                fingerprint=encoder.fingerprint,
            )
            shape, expected = shard[0].hidden.shape[1:], (encoder.n_layers, encoder.width)
            if shape != expected or len(shard) != sum(d.n_sentences for d in record.documents):
                raise DataError(f"{self.directory}: shard {record.key[:12]} is not what the manifest says")
            self._shards[number] = shard
        return self._shards[number]


def write_manifest(directory: Path, manifest: StoreManifest) -> None:
    """Write `manifest.json`: the last step of an extraction."""
    text = json.dumps(manifest.model_dump(), ensure_ascii=False, indent=1) + "\n"
    write_whole(directory / "manifest.json", text.encode())
