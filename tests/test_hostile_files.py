"""Files from strangers: nothing in them is executed, and nothing outside of their folder is read or written.

Shards have a test of their own, `tests/features/store/test_hostile.py`.
"""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import subprocess
import sys
import zlib
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ner_head import conversion
from ner_head.base.errors import DataError
from ner_head.bundles.bundle import make_bundle
from ner_head.bundles.wheel import package_metadata
from ner_head.cards.card import Description
from ner_head.conversion import Losses, Options, spacy_docs
from ner_head.corpus.documents import Document
from ner_head.features.extraction.encoder import Encoder
from ner_head.inference.saved_model import SavedModel
from ner_head.lemmas.lexicon import Lexicon
from ner_head.models import check_bundle
from tests.conftest import ROOT

CPU = torch.device("cpu")
WATCH = """
import sys
seen = []
def watch(event, arguments):
    if event in ("open", "exec", "import", "pickle.find_class", "subprocess.Popen", "os.system", "socket.connect"):
        seen.append((event, [str(argument)[:300] for argument in arguments]))
sys.addaudithook(watch)
"""
LOADED = (
    WATCH
    + """
from ner_head.recognizer import Recognizer
try:
    Recognizer.load(sys.argv[1], "cpu", encoder=sys.argv[2]).recognize(["Jana"])
    print("loaded")
except Exception as error:
    print(type(error).__name__, error)
files = [a[0] for event, a in seen if event == "open"]
print([name for name in files if name.endswith((".bin", ".pkl", ".pt", "evil.py"))])
# numba unpickles its own cache, and libraries ask the system for its processor
print([a for event, a in seen if event == "pickle.find_class" and not a[0].startswith(("numba", "numpy", "builtins",
       "llvmlite", "copyreg", "collections", "types", "_codecs", "ner_head.head.crf"))])
print([event for event, _ in seen if event in ("os.system", "socket.connect")])
print("evil" in sys.modules, any("evil" in module for module in sys.modules))
"""
)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.write_text, (self.target, "executed")


@pytest.fixture
def hostile(model: Path, tiny_encoder: Path, tmp_path: Path) -> Path:
    """A model and an encoder with pickles and code in all places where other libraries look for them."""
    shutil.copytree(model, tmp_path / "model")
    shutil.copytree(tiny_encoder, tmp_path / "encoder")
    code = f"from pathlib import Path\nPath({str(tmp_path / 'executed')!r}).write_text('executed')\n"
    for folder in (tmp_path / "model", tmp_path / "encoder"):
        for name in ("pytorch_model.bin", "model.pkl", "training_args.bin", "head.pt", "optimizer.pt"):
            (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "executed")))
        for name in ("evil.py", "modeling_evil.py", "__init__.py", "conftest.py", "sitecustomize.py"):
            (folder / name).write_text(code)
    return tmp_path


def test_pickles_and_code_in_the_folders_of_model_and_encoder_are_not_touched(hostile: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(hostile / "model"), str(hostile / "encoder")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.splitlines() == ["loaded", "[]", "[]", "[]", "False False"]
    assert not (hostile / "executed").exists()


@pytest.mark.parametrize("where", ["config.json", "tokenizer_config.json"])
def test_auto_map_is_not_followed(hostile: Path, where: str) -> None:
    config = hostile / "encoder" / where
    content = json.loads(config.read_text())
    content |= {"auto_map": {"AutoModel": "evil.Evil", "AutoConfig": "evil.Evil", "AutoTokenizer": ["evil.Evil", None]}}
    config.write_text(json.dumps(content | {"trust_remote_code": True}))
    Encoder(hostile / "encoder", device=CPU)
    config.write_text(json.dumps(content | {"is_decoder": True}))  # computed by transformers
    if where == "config.json":
        Encoder(hostile / "encoder", device=CPU)
    (hostile / "encoder/model.safetensors").unlink()
    with pytest.raises(DataError, match="pickled weights are not loaded"):
        Encoder(hostile / "encoder", device=CPU)
    assert not (hostile / "executed").exists()


@pytest.mark.parametrize(
    "name", ["../secret", "/dev/zero", "/etc/passwd", "a/../../secret", "..", "", "C:/x", "\\\\host\\x", "a\0b"]
)
def test_a_bundle_names_files_inside_of_it_only(name: str, tmp_path: Path) -> None:
    record = {"version": 1, "name": "a", "summary": "", "files": {name: "0" * 64}}
    (tmp_path / "bundle.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=r"bundle\.json: damaged: files.*no path inside of the folder"):
        check_bundle(tmp_path)


def test_a_file_of_a_bundle_that_is_a_link_to_a_device_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "weights").symlink_to("/dev/zero")  # has no end
    record = {"version": 1, "name": "a", "summary": "", "files": {"weights": "0" * 64}}
    (tmp_path / "bundle.json").write_text(json.dumps(record))
    with pytest.raises(DataError, match=r"weights \(not a file\)"):
        check_bundle(tmp_path)


def test_a_bundle_takes_no_file_of_this_machine_through_a_link(model: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    shutil.copytree(model, tmp_path / "model")
    shutil.copytree(tiny_encoder, tmp_path / "encoder")
    (tmp_path / "encoder/LICENSE").symlink_to("../secret")
    (tmp_path / "encoder/NOTICE").write_text("notice")
    blobs = tmp_path / "blobs"  # where the cache of the hub has all files
    blobs.mkdir()
    (blobs / "0").write_text("readme")
    (tmp_path / "encoder/README.md").symlink_to(blobs / "0")
    make_bundle(tmp_path / "model", tmp_path / "out", Description("a"), encoder=str(tmp_path / "encoder"))
    names = {path.name for path in (tmp_path / "out/encoder").glob("*/*")}
    assert {"NOTICE", "README.md"} <= names
    assert "LICENSE" not in names


def test_the_summary_of_a_bundle_adds_no_line_to_the_metadata_of_a_wheel() -> None:
    found = package_metadata("my_ner", "1.0", "a\nRequires-Dist: evil\r\nb\x85c\u2028d", "text")
    assert "Summary: a Requires-Dist: evil b c d\n" in found
    assert [line for line in found.splitlines() if line.startswith("Requires-Dist")] == [
        f"Requires-Dist: ner-head>={version('ner-head')}"
    ]


def without_digest(model: Path) -> None:
    """Remove the digest of the weights, as a file that is meant to harm would have the right one."""
    path = model / "manifest.json"
    content = json.loads(path.read_text())
    del content["sha256"]
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (struct.pack("<Q", 2**63), "damaged"),
        (struct.pack("<Q", 10**12) + b"{}", "damaged"),
        (struct.pack("<Q", 70) + b'{"a": {"dtype": "F32", "shape": [4294967296, 4294967296]}}'.ljust(70), "damaged"),
        (b"", "damaged"),
    ],
)
def test_weights_whose_header_overflows_are_refused(model: Path, tmp_path: Path, header: bytes, message: str) -> None:
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model/model.safetensors").write_bytes(header)
    without_digest(tmp_path / "model")
    with pytest.raises(DataError, match=message):
        SavedModel.load(tmp_path / "model", device=CPU)


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("lstm", {"layers": 10**9}, r"1e\+09 layers"),
        ("lstm", {"hidden": 10**7}, "weights, and the file"),
        ("attention", {"layers": 10**30}, r"1e\+30 layers"),
        ("attention", {"key_size": 10**9}, "weights and manifest do not fit"),
        ("words", {"width": 10**6, "buckets": 10**9}, "weights and manifest do not fit"),
        ("words", {"width": 10**30}, "weights and manifest do not fit"),
    ],
)
def test_a_manifest_cannot_ask_for_more_memory_than_its_weights(
    model: Path, tmp_path: Path, part: str, values: dict[str, int], message: str
) -> None:
    shutil.copytree(model, tmp_path / "model")
    path = tmp_path / "model/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["head"][part] |= values
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=message):
        SavedModel.load(tmp_path / "model", device=CPU)


def test_a_manifest_of_a_million_labels_is_refused_before_its_square_is_made(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "model")
    path = tmp_path / "model/manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"labels": [f"L{n}" for n in range(100_000)]}))
    with pytest.raises(DataError, match="tags, and the weights"):
        SavedModel.load(tmp_path / "model", device=CPU)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_hidden_layers": 10**9}, "num_hidden_layers: Input should be less than or equal to 1000"),
        ({"pad_token_id": 10**9}, "pad_token_id 1000000000 is no piece of"),
        ({"pad_token_id": -1}, "pad_token_id: Input should be greater than or equal to 0"),
        ({"layer_norm_eps": 0.0}, "layer_norm_eps: Input should be greater than 0"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps: "),
        ({"hidden_dropout_prob": -1.0}, "hidden_dropout_prob: Input should be greater than or equal to 0"),
        ({"max_position_embeddings": 3}, "max_position_embeddings: a pass of 3 pieces is too short"),
        ({"max_position_embeddings": 10**15}, "not a usable encoder"),
        ({"intermediate_size": 10**12}, "not a usable encoder"),
        ({"num_attention_heads": 7}, "hidden_size 16 is no multiple of num_attention_heads 7"),
        ({"vocab_size": 10**12}, "does not fit weights for"),
    ],
)
def test_a_config_with_impossible_values_is_refused(
    tiny_encoder: Path, tmp_path: Path, values: dict[str, object], message: str
) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "encoder")
    path = tmp_path / "encoder/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    with pytest.raises(DataError, match=message):
        Encoder(tmp_path / "encoder", device=CPU)


def test_a_tokenizer_with_negative_ids_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_encoder, tmp_path / "encoder")
    path = tmp_path / "encoder/tokenizer.json"
    definition = json.loads(path.read_text())
    definition["model"]["vocab"]["a"] = -5
    path.write_text(json.dumps(definition))
    with pytest.raises(DataError, match="does not fit weights for"):
        Encoder(tmp_path / "encoder", device=CPU)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(model: Path, tmp_path: Path, value: float) -> None:
    shutil.copytree(model, tmp_path / "model")
    tensors = load_file(model / "model.safetensors")
    tensors["emissions.bias"][0] = value
    save_file(tensors, tmp_path / "model/model.safetensors")
    without_digest(tmp_path / "model")
    with pytest.raises(DataError, match="a weight is NaN or infinite"):
        SavedModel.load(tmp_path / "model", device=CPU)


@pytest.mark.parametrize(
    ("lemma", "ending"), [(1, "a"), ("a", None), (["a"], "a")], ids=["number", "null ending", "list"]
)
def test_a_lexicon_has_texts_only(tmp_path: Path, lemma: object, ending: object) -> None:
    content = {"lemmas": [["cs", "PER", "jany", lemma]], "rules": [["cs", "", "ny", "y", ending]]}
    (tmp_path / "lexicon.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="not a lexicon"):
        Lexicon.load(tmp_path / "lexicon.json")


@pytest.mark.parametrize("to", ["brat", "webanno", "xmi", "bsnlp"])
def test_names_in_a_corpus_do_not_lead_out_of_the_folder_that_is_written(tmp_path: Path, to: str) -> None:
    names = ["../../evil", "/tmp/evil", "..", "a/../../../evil", "\\\\host\\evil", "evil\0", "C:evil"]
    documents = [Document(name, "Jana.", language, topic) for name in names for topic, language in
                 (("../..", "../cs"), ("/", "cs"), ("", "und"))]  # fmt: skip
    (tmp_path / "a/b/c").mkdir(parents=True)
    conversion.write(iter(documents), tmp_path / "a/b/c/out", to)
    outside = [path for path in tmp_path.rglob("*") if tmp_path / "a/b/c/out" not in (path, *path.parents)]
    assert outside == [tmp_path / "a", tmp_path / "a/b", tmp_path / "a/b/c"]


def test_a_compressed_bomb_is_not_expanded(tmp_path: Path) -> None:
    packer = zlib.compressobj()
    block = bytes(1 << 20)
    (tmp_path / "a.spacy").write_bytes(b"".join(packer.compress(block) for _ in range(70)) + packer.flush())
    with pytest.raises(DataError, match="expands to more than 100 times its size"):
        list(spacy_docs.read(tmp_path / "a.spacy", Options(), Losses()))
