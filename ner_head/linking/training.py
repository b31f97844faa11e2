"""Train the linker on gold mentions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ner_head.corpus.documents import Document
from ner_head.features.store.mentions import WordVectors
from ner_head.linking.linker import Linker, known_ids
from ner_head.linking.names import Name, directions, language_means, names_of
from ner_head.linking.network import PairNetwork
from ner_head.linking.pairs import candidates, features
from ner_head.linking.params import LinkParams
from ner_head.linking.spelling import Spelling

DECAY = 1e-2  # weight decay
MANY = 20  # documents; a name of more weighs as much as this


def train_linker(
    documents: Sequence[Document],
    vectors: Sequence[Sequence[WordVectors]],
    params: LinkParams,
    *,
    encoder: str = "",
) -> Linker:
    """Learn from the ids and lemmas of gold spans.

    Args:
        documents: Documents with gold spans.
        vectors: Vectors of the words of each span, of layers `params.layers`.
        params: How to train.
        encoder: Fingerprint of the encoder of the vectors.
    Returns:
        The linker. If no two names of a topic have an id, it has no network.
    """
    topics: dict[str, list[int]] = defaultdict(list)
    for number, document in enumerate(documents):
        topics[document.topic].append(number)
    of_topics = [list(names_of(documents, vectors, chosen).values()) for chosen in topics.values()]
    everything = [name for names in of_topics for name in names]
    means = language_means(everything) if everything else {}
    parts = [_examples(names, directions(names, means), params) for names in of_topics if names]
    full = [part for part in parts if len(part[0])]
    if not full:
        return Linker(params, known_ids(everything), means, None, encoder)
    rows, same, weights = (np.concatenate(column) for column in zip(*full, strict=True))
    network = _fit(rows, same, weights / weights.mean(), params)
    return Linker(params, known_ids(everything), means, network, encoder)


def _examples(
    names: Sequence[Name], rows: NDArray[np.float32], params: LinkParams
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Features of the pairs of names of a topic, whether both have the same id, and the weight of each pair."""
    spelling = Spelling(word for name in names for word in name.key)
    ids = [name.entities.most_common(1)[0][0] if name.entities else None for name in names]
    found = candidates(names, rows, spelling, neighbours=params.neighbours, seed=params.seed)
    labelled = np.array([name is not None for name in ids])
    pairs = found[labelled[found].all(1)]
    same = np.array([ids[i] == ids[j] for i, j in pairs.tolist()], dtype=np.float32)
    sizes = [min(len(name.documents), MANY) for name in names]
    weights = np.array([math.sqrt(sizes[i] * sizes[j]) for i, j in pairs.tolist()], dtype=np.float32)
    return features(pairs, names, rows, spelling), same, weights


def _fit(
    rows: NDArray[np.float32], same: NDArray[np.float32], weights: NDArray[np.float32], params: LinkParams
) -> PairNetwork:
    """Train the network with AdamW, and linear decay of the learning rate."""
    inputs, targets, weight = map(torch.from_numpy, (rows, same, weights))
    random = torch.Generator().manual_seed(params.seed)
    with torch.random.fork_rng(devices=[]):  # initial weights
        torch.manual_seed(params.seed)
        network = PairNetwork(rows.shape[1], params.hidden)
    network.mean.copy_(inputs.mean(0))
    network.scale.copy_(inputs.std(0, correction=0) + 1e-3)
    optimizer = torch.optim.AdamW(network.parameters(), lr=params.learning_rate, weight_decay=DECAY)
    n_steps = params.epochs * math.ceil(len(rows) / params.batch_size)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / n_steps)
    for _ in range(params.epochs):
        for chosen in torch.split(torch.randperm(len(rows), generator=random), params.batch_size):
            losses = torch.nn.functional.binary_cross_entropy_with_logits(
                network(inputs[chosen]), targets[chosen], reduction="none"
            )
            optimizer.zero_grad()
            torch.autograd.backward((losses * weight[chosen]).mean())
            optimizer.step()
            scheduler.step()
    return network.eval()
