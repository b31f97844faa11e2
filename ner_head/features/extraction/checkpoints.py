"""Where an encoder's checkpoint is: in a folder, beside the project of a trained head, or on the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ner_head.base.errors import UsageError

HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
HUB_FILES = ["config.json", "*.safetensors", "*.safetensors.index.json", "tokenizer*.json", "vocab.txt"]
BUNDLED = "encoders"


def find_model(model: str, *, local: bool = False, beside: Path | None = None) -> Path:
    """The folder of a checkpoint: as given, or from the hub (or its local cache) for a name.

    The hub is never asked for what looks like a path or was a folder once: a stranger's model could answer.

    Args:
        model: a folder, absolute or relative to the current one, or a name on the hub.
        local: whether it is known to be a folder.
        beside: a trained head; the folder is looked for in all folders around it too, and there first: the path is
            relative to the project that trained it.
    Raises:
        UsageError: no such folder, and no such name or no network.
    """
    for folder in _places(model, beside):
        if folder.is_dir():
            return folder
    around = f" or in a folder around {beside}" if beside else ""
    if local or looks_local(model):
        raise UsageError(
            f"encoder {model!r}: no such folder here{around}, and the hub is not asked for a folder; give the place "
            "of the encoder (`--encoder FOLDER`, `encoder.model` in params.yaml)"
        )
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=HUB_FILES))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"encoder {model!r}: no such folder here{around}, and the hub did not give it ({type(error).__name__}); "
            "check the name and the network, or give a folder (`--encoder FOLDER`, `encoder.model` in params.yaml)"
        ) from None


def _places(model: str, beside: Path | None) -> Iterator[Path]:
    path = Path(model).expanduser()
    if beside is not None and not path.is_absolute():
        around = (*beside.absolute().parents, *beside.resolve().parents)  # it may be a link
        yield from (folder / path for folder in around)
    yield path


def looks_local(model: str) -> bool:
    """Whether a string is a path rather than a name on the hub: by its form, or because its first part is here."""
    first = model.partition("/")[0]
    return first == BUNDLED or Path(first).exists() or not HUB_NAME.fullmatch(model)
