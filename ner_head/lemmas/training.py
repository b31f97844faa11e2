"""Train the lexicon and the head on gold mentions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from ner_head.corpus.documents import Document
from ner_head.features.store.mentions import WordVectors
from ner_head.lemmas.forms import Edit, aligned, edit_between, one_line
from ner_head.lemmas.items import EditTable, Evidence, MentionWord, mention_words
from ner_head.lemmas.lemmatizer import Lemmatizer
from ner_head.lemmas.lexicon import LemmaExample, Lexicon
from ner_head.lemmas.network import EditHead, WordInputs
from ner_head.lemmas.params import LemmaParams

ALONE = 0.3  # share of the batches in which only the words of the same document are evidence
WARM_UP = 100  # steps
DECAY = 1e-3  # weight decay


def train_lemmatizer(
    documents: Sequence[Document],
    vectors: Sequence[Sequence[WordVectors]],
    params: LemmaParams,
    *,
    encoder: str = "",
) -> Lemmatizer:
    """Learn from the lemmas of gold spans. Spans without a lemma are left out.

    Args:
        documents: Documents with gold spans.
        vectors: Vectors of the words of each span, of layer `params.layer`.
        params: How to train.
        encoder: Fingerprint of the encoder of the vectors.
    """
    examples = [
        LemmaExample(d.language, span.label, one_line(d.text[span.start : span.end]), one_line(span.lemma))
        for d in documents
        for span in d.spans
        if span.lemma is not None
    ]
    lexicon = Lexicon.learn(examples)
    items, edits = _examples(documents, mention_words(documents, vectors))
    if not params.epochs or not items:
        return Lemmatizer(lexicon, params, encoder=encoder)
    table = EditTable.learn((item.language, item.word, edit) for item, edit in zip(items, edits, strict=True))
    numbers = {edit: number for number, edit in enumerate(table.edits)}
    known = [i for i, edit in enumerate(edits) if edit in numbers]
    if not known:
        return Lemmatizer(lexicon, params, encoder=encoder)
    chosen, weights = _sample([items[i] for i in known], [edits[i] for i in known], params)
    kept = [items[known[i]] for i in chosen]
    head = _fit(kept, [numbers[edits[known[i]]] for i in chosen], weights, table, documents, params)
    return Lemmatizer(lexicon, params, table, head, encoder)


def _examples(documents: Sequence[Document], items: Sequence[MentionWord]) -> tuple[list[MentionWord], list[Edit]]:
    """The words of gold mentions whose lemma has as many words, and their edits."""
    words, edits = [], []
    for item in items:
        span = documents[item.document].spans[item.span]
        form = one_line(documents[item.document].text[span.start : span.end])
        pairs = aligned(form, one_line(span.lemma)) if span.lemma is not None else []
        if pairs:
            words.append(item)
            edits.append(edit_between(*pairs[item.position]))
    return words, edits


def _sample(items: Sequence[MentionWord], edits: Sequence[Edit], params: LemmaParams) -> tuple[list[int], torch.Tensor]:
    """Some occurrences of each word with each edit, and their weights: the square root of the number, together."""
    random = np.random.default_rng(params.seed)
    groups: dict[object, list[int]] = defaultdict(list)
    for number, (item, edit) in enumerate(zip(items, edits, strict=True)):
        groups[item.form, edit].append(number)
    chosen, weights = list[int](), list[float]()
    for group in groups.values():
        taken = random.permutation(group)[: params.occurrences].tolist()
        chosen += taken
        weights += [1 / math.sqrt(len(taken))] * len(taken)
    return chosen, torch.tensor(weights)


def _fit(
    items: Sequence[MentionWord],
    targets: Sequence[int],
    weights: torch.Tensor,
    table: EditTable,
    documents: Sequence[Document],
    params: LemmaParams,
) -> EditHead:
    """Train a head with AdamW, warm-up and linear decay of the learning rate."""
    random, drop = np.random.default_rng(params.seed), params.word_dropout
    width = items[0].vector.shape[-1]
    with torch.random.fork_rng(devices=[]):  # initial weights and dropout
        torch.manual_seed(params.seed)
        head = EditHead(params, len(table.edits), width)
        wide, near = (
            WordInputs.of(items, table, Evidence.of(documents, together=together), params.buckets)
            for together in (True, False)
        )
        places = torch.tensor([found.index(target) for found, target in zip(wide.edits, targets, strict=True)])
        optimizer = torch.optim.AdamW(head.parameters(), lr=params.learning_rate, weight_decay=DECAY)
        n_steps = params.epochs * math.ceil(len(items) / params.batch_size)
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / WARM_UP) * (1 - step / n_steps)
        )

        def kept(ids: list[int]) -> list[int]:
            return [number for number, drawn in zip(ids, random.random(len(ids)), strict=True) if drawn >= drop] or ids

        for _ in range(params.epochs):
            order = random.permutation(len(items))
            for start in range(0, len(items), params.batch_size):
                rows = order[start : start + params.batch_size].tolist()
                inputs = near if random.random() < ALONE else wide
                found = head(inputs.batch(rows, kept))
                loss = -found.gather(1, places[rows, None])[:, 0] @ weights[rows] / weights[rows].sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                scheduler.step()
    return head.eval()
