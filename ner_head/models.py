"""Trained models: where they are, and whether their files are sound. Nothing here imports torch.

A model is a folder. A bundle is a model with its encoder inside (`ner_head.bundles`); its `bundle.json` has the digest
of each file. A Python package can contain a bundle: its entry point of the group `ner_head_models` gives it a name, and
its folder `model` is the bundle.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from packaging.utils import canonicalize_name
from pydantic import AfterValidator, Field, ValidationError

from ner_head.base.errors import DataError, system_error
from ner_head.base.files import digest_of
from ner_head.base.params import Params, first_problem

TRAINED = Path("models/head")
"""The model of the pipeline, relative to the project."""
BUNDLED = Path(__file__).parent / "bundled"
"""The bundle inside of this package. Only the wheel of `make wheel` has it."""
GROUP = "ner_head_models"
INSIDE = "model"
"""The folder of the bundle in a package."""
MANIFEST, RECORD, CARD = "manifest.json", "bundle.json", "README.md"
MOST_NAMED = 3  # damaged files in a message


def inside(name: str) -> str:
    """Check that a name in a manifest is the path of a file inside of the folder of the manifest.

    Raises:
        ValueError: it leads elsewhere.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0] or "\0" in name:
        raise ValueError(f"{name!r:.80} is no path inside of the folder")
    return name


Inside = Annotated[str, AfterValidator(inside)]
"""A path relative to the folder that names it, and inside of it."""


class BundleRecord(Params):
    """`bundle.json` of a bundle."""

    version: Literal[1] = 1
    name: str
    summary: str
    """What the model is, in one line."""
    files: dict[Inside, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    """SHA-256 of each file that is read, by its path relative to the bundle."""


def find_model(name: str | Path) -> Path:
    """The folder of a model.

    A folder with a model comes before an installed model of the same name.

    Args:
        name: folder of a model, or name of an installed one. In names, `-`, `_` and `.` are the same.
    Raises:
        DataError: there is no such model.
    """
    folder = Path(name).expanduser()
    try:
        (folder / MANIFEST).stat()
    except OSError as error:
        names = {} if isinstance(name, Path) else installed_models()
        found = names.get(canonicalize_name(str(name)))
        if found is None:
            others = f", or give the name of an installed model ({', '.join(names)})" if names else ""
            raise system_error(error, folder / MANIFEST, mend=f"train one with `dvc repro`{others}") from None
        return _inside(found)
    return folder


def installed_models() -> dict[str, EntryPoint]:
    """The models in installed packages, by normalised name."""
    return {canonicalize_name(found.name): found for found in entry_points(group=GROUP)}


def _inside(model: EntryPoint) -> Path:
    """The folder of an installed model. Its package is not imported.

    Raises:
        DataError: the package or the model is not there.
    """
    spec = find_spec(model.module.partition(".")[0])
    if spec is None or spec.origin is None or not (Path(spec.origin).parent / INSIDE / MANIFEST).is_file():
        raise DataError(f"{model.name}: the package {model.module} has no model in it; install it again")
    return Path(spec.origin).parent / INSIDE


def default_model() -> Path:
    """The model of the project in the current folder, or else the model inside of this package.

    Raises:
        DataError: there is neither.
    """
    if TRAINED.is_dir():
        return TRAINED
    if (BUNDLED / MANIFEST).is_file():
        return BUNDLED
    names = ", ".join(installed_models()) or "none"
    raise DataError(
        f"no model: there is no {TRAINED} here, and this installation has no model inside; give a folder or the name "
        f"of an installed model (installed: {names}), or train one with `dvc repro`"
    )


def demonstration(folder: Path) -> str:
    """A line about the model inside of this package, for those who did not ask for it; "" for any other model.

    Raises:
        DataError: its record is damaged.
    """
    record = read_bundle(folder) if folder == BUNDLED else None
    return f"no model is given, so {record.name} is used: {record.summary}" if record else ""


def given_or_default(model: Path | str | None) -> Path:
    """The folder of a model. If none is given and the model inside of this package is taken, a warning says so.

    Raises:
        DataError: there is no such model.
    """
    if model is not None:
        return find_model(model)
    directory = default_model()
    if line := demonstration(directory):
        warnings.warn(line, stacklevel=3)
    return directory


def read_bundle(folder: Path) -> BundleRecord | None:
    """Read `bundle.json` of a model; None for a model that is not a bundle.

    Raises:
        DataError: it is damaged.
    """
    path = folder / RECORD
    try:
        return BundleRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise system_error(error, path) from None
    except ValidationError as error:
        raise DataError(f"{path}: damaged: {first_problem(error)}") from None


def check_bundle(folder: Path) -> None:
    """Check the digest of each file of a bundle. A model that is not a bundle has none.

    Raises:
        DataError: files are damaged or absent; names the first of them.
    """
    record = read_bundle(folder)
    if record is not None:
        check_digests(folder, record.files, mend="copy or install the model again")


def check_digests(folder: Path, files: Mapping[str, str], *, mend: str) -> None:
    """Check the digests of files.

    Args:
        folder: the folder of the files.
        files: SHA-256 of each file, by its path relative to the folder.
        mend: what to do about damage, for the message.
    Raises:
        DataError: files are damaged or absent; names the first of them.
    """
    checked = {name: _problem(folder / name, digest) for name, digest in files.items()}
    problems = [f"{name} ({problem})" for name, problem in checked.items() if problem]
    if problems:
        more = f" and {len(problems) - MOST_NAMED} more" if len(problems) > MOST_NAMED else ""
        raise DataError(f"{folder}: damaged: {', '.join(problems[:MOST_NAMED])}{more}; {mend}")


def _problem(path: Path, digest: str) -> str:
    """What is wrong with a file; "" for a sound one."""
    try:
        if path.exists() and not path.is_file():  # a device or a pipe may have no end
            return "not a file"
        found = digest_of(path)
    except FileNotFoundError:
        return "absent"
    except OSError as error:  # a failing disk or a missing permission is no damage
        raise system_error(error, path) from None
    return "" if found == digest else f"SHA-256 {found[:12]}, expected {digest[:12]}"
