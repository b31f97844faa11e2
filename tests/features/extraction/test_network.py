"""Our network computes what transformers computes, from the same checkpoints and with the same defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, BertConfig, BertForMaskedLM, BertModel

from ner_head.base.errors import DataError
from ner_head.features.extraction.configs import FAMILIES, EncoderConfig
from ner_head.features.extraction.families import EncoderFiles
from ner_head.features.extraction.network import BertNetwork, EncoderNetwork
from tests import tiny_encoders
from tests.conftest import ROOT

CPU = torch.device("cpu")
BERT_LIKE = [name for name in tiny_encoders.FAMILIES if name != "modernbert"]
BUNDLED = ROOT / "encoders/multilingual-e5-small"


def batch(padding: int, n_pieces: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids of sentences of 9, 4 and 7 pieces, padded, and their mask."""
    mask = torch.arange(9) < torch.tensor([9, 4, 7])[:, None]
    ids = torch.randint(5, n_pieces, mask.shape, generator=torch.Generator().manual_seed(0))
    return torch.where(mask, ids, padding), mask


def both(
    ours: EncoderNetwork, theirs: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor | None
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """All hidden states of two networks, the output of the embeddings first."""
    with torch.inference_mode():
        expected = theirs(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        return ours(ids, mask, range(len(expected))), list(expected)


@pytest.mark.parametrize("family", BERT_LIKE)
@pytest.mark.parametrize("compute", ["float32", "bfloat16"])
@pytest.mark.parametrize("padded", [True, False])
def test_all_hidden_states_are_those_of_transformers(family: str, compute: str, padded: bool, tmp_path: Path) -> None:
    files = EncoderFiles.open(tiny_encoders.save(family, tmp_path))
    ours, theirs = files.load(CPU), AutoModel.from_pretrained(tmp_path).eval()
    assert isinstance(ours, BertNetwork)
    ids, mask = batch(files.config.padding, files.config.vocab_size)
    with torch.autocast("cpu", torch.bfloat16, enabled=compute == "bfloat16"):
        found, expected = both(ours, theirs, ids if padded else ids[:1], mask if padded else None)
    assert len(found) == len(expected) == 4
    for own, other in zip(found, expected, strict=True):
        real = mask if padded else mask[:1]
        torch.testing.assert_close(own[real], other[real], atol=1e-5, rtol=0)


def test_all_hidden_states_of_the_bundled_encoder_are_those_of_transformers() -> None:
    files = EncoderFiles.open(BUNDLED)
    ours, theirs = files.load(CPU), files.load(CPU, dropout=True)
    assert "transformers" in type(theirs.get_submodule("network")).__module__
    ids, mask = batch(files.config.padding, 1000)
    with torch.inference_mode():
        pairs = zip(ours(ids, mask, range(13)), theirs(ids, mask, range(13)), strict=True)
        for own, other in pairs:
            torch.testing.assert_close(own[mask], other[mask], atol=1e-5, rtol=0)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_defaults_are_those_of_transformers(model_type: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    ours, theirs = EncoderConfig.read(tmp_path), AutoConfig.for_model(model_type)
    names = ["vocab_size", "hidden_size", "num_hidden_layers", "max_position_embeddings", "pad_token_id"]
    if model_type == "distilbert":
        assert (ours.intermediate_size, ours.num_attention_heads) == (theirs.hidden_dim, theirs.n_heads)
        assert (ours.hidden_act, ours.hidden_dropout_prob) == (theirs.activation, theirs.dropout)
    elif model_type != "modernbert":
        names += ["num_attention_heads", "intermediate_size", "hidden_act", "hidden_dropout_prob"]
        names += ["type_vocab_size", "layer_norm_eps"]
    assert {name: getattr(ours, name) for name in names} == {name: getattr(theirs, name) for name in names}
    assert ours.embedding_size == getattr(theirs, "embedding_size", theirs.hidden_size)


def test_checkpoints_with_a_task_head_old_names_and_half_precision_are_read(tmp_path: Path) -> None:
    tiny_encoders.save("bert", tmp_path)
    whole = AutoModel.from_pretrained(tmp_path).half().eval()
    masked = BertForMaskedLM(BertConfig.from_pretrained(tmp_path)).half()
    masked.bert.load_state_dict(whole.state_dict(), strict=False)
    state = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor.clone()
        for name, tensor in masked.state_dict().items()
    }
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    files = EncoderFiles.open(tmp_path)
    ids, mask = batch(files.config.padding, files.config.vocab_size)
    for own, other in zip(*both(files.load(CPU), whole.float(), ids, mask), strict=True):
        torch.testing.assert_close(own[mask], other[mask], atol=1e-5, rtol=0)


def test_a_checkpoint_in_several_files_is_read(tmp_path: Path) -> None:
    tiny_encoders.save("bert", tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    names = sorted(state)
    for number, part in enumerate((names[::2], names[1::2]), 1):
        save_file({name: state[name] for name in part}, tmp_path / f"model-0000{number}-of-00002.safetensors")
    found = EncoderFiles.open(tmp_path).load(CPU).state_dict()
    assert torch.equal(found["layers.2.down.weight"], state["encoder.layer.2.output.dense.weight"])


@pytest.mark.parametrize("change", [{"hidden_act": "gelu_new"}, {"is_decoder": True}])
def test_what_we_would_compute_otherwise_is_left_to_transformers(change: dict[str, object], tmp_path: Path) -> None:
    tiny_encoders.save("bert", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **change}))
    files = EncoderFiles.open(tmp_path)
    theirs = files.load(CPU)
    assert isinstance(theirs.get_submodule("network"), BertModel)
    ids, mask = batch(files.config.padding, files.config.vocab_size)
    for own, other in zip(*both(theirs, AutoModel.from_pretrained(tmp_path).eval(), ids, mask), strict=True):
        torch.testing.assert_close(own, other)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"hidden_size": "wide"}, r"config\.json: hidden_size: Input should be a valid integer"),
        ({"num_hidden_layers": 0}, r"config\.json: num_hidden_layers: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_value_in_the_config_is_one_line(content: dict[str, object], message: str, tmp_path: Path) -> None:
    tiny_encoders.save("bert", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", **content}))
    with pytest.raises(DataError, match=message):
        EncoderFiles.open(tmp_path)
