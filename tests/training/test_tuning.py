"""The encoder's last layers, trained with the head from the cached states below them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ner_head.corpus.documents import Document
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.pool import Pool
from ner_head.features.store.spec import EncoderSpec
from ner_head.features.store.store import FeatureStore
from ner_head.head.params import HeadParams, LstmParams
from ner_head.training.examples import Example, collate, examples
from ner_head.training.params import TrainingParams
from ner_head.training.session import TrainingSession

CPU = torch.device("cpu")
LIMIT = 24  # pieces in a pass of the tiny encoder, [SEP] included
SMALL = HeadParams(lstm=LstmParams(hidden=8), projection=8, classifier=4, dropout=0.0)


@pytest.fixture(scope="module")
def tunable(documents: list[Document], tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """A float32 store of the embeddings' output and of all three layers, with the layers' weights."""
    return stored(
        documents, tiny_encoder, tmp_path_factory.mktemp("tunable"), EncoderSpec(dtype="float32", layers="0-3")
    )


def stored(documents: list[Document], encoder: Path, folder: Path, spec: EncoderSpec) -> FeatureStore:
    extract(
        documents,
        Encoder(encoder, device=CPU, spec=spec),
        encoder_name=str(encoder),
        shard_words=10,
        batch_pieces=256,
        pool=Pool(folder / "pool"),
        output=folder / "store",
        with_weights=True,
    )
    return FeatureStore.open(folder / "store")


def one_window(found: list[Example], store: FeatureStore) -> list[Example]:
    """The sentences that the encoder saw in one pass; tuned layers see others whole too, the encoder did not."""
    return [example for example in found if store.n_pieces(example.name) <= LIMIT - 1]


def session(
    documents: list[Document],
    store: FeatureStore,
    head: HeadParams = SMALL,
    dev: list[Document] | None = None,
    **training: object,
) -> TrainingSession:
    params = TrainingParams.model_validate({"epochs": 2, "batch_size": 4, "held_out": 0.0, **training})
    return TrainingSession(documents, dev or [], store, head=head, params=params, device=CPU)


@pytest.mark.parametrize("layers", ["all", "last", "last-2", "3"])
@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_untrained_layers_give_the_emissions_of_the_cached_ones(
    documents: list[Document], tunable: FeatureStore, n_layers: int, rank: int, layers: str
) -> None:
    shape = SMALL.model_copy(update={"layers": layers})
    frozen, tuned = (session(documents, tunable, shape, tune_layers=n, tune_rank=rank) for n in (0, n_layers))
    found = []
    for each in (frozen, tuned):
        head = each.new_head().eval()
        chosen = one_window(examples(documents, each.manifest.tag_set, each.manifest.languages), tunable)
        batch = collate(chosen, tunable, each.manifest.tag_set, head)
        with torch.inference_mode():
            features = batch.features
            found.append(head(features.hidden, features.mask, batch.steps, batch.words, features.separator))
    mask = batch.steps.mask
    torch.testing.assert_close(found[0].emissions[mask], found[1].emissions[mask], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[0].language_logits, found[1].language_logits, atol=1e-4, rtol=0)
