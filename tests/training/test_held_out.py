from __future__ import annotations

import random

import pytest

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.near_copies import near_copies
from ner_head.evaluation.measures.slices import form, forms
from ner_head.preparation.prepare import PrepareParams, prepare
from ner_head.training.held_out import hold_out
from tests.conftest import ROOT


def made(number: int, names: list[str], language: str = "cs", filler: str = "") -> Document:
    """A document with some names, in words that no other document has."""
    text, spans = "", []
    for name in names:
        text += f"slovo{number}a{len(text)} "
        spans.append(Span(len(text), len(text) + len(name), "PER"))
        text += name + " "
    return Document(str(number), text + filler, language, "news", (), tuple(spans))


def topics(n: int = 10, size: int = 10) -> list[Document]:
    """Documents of n topics. Each has three of five names of its topic, and two of five common names."""
    rng = random.Random(0)
    found = []
    for topic in range(n):
        own, common = [f"Jméno{topic}x{i}" for i in range(5)], [f"Známý{i}" for i in range(5)]
        for i in range(size):
            found.append(made(topic * size + i, [*rng.sample(own, 3), *rng.sample(common, 2)]))
    return found


def test_what_is_held_out_belongs_together() -> None:
    documents = topics()
    kept, held = hold_out(documents, 0.1, seed=0)
    assert len(held) == 10
    assert len({int(document.id) // 10 for document in held}) == 1  # one topic, all of it
    assert [document.id for document in kept] == sorted((d.id for d in kept), key=int)
    new = [form(document, span) not in forms(kept) for document in held for span in document.spans]
    assert sum(new) / len(new) == 0.6  # the three names of its topic, of five


def test_copies_stay_together() -> None:
    shared = " ".join(f"stejné{i}" for i in range(40))
    documents = [made(i, [f"Jméno{i}"], filler=shared if i in (3, 17, 31) else "") for i in range(40)]
    assert [3, 17, 31] in near_copies(documents)
    for seed in range(5):
        _, held = hold_out(documents, 0.2, seed=seed)
        assert len({"3", "17", "31"} & {document.id for document in held}) in (0, 3)


def test_every_language_gives_its_share() -> None:
    documents = [made(i, [f"Jméno{i}", "Známý"], language="cs" if i % 4 else "pl") for i in range(80)]
    kept, held = hold_out(documents, 0.1, seed=0)
    assert [sum(d.language == language for d in held) for language in ("cs", "pl")] == [6, 2]
    assert len(kept) + len(held) == 80


def test_the_same_seed_holds_out_the_same() -> None:
    documents = topics()
    assert hold_out(documents, 0.2, seed=1) == hold_out(documents, 0.2, seed=1)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_something_is_left_to_train_on(share: float) -> None:
    for documents in ([], [made(1, ["Jana"])], [made(1, ["Jana"]), made(2, ["Petr"])]):
        kept, held = hold_out(documents, share, seed=0)
        assert len(kept) + len(held) == len(documents)
        assert kept or not documents
        assert len(held) <= max(len(documents) - 1, 0)
    assert hold_out(topics(), 0.0, seed=0)[1] == []


def test_held_out_names_are_newer_than_those_of_random_documents() -> None:
    params = PrepareParams(
        source=str(ROOT / "data/sample"), format="bsnlp2019", languages=["cs", "pl"], splits={"train": ["railway"]}
    )
    documents = prepare(params).splits["train"]
    rng = random.Random(0)

    def new(held: list[Document]) -> float:
        ids = {document.key for document in held}
        seen = forms(document for document in documents if document.key not in ids)
        flags = [form(document, span) not in seen for document in held for span in document.spans]
        return sum(flags) / len(flags)

    _, held = hold_out(documents, 0.1, seed=0)
    drawn = [new(rng.sample(documents, len(held))) for _ in range(10)]
    assert new(held) > sum(drawn) / 10
