"""Fixtures shared by all tests: a tiny random encoder and a few documents."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports transformers: no test reaches for the network
os.environ["DVC_NO_ANALYTICS"] = "1"  # `dvc init` in a new folder would start a process that reports it
# Before anything imports torch: a worker of pytest-xdist has one core. Threads that wait for each other on the tiny
# matrices of the tests take several times as long as the work. Tests of threads set their number.
os.environ.setdefault("OMP_NUM_THREADS", "1")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in a background job; programs started by a test would ignore it
    signal.signal(signal.SIGINT, signal.default_int_handler)

import huggingface_hub
import pytest
import torch
from hypothesis import settings

from ner_head.corpus.documents import Document, Span
from ner_head.corpus.segment import SEGMENTATION, segment
from ner_head.features.extraction.encode import encode_pieces, split_words
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import Pool, extract
from ner_head.features.extraction.words import words_of
from ner_head.features.store.shard import Features
from ner_head.features.store.store import FeatureStore
from ner_head.head.params import HeadParams, LstmParams
from ner_head.inference.saved_model import ModelManifest, SavedModel, TrainingRecord, new_head
from ner_head.training.examples import examples
from ner_head.training.params import TrainingParams
from ner_head.training.trainer import Trainer
from tests import tiny_encoders

settings.register_profile("ner-head", deadline=None)  # a busy machine is no failure
settings.load_profile("ner-head")

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"

# Files that take long, those that take longest first. The first one compiles the kernels of the CRF, which the other
# workers then find in the cache; the next ones need none.
SLOW = (
    "training/test_tuning.py",
    "features/extraction/test_faults.py",
    "features/extraction/test_families.py",
    "server/test_process.py",
    "test_pipeline.py",
    "head/crf/test_decode.py",
    "head/crf/test_kernel_cache.py",
    "training/test_training.py",
    "test_documentation.py",
    "test_absent_splits.py",
    "test_train_stage.py",
    "test_recognizer.py",
    "cli/test_predict.py",
    "test_reports.py",
)

LABELS, LANGUAGES = ["LOC", "PER"], ["cs", "pl", "ru"]
TEXTS = {
    "cs": ("Jana Nováková přijela do Prahy. Vláda mlčela.", ((0, 13, "PER"), (25, 30, "LOC"))),
    "pl": ("Jan Kowalski mieszka w Warszawie. To miasto.", ((0, 12, "PER"), (23, 32, "LOC"))),
    "ru": ("Анна Петрова живёт в Москве. Она рада.", ((0, 12, "PER"), (21, 27, "LOC"))),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that no worker ends with one of them while the others are idle."""
    order = {ROOT / "tests" / name: place for place, name in enumerate(SLOW)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random BERT: 3 layers of 16 dimensions, at most 24 pieces, a vocabulary of letters."""
    return tiny_encoders.save("bert", tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def encoder(tiny_encoder: Path) -> Encoder:
    return Encoder(tiny_encoder, device=torch.device("cpu"))


@pytest.fixture(scope="session")
def documents() -> list[Document]:
    """Six small documents, two per language, with gold."""
    found = []
    for language, (text, spans) in TEXTS.items():
        for number in (1, 2):
            gold = tuple(Span(*span) for span in spans)
            found.append(Document(f"{language}-{number}", text, language, "news", segment(text, language), gold))
    return found


@pytest.fixture(scope="session")
def store(documents: list[Document], encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """The documents' features, in shards of about 10 words."""
    folder = tmp_path_factory.mktemp("features")
    extract(
        documents,
        encoder,
        encoder_name="tiny",
        shard_words=10,
        batch_pieces=256,
        pool=Pool(folder / "pool"),
        output=folder / "store",
    )
    return FeatureStore.open(folder / "store")


@pytest.fixture(scope="session")
def model(
    store: FeatureStore, documents: list[Document], tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A head that knows the six documents by heart."""
    encoder = store.manifest.encoder.model_copy(update={"model": str(tiny_encoder)})
    manifest = ModelManifest(
        scheme="iob",
        labels=LABELS,
        languages=LANGUAGES,
        segmentation=SEGMENTATION,
        encoder=encoder,
        head=HeadParams(lstm=LstmParams(hidden=16), projection=16, classifier=8, dropout=0.0),
        training=TrainingRecord(seed=0, epoch=40, dev_f1=1.0),
    )
    torch.manual_seed(0)
    head = new_head(manifest)
    params = TrainingParams(epochs=40, batch_size=4, learning_rate=0.01)
    trainer = Trainer(head, manifest.tag_set, LANGUAGES, params=params, device=torch.device("cpu"))
    trainer.fit(examples(documents, manifest.tag_set, LANGUAGES), [], store)
    folder = tmp_path_factory.mktemp("model")
    SavedModel(manifest, head).save(folder)
    return folder


@pytest.fixture(scope="session")
def corpora() -> Path:
    """BSNLP 2019 and SlavicNER, in a sibling of the repository; they are not part of it."""
    folder = SHARED / "corpora"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: BSNLP 2019 and SlavicNER are needed")
    return folder


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the hub was asked for; it has nothing."""
    names = list[str]()

    def refuse(name: str, *_: object, **__: object) -> str:
        names.append(name)
        raise OSError("the hub has nothing")

    for function in ("snapshot_download", "hf_hub_download", "list_repo_files"):
        monkeypatch.setattr(huggingface_hub, function, refuse)
    return names


def encode_documents(documents: Sequence[Document], encoder: Encoder, *, batch_pieces: int) -> list[Features]:
    """Features of all sentences of documents, without a store."""
    pieces = split_words(words_of(documents, spaces=encoder.word_pieces.marks_spaces), encoder)
    with encoder.threads() as threads:
        return encode_pieces(pieces, encoder, batch_pieces=batch_pieces, threads=threads)
