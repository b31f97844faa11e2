from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_head.base.errors import UsageError
from ner_head.base.params import read_params
from ner_head.corpus.documents import Document
from ner_head.preparation.prepare import PrepareParams
from ner_head.preparation.splits import MANY_TOPICS, Splits, assign, related


def made(number: int, topic: str = "news", language: str = "pl", text: str | None = None) -> Document:
    """A document in words of its own."""
    return Document(str(number), text or " ".join(f"w{number}x{i}" for i in range(12)), language, topic)


def splits(**values: object) -> Splits:
    return Splits.model_validate({"train": ["*"], **values})


def test_patterns_name_topics_or_keys() -> None:
    documents = [made(1, "brexit"), made(2, "brexit", "cs"), made(3, "asia_bibi"), made(4, "other")]
    found = assign(documents, splits(train=["b*"], dev=["*/pl/3"], test=["oth?r"]))
    assert found == {
        "brexit/pl/1": "train",
        "brexit/cs/2": "train",
        "asia_bibi/pl/3": "dev",
        "other/pl/4": "test",
    }


def test_a_pattern_of_train_takes_what_dev_and_test_do_not_name() -> None:
    documents = [made(i, f"t{i}") for i in range(4)]
    found = assign(documents, splits(dev=["t1"], test=["t2/*"]))
    assert [found[document.key] for document in documents] == ["train", "dev", "test", "train"]
    with pytest.raises(UsageError, match=r"t1/pl/1 is in dev \(t1\) and test \(t\?\)"):
        assign(documents, splits(dev=["t1"], test=["t?"]))
    with pytest.raises(UsageError, match=r"t1/pl/1 is in train \(t1\) and dev \(t1/pl/1\)"):
        assign(documents, splits(train=["t1"], dev=["t1/pl/1"]))


def test_a_topic_may_have_the_letters_of_a_pattern() -> None:
    documents = [made(1, "what?"), made(2, "[new]"), made(3, "whats")]
    assert assign(documents, splits(train=["what?"], dev=["[new]"])) == {
        "what?/pl/1": "train",
        "whats/pl/3": "train",
        "[new]/pl/2": "dev",
    }


def test_a_pattern_that_fits_nothing_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"^prepare.splits.dev: no topic or document 'x\*' in the corpus; its topics"):
        assign([made(1)], splits(dev=["x*"]))


@pytest.mark.parametrize("seed", range(3))
def test_a_share_is_taken_of_each_language(seed: int) -> None:
    documents = [made(i, language="pl" if i % 4 else "cs") for i in range(200)]
    found = assign(documents, splits(dev=0.2, test=0.1, seed=seed))
    counts = Counter((document.language, found[document.key]) for document in documents)
    assert [counts["pl", split] for split in ("train", "dev", "test")] == [105, 30, 15]
    assert [counts["cs", split] for split in ("train", "dev", "test")] == [35, 10, 5]
    assert found == assign(documents, splits(dev=0.2, test=0.1, seed=seed))
    assert found != assign(documents, splits(dev=0.2, test=0.1, seed=seed + 1))


def test_near_copies_stay_in_one_split() -> None:
    shared = " ".join(f"same{i}" for i in range(60))
    documents = [made(i, text=f"{shared} w{i}" if i < 8 else None) for i in range(40)]
    for seed in range(20):
        found = assign(documents, splits(dev=0.3, seed=seed))
        assert len({found[document.key] for document in documents[:8]}) == 1


def test_many_topics_are_kept_whole() -> None:
    documents = [made(i, f"t{i % MANY_TOPICS}") for i in range(100)]
    found = assign(documents, splits(dev=0.3))
    by_topic = {topic: {found[d.key] for d in documents if d.topic == topic} for topic in {d.topic for d in documents}}
    assert all(len(there) == 1 for there in by_topic.values())
    assert Counter(found.values()) == {"train": 70, "dev": 30}
    few = [made(i, f"t{i % (MANY_TOPICS - 1)}") for i in range(90)]
    assert len(related(few)) == 90


def test_a_new_document_moves_few_others() -> None:
    documents = [made(i) for i in range(100)]
    before, after = assign(documents, splits(dev=0.2)), assign([*documents, made(100)], splits(dev=0.2))
    assert sum(before[key] != after[key] for key in before) <= 1


@given(st.integers(1, 30), st.floats(0.01, 0.99), st.integers(0, 5))
def test_something_is_left_to_train_on(n: int, share: float, seed: int) -> None:
    documents = [made(i) for i in range(n)]
    if n == 1:
        with pytest.raises(UsageError, match=r"of 1 documents in 1 groups .* is none"):
            assign(documents, splits(dev=share, seed=seed))
    else:
        found = assign(documents, splits(dev=share, seed=seed))
        assert set(found.values()) == {"train", "dev"}
        assert abs(list(found.values()).count("dev") - share * n) <= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{train: 0.8}", "train is a list of topics, documents or patterns"),
        ("{train: ['*'], dev: 1.5}", "shares are above 0, and less than 1 together; got {'dev': 1.5}"),
        ("{train: ['*'], dev: 0}", "shares are above 0, and less than 1 together; got {'dev': 0}"),
        ("{train: ['*'], dev: 0.5, test: 0.5}", "shares are above 0, and less than 1 together"),
        ("{train: ['*'], dev: true}", "prepare.splits.dev: Input should be a valid list"),
        ("{train: ['*'], dev: 0.1, seed: -1}", "prepare.splits.seed: "),
    ],
)
def test_wrong_shares_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"prepare: {{source: x, format: jsonl, splits: {text}}}")
    with pytest.raises(UsageError) as error:
        read_params(path, "prepare", PrepareParams)
    assert message in str(error.value)
