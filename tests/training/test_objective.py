from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ner_head.corpus.documents import Document
from ner_head.features.store.store import FeatureStore
from ner_head.head.crf.layer import LinearChainCRF
from ner_head.head.model import build_head
from ner_head.head.params import HeadParams, WordParams
from ner_head.training import objective
from ner_head.training.examples import collate, examples
from ner_head.training.optimizer import RowAdamW
from ner_head.training.params import TrainingParams
from ner_head.training.trainer import Trainer

LABELS, LANGUAGES = ["LOC", "PER"], ["cs", "pl", "ru"]
ASKING = {"_local_scalar_dense", "nonzero", "masked_select", "item", "equal", "_unique2", "is_nonzero"}


def as_on_a_gpu(crf: LinearChainCRF, emissions: torch.Tensor, tags: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    emissions, scores = crf._scores(emissions)
    return objective.crf_batched.log_likelihood(emissions, mask, crf._legal(scores), tags)


class Questions(TorchDispatchMode):
    """Records operations that synchronise with a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.overloadpacket.__name__
        boolean = name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if name in ASKING or boolean:
            self.asked.append(name)
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("tags", ["iob", "iobx"])
def test_a_step_on_a_gpu_asks_it_nothing(
    monkeypatch: pytest.MonkeyPatch, store: FeatureStore, documents: list[Document], tags: str
) -> None:
    """Runs the code path of a GPU on a CPU. Reading a value of a tensor would synchronise with the GPU."""
    monkeypatch.setattr(objective, "likelihood", as_on_a_gpu)
    monkeypatch.setattr(RowAdamW, "suits", staticmethod(lambda table, betas: False))
    params = HeadParams(tags=tags, words=WordParams(width=4, buckets=20))
    tag_set, encoder = params.tag_set(LABELS), store.manifest.encoder
    head = build_head(params, n_layers=encoder.n_layers, width=encoder.width, tag_set=tag_set, languages=LANGUAGES)
    trainer = Trainer(head, tag_set, LANGUAGES, params=TrainingParams(), device=torch.device("cpu"))
    batch = collate(examples(documents, tag_set, LANGUAGES), store, tag_set, head)
    head.train()
    trainer._step(batch, 1e-3)  # the optimizer makes its state
    with Questions() as questions:
        trainer._step(batch, 1e-3)
    assert questions.asked == []
    with Questions() as questions:
        float(batch.features.hidden.sum())
    assert questions.asked == ["_local_scalar_dense"]


def test_both_ways_to_the_likelihood_agree() -> None:
    torch.manual_seed(0)
    crf = LinearChainCRF(4)
    emissions, mask = torch.randn(3, 5, 4), torch.arange(5) < torch.tensor([5, 2, 4])[:, None]
    tags = torch.randint(0, 4, (3, 5))
    torch.testing.assert_close(
        objective.likelihood(crf, emissions, tags, mask), as_on_a_gpu(crf, emissions, tags, mask), rtol=1e-4, atol=1e-4
    )
