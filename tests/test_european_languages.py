"""`predict` with the bundled encoder on sentences of twelve languages that nothing was trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ner_head.cli import main as cli
from ner_head.corpus.segment import SEGMENTATION
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.store.manifest import EncoderRecord
from ner_head.head.params import HeadParams, LstmParams, WordParams
from ner_head.inference.saved_model import ModelManifest, SavedModel, TrainingRecord, new_head
from tests.conftest import ROOT

BUNDLED = ROOT / "encoders/multilingual-e5-small"
SENTENCES = {
    "de": ("Angela Merkel wohnt in Berlin.", "„Schön!“, sagte Jürgen Groß.", "Die EU-Kommission zahlt 5 %."),
    "el": ("Ο Αλέξης Τσίπρας ζει στην Αθήνα.", "«Όχι», είπε η Μαρία.", "Η Ευρώπη αλλάζει."),
    "en": ("Theresa May's plan wasn't London's.", '"Yes," she said.', "U.K. & EU talk again."),
    "es": ("¿Dónde está Penélope Cruz?", "¡Viva España!", "Vive en La Coruña, Galicia."),
    "fi": ("Sauli Niinistö asuu Helsingissä.", "”Kyllä”, hän sanoi.", "Nokia on yhtiö."),
    "fr": ("L'Élysée n'a rien dit.", "« Non », dit-elle.", "Emmanuel Macron est à Paris aujourd'hui."),
    "hu": ("Orbán Viktor Budapesten él.", "„Nem” – mondta.", "Győr szép város."),
    "it": ("Dov'è Sergio Mattarella?", "L'Aquila è in Abruzzo.", "«Sì», disse."),
    "lt": ("Dalia Grybauskaitė gyvena Vilniuje.", "„Taip“, sakė ji.", "Šiauliai yra miestas."),
    "ro": ("Klaus Iohannis locuiește la București.", "„Da”, a spus ea.", "Țara Românească."),
    "sv": ("Stefan Löfven bor i Stockholm.", "”Nej”, sade han.", "Åre ligger i Jämtland."),
    "uk": ("Володимир Зеленський живе в Києві.", "«Так», — сказала вона.", "Львів'яни з Івано-Франківська."),
}


@pytest.fixture(scope="module")
def encoder_without_weights() -> Encoder:
    return Encoder(BUNDLED, device=torch.device("cpu"), load=False)


@pytest.fixture(scope="module")
def model(encoder_without_weights: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head with random weights over the bundled encoder, which finds many things, and all of them by chance."""
    mark = encoder_without_weights.fingerprint
    record = EncoderRecord(
        model=str(BUNDLED), fingerprint=mark.digest(), n_layers=mark.n_layers, width=mark.width, local=True
    )
    manifest = ModelManifest(
        scheme="iob",
        labels=["LOC", "PER"],
        languages=["cs", "pl"],
        segmentation=SEGMENTATION,
        encoder=record,
        head=HeadParams(words=WordParams(width=0), lstm=LstmParams(hidden=8), projection=8, classifier=4),
        training=TrainingRecord(seed=0, epoch=0, dev_f1=0.0),
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = new_head(manifest)
    folder = tmp_path_factory.mktemp("model")
    SavedModel(manifest, head).save(folder)
    return folder


def test_offsets_are_exact_in_every_language(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [sentence for sentences in SENTENCES.values() for sentence in sentences]
    arguments = [word for text in texts for word in ("--text", text)]
    cli.app(["predict", *arguments, "--model", str(model), "--device", "cpu"], standalone_mode=False)
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["text"] for record in records] == texts
    spans = [(record, span) for record in records for span in record["spans"]]
    assert len(spans) > len(texts)
    for record, span in spans:
        assert record["text"][span["start"] : span["end"]] == span["text"]
        assert span["text"].strip() == span["text"] != ""


@pytest.mark.parametrize("language", SENTENCES)
def test_no_word_is_unknown_to_the_bundled_encoder(encoder_without_weights: Encoder, language: str) -> None:
    words = [f" {word}" for word in " ".join(SENTENCES[language]).split()]
    (pieces,) = encoder_without_weights.word_pieces.split([words])
    assert encoder_without_weights.word_pieces.unk not in pieces.ids
