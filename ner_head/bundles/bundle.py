"""Make a bundle, which is a model and its encoder in one folder, or a wheel of it."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from ner_head.base.errors import system_error
from ner_head.base.files import digest_of, new_folder, write_whole
from ner_head.bundles.wheel import wheel_path, write_wheel
from ner_head.cards.card import Description, card, figures_of, licence_of
from ner_head.evaluation.figures import NAME as FIGURES
from ner_head.features.extraction.checkpoints import encoder_files
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.store.manifest import EncoderRecord
from ner_head.inference.saved_model import ModelManifest
from ner_head.models import CARD, INSIDE, RECORD, BundleRecord, check_bundle, read_bundle
from ner_head.namer import PART_FILES, folders_of
from ner_head.recognizer import Recognizer, check_encoder, encoder_folder

LEGAL = ("README.md", "LICEN[CS]E*", "NOTICE*")
"""Files of an encoder that are not read, but that its licence may require."""


def make_bundle(
    model: Path, output: Path, description: Description, *, encoder: str | None = None, load: str | None = None
) -> BundleRecord:
    """Copy a model and its encoder into a new folder, with a card and the digest of each file.

    The manifest of the bundle names the encoder by its folder in the bundle, so that the hub is never asked for it. The
    finished bundle is loaded once as a check, before it gets its name.

    Args:
        model: folder of a model.
        output: a folder that does not exist yet or is empty.
        description: what its author says about the model, for the card.
        encoder: folder of the encoder; by default the one that the model's manifest names.
        load: how the card names the model; by default the name of the folder.
    Raises:
        DataError: the model or the encoder is absent or damaged, or they do not fit.
        UsageError: the output is in use, or there is no such encoder.
        ResourceError: the disk is full or not writable.
    """
    check_bundle(model)
    manifest = ModelManifest.read(model)
    if not description.summary and (before := read_bundle(model)):
        description = replace(description, summary=before.summary)
    description = description.with_summary(manifest)
    source = encoder_folder(manifest.encoder, beside=model, given=encoder)
    check_encoder(Encoder(source, device=torch.device("cpu"), spec=manifest.encoder.spec, load=False), manifest.encoder)
    figures = figures_of(model)
    inside = f"encoder/{name_of(manifest.encoder, source)}"
    record = manifest.encoder.model_copy(update={"model": inside, "local": True})
    bundled = manifest.model_copy(update={"encoder": record})
    with new_folder(output) as whole:
        (whole / inside).mkdir(parents=True)
        legal = [file for pattern in LEGAL for file in sorted(source.glob(pattern)) if is_of_encoder(file)]
        for file in [*encoder_files(source), *legal]:
            shutil.copyfile(file, whole / inside / file.name)  # the content; the file may be a link
        for name in manifest.files:
            shutil.copyfile(model / name, whole / name)
        for name, folder in folders_of(model).items():
            (whole / name).mkdir()
            for part in PART_FILES[name]:  # nothing else that is in the folder, which may link to anything
                if (folder / part).is_file():
                    shutil.copyfile(folder / part, whole / name / part)
        bundled.write(whole)
        if figures is not None:
            figures.write(whole / FIGURES)
        found = BundleRecord(name=description.name, summary=description.summary, files=digests(whole))
        text = card(bundled, description, load=load or output.name, licence=licence_of(source), figures=figures)
        write_whole(whole / CARD, text.encode())
        write_whole(whole / RECORD, (found.model_dump_json(indent=1) + "\n").encode())
        Recognizer.load(whole, device="cpu")
    return found


def make_wheel(
    model: Path, output: Path, description: Description, *, release: str, encoder: str | None = None
) -> Path:
    """Write a wheel with a package that contains a bundle of a model.

    Args:
        model: folder of a model.
        output: folder to write the wheel to; it may have other files.
        description: what its author says about the model; the name is that of the package.
        release: version of the package.
        encoder: folder of the encoder; by default the one that the model's manifest names.
    Returns:
        The path of the wheel.
    Raises:
        UsageError: name or version are no name or version of a package, or the wheel exists; or as in `make_bundle`.
        DataError, ResourceError: as in `make_bundle`.
    """
    path = wheel_path(output, description.name, release)
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=f".{description.name}.") as temporary:
            bundle = Path(temporary, INSIDE)
            write_wheel(path, bundle, make_bundle(model, bundle, description, encoder=encoder, load=description.name))
    except OSError as error:
        raise system_error(error, None if error.filename else path) from None
    return path


def is_of_encoder(file: Path) -> bool:
    """Whether a file that nothing checks is a file of its encoder, and no link to another file of this machine.

    Caches are full of links: huggingface_hub's lead to `blobs/DIGEST`, and DVC's to `files/md5/XX/DIGEST`.
    """
    folder, real = file.parent.resolve(), file.resolve()
    cached = real.parent.name == "blobs" or real.parts[-4:-2] == ("files", "md5")
    return real.is_file() and (folder in real.parents or cached)


def name_of(encoder: EncoderRecord, folder: Path) -> str:
    """The name of an encoder, without the owner or the folder that it is in."""
    name = Path(encoder.model).name
    return folder.absolute().name if name in ("", "..") else name


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file in a folder, by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): digest_of(path) for path in files}
