"""A trained linker: gives mentions the ids of their entities, and is saved to a folder.

Files: `links.json` (the settings, and the ids of the names of train) and `links.safetensors` (network and vectors).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from ner_head.base.errors import DataError, system_error
from ner_head.base.files import digest_of, read_checked, write_whole
from ner_head.base.params import Params, first_problem
from ner_head.corpus.documents import Document
from ner_head.features.store.mentions import WordVectors
from ner_head.linking.clusters import ABSENT, Cluster, cluster
from ner_head.linking.keys import latin
from ner_head.linking.names import Name, directions, name_key, names_of
from ner_head.linking.neighbours import Pairs
from ner_head.linking.network import PairNetwork
from ner_head.linking.pairs import candidates, features
from ner_head.linking.params import LinkParams
from ner_head.linking.spelling import Spelling

VERSION = 1
MANIFEST, WEIGHTS = "links.json", "links.safetensors"
FILES = (MANIFEST, WEIGHTS)
MEANS = "language_means."  # in the names of the tensors
MEND = "train it with `dvc repro link`"
BATCH = 20_000  # pairs whose features are in memory at once


class LinkManifest(Params):
    """`links.json`."""

    version: int = VERSION
    params: LinkParams
    encoder: str = ""
    """Fingerprint of the encoder."""
    known: list[tuple[str, str, str]]
    """Label, spelled name and id of each name of train."""
    sha256: str = ""
    """Digest of the other file; "" if it was saved before there were digests."""


@dataclass(frozen=True)
class Linked:
    """Documents with ids, and the clusters of names that the ids stand for.

    Attributes:
        documents: The documents; each span has an id.
        certainties: The certainty of each id, by topic and id (see `Cluster`).
    """

    documents: list[Document]
    certainties: dict[tuple[str, str], float]


@dataclass(frozen=True)
class Linker:
    """Finds the mentions of one entity, in all languages of a topic.

    Names (lemmas of one language and label) are compared in pairs, and clustered. A cluster with a name that train has
    gets the id of train; others get an id made of the label and the longest name.

    Attributes:
        params: How it was trained.
        known: Ids of train, by label and spelled name.
        means: Mean direction of the names of each language, (layers, D).
        network: Compares two names. Without one, names of equal spelling are one entity.
        encoder: Fingerprint of the encoder of the vectors; "" if it was not given.
    """

    params: LinkParams
    known: Mapping[tuple[str, str], str]
    means: Mapping[str, NDArray[np.float32]]
    network: PairNetwork | None
    encoder: str = ""

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers of the encoder whose vectors are read."""
        return tuple(self.params.layers)

    def link(self, documents: Sequence[Document], vectors: Sequence[Sequence[WordVectors]]) -> Linked:
        """Give each span the id of its entity. Documents of different topics are not linked, except to train.

        Args:
            documents: Documents with lemmas.
            vectors: Vectors of the words of each span, of `layers`.
        """
        topics: dict[str, list[int]] = defaultdict(list)
        for number, document in enumerate(documents):
            topics[document.topic].append(number)
        found, certainties = list(documents), dict[tuple[str, str], float]()
        for topic, chosen in topics.items():
            names = names_of(documents, vectors, chosen)
            ids, sure = self._ids(list(names.values())) if names else ([], {})
            by_key = dict(zip(names, ids, strict=True))
            certainties |= {(topic, name): certainty for name, certainty in sure.items()}
            for number in chosen:
                document = documents[number]
                spans = (
                    replace(s, entity=by_key[name_key(document, s.label, s.lemma or document.text[s.start : s.end])])
                    for s in document.spans
                )
                found[number] = replace(document, spans=tuple(spans))
        return Linked(found, certainties)

    def clusters(self, names: Sequence[Name]) -> list[Cluster]:
        """Cluster the names of a topic."""
        rows = directions(names, self.means)
        spelling = Spelling(word for name in names for word in name.key)
        params = self.params
        pairs = candidates(names, rows, spelling, neighbours=params.neighbours, seed=params.seed)
        probabilities = self._probabilities(pairs, names, rows, spelling)
        likely = probabilities > ABSENT
        known = {
            number: (name.label, self.known[name.label, name.spelled])
            for number, name in enumerate(names)
            if (name.label, name.spelled) in self.known
        }
        return cluster(
            len(names),
            pairs[likely].tolist(),
            probabilities[likely].tolist(),
            threshold=params.threshold,
            known=known,
        )

    @torch.inference_mode()
    def _probabilities(
        self, pairs: Pairs, names: Sequence[Name], rows: NDArray[np.float32], spelling: Spelling
    ) -> NDArray[np.float32]:
        """The probability that both names are one entity, of each pair, (pairs,)."""
        found = np.zeros(len(pairs), dtype=np.float32)
        for start in range(0, len(pairs), BATCH):
            part = pairs[start : start + BATCH]
            if self.network is None:
                found[start : start + BATCH] = [names[i].spelled == names[j].spelled for i, j in part.tolist()]
            else:
                inputs = torch.from_numpy(features(part, names, rows, spelling))
                found[start : start + BATCH] = torch.sigmoid(self.network(inputs)).numpy()
        return found

    def _ids(self, names: Sequence[Name]) -> tuple[list[str], dict[str, float]]:
        """The id of each name, and the certainty of each id."""
        ids, sure = [""] * len(names), dict[str, float]()
        for found in self.clusters(names):
            name = found.known or _made_id([names[number] for number in found.members])
            sure[name] = min(found.certainty, sure.get(name, 1.0))
            for number in found.members:
                ids[number] = name
        return ids, sure

    def save(self, folder: Path) -> None:
        """Write the files."""
        known = [(*place, name) for place, name in sorted(self.known.items())]
        tensors = {MEANS + language: torch.from_numpy(mean.copy()) for language, mean in self.means.items()}
        tensors |= self.network.state_dict() if self.network is not None else {}
        write_whole(folder / WEIGHTS, save(tensors))
        digest = digest_of(folder / WEIGHTS)
        manifest = LinkManifest(params=self.params, encoder=self.encoder, known=known, sha256=digest)
        write_whole(folder / MANIFEST, (manifest.model_dump_json() + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> Linker:
        """Read the files.

        Raises:
            DataError: A file is absent or damaged, or of another version.
        """
        path = folder / MANIFEST
        try:
            manifest = LinkManifest.model_validate_json(path.read_bytes())
            if manifest.version != VERSION:
                raise DataError(f"{path}: version {manifest.version}; this ner-head reads {VERSION}; {MEND}")
            tensors = load(read_checked(folder / WEIGHTS, manifest.sha256, mend=MEND))
            bias = tensors.get("hidden.bias")
            if bias is not None and bias.shape != (manifest.params.hidden,):
                raise RuntimeError(f"{bias.numel()} hidden units, but {MANIFEST} says {manifest.params.hidden}")
            means = {name.removeprefix(MEANS): tensors.pop(name).numpy() for name in list(tensors) if MEANS in name}
            n_layers = len(manifest.params.layers)
            if any(mean.shape != next(iter(means.values())).shape or len(mean) != n_layers for mean in means.values()):
                raise RuntimeError(f"means of other layers than the {n_layers} of {MANIFEST}")
            network = None
            if tensors:
                network = PairNetwork(len(tensors["mean"]), manifest.params.hidden).eval()
                network.load_state_dict(tensors)
        except OSError as error:
            raise system_error(error, mend=MEND) from None
        except ValidationError as error:
            raise DataError(f"{path}: {first_problem(error)}; {MEND}") from None
        except (SafetensorError, RuntimeError, KeyError, TypeError) as error:
            raise DataError(f"{folder / WEIGHTS}: damaged: {' '.join(str(error).split())[:100]}; {MEND}") from None
        known = {(label, spelled): name for label, spelled, name in manifest.known}
        return cls(manifest.params, known, means, network, manifest.encoder)


def known_ids(names: Sequence[Name]) -> dict[tuple[str, str], str]:
    """The most frequent id by label and spelled name; of equally frequent ones, the first in the alphabet."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for name in names:
        counts[name.label, name.spelled].update(name.entities)
    return {place: min(found, key=lambda each: (-found[each], each)) for place, found in counts.items() if found}


def _made_id(names: Sequence[Name]) -> str:
    """An id from the label and the longest name; of equally long ones, the first in the alphabet."""
    words = min((latin(name.lemma).split() for name in names), key=lambda found: (-len(found), found))
    return "-".join((names[0].label, *words))
