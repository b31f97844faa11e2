from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ner_head.corpus.documents import Document
from ner_head.features.store.store import FeatureStore
from ner_head.head.crf import LinearChainCRF
from ner_head.head.model import build_head
from ner_head.head.params import HeadParams, WordParams
from ner_head.training.examples import collate, examples
from ner_head.training.optimizer import RowAdamW
from ner_head.training.params import TrainingParams
from ner_head.training.trainer import Trainer

LABELS, LANGUAGES = ["LOC", "PER"], ["cs", "pl", "ru"]
ASKING = {"_local_scalar_dense", "nonzero", "masked_select", "item", "equal", "_unique2", "is_nonzero"}


class Questions(TorchDispatchMode):
    """Names of the operations for whose result the host would have to wait."""

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
    """The path of a GPU, on a CPU: whatever reads a number of a tensor would stop its queue."""
    monkeypatch.setattr(LinearChainCRF, "log_likelihood", LinearChainCRF.log_likelihood_on_device)
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
