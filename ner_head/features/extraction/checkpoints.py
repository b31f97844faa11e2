"""Where an encoder is: in a folder, in a folder around a trained model, or on the Hugging Face hub."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ner_head.base.errors import DataError, UsageError, system_error
from ner_head.base.files import check_new, new_folder

HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
HUB_FILES = ["config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*.json", "vocab.txt"]
BUNDLED = "encoders"


def find_encoder(encoder_name: str, *, local: bool = False, beside: Path | None = None) -> Path:
    """The folder of an encoder. For a name on the hub, the files are downloaded to the cache of huggingface_hub.

    The hub is not asked for a name that looks like a path or that is known to be a folder, because someone else's
    encoder could have this name there.

    Args:
        encoder_name: a folder, absolute or relative to the current one, or a name on the hub.
        local: whether the name is known to be a folder.
        beside: a trained model. A relative folder is first looked for in the model itself, which may be a bundle, then
            in all folders around it, because the path is relative to the project that trained the model.
    Raises:
        UsageError: there is no such folder, and there is no such encoder on the hub or no network.
        DataError: the encoder on the hub has no weights in a supported format.
    """
    for folder in _candidates(encoder_name, beside):
        if folder.is_dir():
            return folder
    around = f" or in a folder around {beside}" if beside else ""
    if local or looks_local(encoder_name):
        raise UsageError(
            f"encoder {encoder_name!r}: no such folder here{around}, and the hub is not asked for a folder; give the "
            "place of the encoder (`--encoder FOLDER`, `encoder.model` in params.yaml)"
        )
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    return _download(
        encoder_name,
        f"no such folder here{around}, and the hub did not give it",
        "check the name and the network, or give a folder (`--encoder FOLDER`, `encoder.model` in params.yaml)",
    )


def local_encoder(encoder_name: str) -> Path:
    """The folder of an encoder, for the pipeline: DVC tracks the encoder's files, so they must be in a folder.

    Raises:
        UsageError: there is no such folder.
    """
    folder = Path(encoder_name).expanduser()
    if folder.is_dir():
        return folder
    if looks_local(encoder_name):
        mend = "give the folder of an encoder; `ner-head fetch NAME` downloads one from the Hugging Face hub"
    else:
        target = default_folder(encoder_name)
        mend = f"run `ner-head fetch {encoder_name}`, then set encoder.model to {target}"
    raise UsageError(f"encoder.model: no folder {encoder_name!r}; {mend}")


def default_folder(encoder_name: str) -> Path:
    """The folder that an encoder is fetched to: `encoders/NAME`, without the owner."""
    return Path(BUNDLED, encoder_name.rpartition("/")[2])


def fetch(encoder_name: str, folder: Path | None = None) -> Path:
    """Download an encoder from the Hugging Face hub into a folder of plain files.

    Only the config, the tokenizer and weights as safetensors, or one GGUF file, are downloaded; no pickles, no code.
    The folder appears when it is complete.

    Args:
        encoder_name: name on the hub.
        folder: a folder that does not exist yet or is empty; `default_folder` if None.
    Returns:
        The folder.
    Raises:
        UsageError: the folder is in use, the name is not one of the hub, or the hub cannot be reached or lacks it.
        DataError: it is not an encoder that can be used.
        ResourceError: the disk is full or not writable.
    """
    from ner_head.features.extraction.families import EncoderFiles  # imports torch

    if not HUB_NAME.fullmatch(encoder_name):
        raise UsageError(f"encoder {encoder_name!r}: not a name on the Hugging Face hub, such as owner/name")
    folder = folder or default_folder(encoder_name)
    check_new(folder)
    found = _download(encoder_name, "the hub did not give it", "check the name and the network")
    EncoderFiles.open(found)  # an unusable encoder is an error now rather than in the pipeline
    with new_folder(folder) as whole:
        for file in encoder_files(found):
            shutil.copyfile(file, whole / file.name)  # the content; files of the cache are links
    return folder


def _download(encoder_name: str, problem: str, mend: str) -> Path:
    """The folder of an encoder in the cache of huggingface_hub, downloaded unless it is there already.

    Raises:
        UsageError: the hub cannot be reached or lacks the encoder; says the problem and how to mend it.
        DataError: it has no weights in a supported format.
    """
    from huggingface_hub import hf_hub_download, list_repo_files, snapshot_download
    from huggingface_hub.constants import HF_HUB_CACHE

    try:
        found = Path(snapshot_download(encoder_name, allow_patterns=HUB_FILES, ignore_patterns=["*/*"]))
        if any(found.glob("*.safetensors")) or any(found.glob("*.gguf")):
            return found
        quantised = sorted(name for name in list_repo_files(encoder_name) if re.fullmatch(r"[^/]+\.gguf", name))
        if quantised:
            hf_hub_download(encoder_name, quantised[0])
            return found
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise system_error(error, Path(HF_HUB_CACHE)) from None
        raise UsageError(f"encoder {encoder_name!r}: {problem} ({type(error).__name__}); {mend}") from None
    raise DataError(f"encoder {encoder_name!r}: the hub has no *.safetensors or *.gguf of it (pickles are not loaded)")


def encoder_files(folder: Path) -> list[Path]:
    """The files of an encoder, without others that the cache may have, such as pickles."""
    found = sorted({file for pattern in HUB_FILES for file in folder.glob(pattern)})
    return found if any(folder.glob("*.safetensors")) else [*found, *sorted(folder.glob("*.gguf"))[:1]]


def _candidates(encoder_name: str, beside: Path | None) -> Iterator[Path]:
    path = Path(encoder_name).expanduser()
    if beside is not None and not path.is_absolute():
        around = (*beside.absolute().parents, *beside.resolve().parents)  # it may be a link
        yield from (folder / path for folder in (beside, *around))
    yield path


def looks_local(encoder_name: str) -> bool:
    """Whether a name is a path rather than a name on the hub, by its form or because its first part exists here."""
    first = encoder_name.partition("/")[0]
    return first == BUNDLED or Path(first).exists() or not HUB_NAME.fullmatch(encoder_name)
