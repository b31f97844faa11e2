"""What is fuzzed: each target has sound files, which of them are damaged, and the commands that read them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random

from ner_head.cli.main import commands
from tests.fuzz import world
from tests.fuzz.arguments import odd_arguments
from tests.fuzz.door import Outcome, inside, run
from tests.fuzz.mutate import damage
from tests.fuzz.requests import odd_request

Repair = Callable[[Path, Random], None]
TEXT = "Jana Nová bydlí v Brně."
QUICK = ("--device", "cpu", "--threads", "1")


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes:
        sound: names of the files and folders of the world that a run needs.
        damaged: patterns of the files, one of which is damaged.
        commands: command lines; one is run. `stage NAME` is a stage of the pipeline.
        repair: adapts what vouches for the damaged file, such as digests in a manifest.
        weight: share of the inputs, relative to the other targets.
        threads: whether a command starts threads that a later fork does not have; the commands are not warmed up then.
    """

    sound: tuple[str, ...]
    damaged: tuple[str, ...]
    commands: tuple[str, ...]
    repair: Repair | None = None
    weight: float = 1.0
    threads: bool = False

    def attempt(self, sound: Path, scratch: Path, rng: Random) -> tuple[Outcome, str]:
        """Damage a copy of the sound files, and run a command on it. Also says what was done."""
        copy(self.sound, sound, scratch)
        files = [file for pattern in self.damaged for file in sorted(scratch.glob(pattern)) if file.is_file()]
        done = damage(rng.choice(files), rng)
        if self.repair is not None and rng.random() < 0.8:
            self.repair(scratch, rng)
        line = rng.choice(self.commands)
        return execute(line), f"{done}; {line}"

    def warm_up(self, sound: Path, scratch: Path) -> list[tuple[str, Outcome]]:
        """Run all commands on sound files, which also imports what they need. Returns those that fail."""
        failed = []
        for number, line in enumerate(self.commands):
            copy(self.sound, sound, scratch / str(number))
            with inside(scratch / str(number)):
                outcome = execute(line)
            if outcome.finding or (outcome.code and line not in REFUSED):
                failed.append((line, outcome))
        return failed


def copy(names: Iterable[str], sound: Path, scratch: Path) -> None:
    """Copy files and folders of the world."""
    for name in names:
        source, target = sound / name, scratch / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)


def execute(line: str) -> Outcome:
    """Run a command line of `ner-head`, or a stage, in the current folder."""
    words = [TEXT if word == "TEXT" else word for word in line.split()]
    if words[0] == "stage":
        module = import_module(f"stages.{words[1]}")
        return run(module.main, [], name="error")
    return run(commands, words)


def vouch(folder: Path, rng: Random) -> None:
    """Write the present digests of shards and weights into the manifests, so that damage gets behind that check."""
    for path in (folder / "data/features/manifest.json", folder / "bundle/bundle.json"):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            content = json.loads(path.read_bytes())
            for shard in content.get("shards", []):
                shard["sha256"] = digest(path.parent / f"{shard['key']}.h5")
            if content.get("layers"):
                content["layers"]["sha256"] = digest(path.parent / "layers.safetensors")
            for name in content.get("files", {}):
                content["files"][name] = digest(path.parent / name)
            path.write_text(json.dumps(content))
    for name in (
        "models/head/manifest.json",
        "bundle/manifest.json",
        "models/lemmas/lemmas.json",
        "models/links/links.json",
    ):
        with suppress(OSError, ValueError, AttributeError, RecursionError):
            content = json.loads((folder / name).read_bytes())
            content.pop("sha256", None)  # a model without digests is read as it is
            (folder / name).write_text(json.dumps(content))
    for path in (folder / "models/head/manifest.json", folder / "bundle/manifest.json"):
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            own_encoder(path, folder / "bundle/encoder/bert" if "bundle" in path.parts else folder / "encoders/bert")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def own_encoder(manifest: Path, folder: Path) -> None:
    """Write the fingerprint of a damaged encoder into the manifest of a model."""
    import torch

    from ner_head.base.errors import NerHeadError
    from ner_head.features.extraction.encoder import Encoder

    with suppress(NerHeadError, KeyError, IndexError):
        content = json.loads(manifest.read_bytes())
        encoder = Encoder(folder, device=torch.device("cpu"), load=False)
        content["encoder"]["fingerprint"] = encoder.fingerprint.digest()
        manifest.write_text(json.dumps(content))


def corpus(name: str, *forms: str, pattern: str = "**/*", extra: tuple[str, ...] = ()) -> Target:
    """A corpus in a format of `prepare.format`, which is checked, converted and prepared."""
    place = f"corpora/{name}"
    lines = [f"check {place} --format {form} --params absent.yaml{end}" for form in forms for end in ("", " --json")]
    return Target((place,), (f"{place}/{pattern}",), (*lines, *extra))


def converted(name: str, to: tuple[str, ...] = ("jsonl", "spacy"), options: str = "") -> Target:
    """Files of an annotation tool."""
    place = world.place_of(name)
    lines = [f"convert {place} out --from {name} --to {tool} {options}" for tool in to]
    return Target((f"corpora/{name}",), (f"corpora/{name}/**/*",), tuple(lines), weight=2)


REFUSED = ("check", "score corpora/bsnlp/annotated corpora/bsnlp2019 --allow-missing")
"""Commands that refuse the sound files too: the corpus has copies of documents, and the folders do not match."""
PROJECT = ("params.yaml", "corpora/bsnlp2019", "encoders/bert", "data/prepared")
MODEL = ("models/head", "models/lemmas", "models/links", "encoders/bert")
PREDICT = f"predict --model models/head --text TEXT {' '.join(QUICK)}"
TARGETS: dict[str, Target] = {
    "corpus bsnlp2019": corpus("bsnlp2019", "bsnlp2019", extra=("init corpora/bsnlp2019 --project new",)),
    "corpus slavicner": corpus(
        "slavicner", "slavicner", extra=("convert corpora/slavicner out --from slavicner --to jsonl",)
    ),
    "corpus conll": corpus("iob", "conll", extra=("init corpora/iob --project new", "check corpora/iob")),
    "corpus conll, words": corpus("conll", "conll", extra=("convert corpora/conll out --from conll --to doccano",)),
    "corpus jsonl": corpus("jsonl", "jsonl", extra=("init corpora/jsonl --project new",)),
    "corpus jsonl, words": corpus("jsonl-words", "jsonl"),
    "convert label-studio": converted("label-studio", ("jsonl", "conll", "label-studio")),
    "convert doccano": converted("doccano", ("jsonl", "brat")),
    "convert brat": converted("brat", ("jsonl", "webanno")),
    "convert webanno": converted("webanno", ("jsonl", "bsnlp")),
    "convert xmi": converted("xmi", ("jsonl", "xmi")),
    "convert spacy": converted("spacy", ("jsonl", "spacy")),
    "convert conll": converted("conll", ("jsonl", "conll"), "--columns 10"),
    "convert bsnlp": converted("bsnlp", ("jsonl", "label-studio")),
    "convert jsonl": converted("jsonl", ("xmi", "conll", "brat")),
    "params.yaml": Target(
        PROJECT,
        ("params.yaml",),
        ("check", "cache list", "plan --seconds 0", "stage prepare", "stage extract"),
        weight=2,
    ),
    "model": Target(MODEL, ("models/head/*",), (PREDICT, f"{PREDICT} --to html", f"{PREDICT} --n-best 3")),
    "model, lemmas and links": Target(MODEL, ("models/lemmas/*", "models/links/*"), (PREDICT,)),
    "bundle": Target(
        ("bundle",),
        ("bundle/**/*",),
        ("predict --model bundle --text TEXT", "bundle bundle out", "bundle bundle out --wheel --name odd"),
        vouch,
    ),
    "encoder": Target(MODEL, ("encoders/bert/*",), (f"{PREDICT} --encoder ./encoders/bert",
                      "embed out --encoder ./encoders/bert --text TEXT --device cpu"), vouch),
    "encoder, gguf": Target(
        ("encoders/gguf",),
        ("encoders/gguf/*",),
        ("embed out --encoder ./encoders/gguf --text TEXT --device cpu --quiet",),
    ),
    "encoder, sentencepiece": Target(
        ("encoders/xlm_roberta",),
        ("encoders/xlm_roberta/*",),
        ("embed out --encoder ./encoders/xlm_roberta --text TEXT --device cpu --quiet",),
    ),
    "feature store": Target(
        ("data/features",),
        ("data/features/manifest.json", "data/features/*.h5", "data/features/*.safetensors"),
        ("verify data/features", "inspect data/features", "inspect data/features --export hewitt out"),
        vouch,
        weight=2,
    ),
    "prepared documents": Target(
        ("params.yaml", "data", "reports", "models", "encoders/bert"),
        ("data/prepared/*.jsonl",),
        (
            *("stage error_page", "stage baseline", "plan data/prepared/dev.jsonl --seconds 0"),
            "compare reports/predictions/dev.jsonl reports/baseline/predictions/dev.jsonl --output page.html",
        ),
    ),
    "predictions": Target(
        ("params.yaml", "data", "reports", "corpora/bsnlp2019"),
        ("reports/predictions/*", "reports/nbest/*", "reports/bsnlp/**/*", "reports/baseline/predictions/dev.jsonl"),
        (
            *("stage error_page", "score corpora/bsnlp2019/annotated reports/bsnlp"),
            "compare reports/predictions/dev.jsonl reports/baseline/predictions/dev.jsonl --output page.html",
            "compare reports/predictions/dev.jsonl reports/baseline/predictions/dev.jsonl --json",
        ),
        weight=2,
    ),
    "scored folders": Target(
        ("corpora/bsnlp2019", "corpora/bsnlp"),
        ("corpora/bsnlp2019/annotated/**/*", "corpora/bsnlp/annotated/**/*"),
        (
            "score corpora/bsnlp2019/annotated corpora/bsnlp/annotated",
            "score corpora/bsnlp2019/annotated corpora/bsnlp/annotated --by-name --allow-missing --json",
            "score corpora/bsnlp/annotated corpora/bsnlp2019 --allow-missing",
        ),
        weight=2,
    ),
    "stages that read reports": Target(
        ("params.yaml", "dvc.yaml", ".dvc", "data", "reports", "models", "encoders/bert"),
        ("reports/*.csv", "reports/*.json", "reports/baseline/*.json", "dvc.yaml"),
        ("stage evaluate", "stage plots_page", "bundle models/head out"),
        weight=0.3,
        threads=True,  # of the library that draws plots
    ),
    "texts": Target(
        ("corpora/text", *MODEL),
        ("corpora/text/*",),
        tuple(f"predict --model models/head corpora/text {' '.join(QUICK)} --from {form}" for form in
              ("text", "lines", "text --to html", "text --to conll", "lines --to text --skip-errors")),
    ),
    "texts with annotations": Target(
        ("corpora/iob", "corpora/jsonl", "corpora/bsnlp2019", "corpora/slavicner", *MODEL),
        ("corpora/*/**/*",),
        tuple(f"predict --model models/head corpora/{place} {' '.join(QUICK)} --from {form}" for place, form in
              (("iob", "conll"), ("jsonl", "jsonl"), ("bsnlp2019", "bsnlp2019"), ("slavicner", "slavicner"))),
    ),
}  # fmt: skip
"""The targets that damage files. `arguments` and `server` are beside them."""


def sound_places(folder: Path) -> list[str]:
    """All files and folders of the world that a command line may name."""
    return [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*"))]


def arguments(sound: Path, scratch: Path, rng: Random) -> tuple[Outcome, str]:
    """A command with options and arguments of all kinds, in a copy of the project."""
    copy(("params.yaml", "corpora", "models", "encoders/bert", "data", "reports"), sound, scratch)
    words = odd_arguments(rng, sound_places(sound))
    return run(commands, words), " ".join(map(repr, words))


def server(sound: Path, scratch: Path, rng: Random) -> tuple[Outcome, str]:
    """A request to the server."""
    return odd_request(rng)


Attempt = Callable[[Path, Path, Random], tuple[Outcome, str]]
ATTEMPTS: dict[str, tuple[Attempt, float]] = {
    **{name: (target.attempt, target.weight) for name, target in TARGETS.items()},
    "arguments": (arguments, 0.5),
    "server": (server, 6.0),
}
"""Each target with its share of the inputs."""
