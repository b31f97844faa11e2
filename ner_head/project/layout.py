"""Lay out a project outside of the repository: params.yaml, dvc.yaml, an encoder and a DVC repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import ner_head
from ner_head.base.errors import ResourceError, UsageError, system_error
from ner_head.base.extras import require_extra
from ner_head.base.files import write_whole
from ner_head.base.params import round_trip

PACKAGE = Path(__file__).parents[1]
ENCODER = Path("encoders/multilingual-e5-small")
INSTALLED, CHECKOUT = "ner_head.stages", "stages"
REQUIREMENTS = "requirements.txt"
PLOTS = ".dvc/plots"  # templates of plots
HEADER = f"""\
# The pipeline, written by `ner-head init`. `dvc repro` runs what is out of date. After an upgrade of ner-head, write
# the new version into {REQUIREMENTS}: then all stages run again.
"""
GITIGNORE = "/data/pool/\n/data/training/\n"
LINKS = '[cache]\n    type = "hardlink,symlink"\n'  # features are not copied


def check_new(directory: Path) -> None:
    """Check that a project can be written into a folder and run there.

    Raises:
        UsageError: the folder has a params.yaml or a dvc.yaml, or the pipeline's libraries are not installed.
    """
    require_extra("train", "dvc", "pycrfsuite", "scipy")
    for name in ("params.yaml", "dvc.yaml"):
        if (directory / name).exists():
            raise UsageError(f"{directory / name}: exists already; give another folder, or run `ner-head init` in it")


def lay_out(directory: Path) -> None:
    """Write the files of a project into a folder that `check_new` has checked, and initialise DVC there.

    The stages are modules of the installed package, so a stage depends on its data, its params and the version of
    ner-head in requirements.txt.

    Raises:
        ResourceError: the folder cannot be written, or DVC cannot be initialised.
    """
    if (encoder := bundled_encoder()) is not None:
        _copy_folder(encoder, directory / ENCODER)
    directory.mkdir(parents=True, exist_ok=True)
    _initialise_dvc(directory)
    write_whole(directory / REQUIREMENTS, f"ner-head[train]=={ner_head.__version__}\n".encode())
    if not (directory / ".gitignore").exists():
        write_whole(directory / ".gitignore", GITIGNORE.encode())
    templates = _templates()
    write_whole(directory / "dvc.yaml", pipeline(templates / "dvc.yaml").encode())
    write_whole(directory / "params.yaml", (templates / "params.yaml").read_bytes())
    _copy_folder(templates / PLOTS, directory / PLOTS)


def pipeline(template: Path) -> str:
    """The dvc.yaml of a project: that of the repository, with the version of ner-head in place of its code."""
    yaml = round_trip()
    content = yaml.load(template.read_text(encoding="utf-8"))
    modules = INSTALLED if find_spec(INSTALLED) else CHECKOUT
    for stage in content["stages"].values():
        stage["cmd"] = stage["cmd"].replace(f"-m {CHECKOUT}.", f"-m {modules}.")
        code = [name for name in stage["deps"] if name.startswith(("ner_head/", "stages/"))]
        for name in code:
            stage["deps"].remove(name)
        stage["deps"].append(REQUIREMENTS)
    content.ca.comment = None  # the comment at the start is about the repository
    with StringIO() as text:
        yaml.dump(content, text)
        return HEADER + text.getvalue()


def bundled_encoder() -> Path | None:
    """The folder of the encoder that comes with the repository or with the package; None if there is none."""
    found = [PACKAGE.parent / ENCODER, PACKAGE / "bundled/encoder" / ENCODER.name]
    return next((folder for folder in found if (folder / "config.json").is_file()), None)


def _templates() -> Path:
    """The folder of params.yaml and dvc.yaml: in an installed package, or the repository."""
    installed = PACKAGE / "project"
    return installed if (installed / "dvc.yaml").is_file() else PACKAGE.parent


def _copy_folder(source: Path, target: Path) -> None:
    try:
        shutil.copytree(source, target, dirs_exist_ok=True)
    except OSError as error:
        raise system_error(error, target) from None


def _initialise_dvc(directory: Path) -> None:
    """Run `dvc init`, if the folder is in no DVC repository yet."""
    if (directory / ".dvc").is_dir():
        return
    around = [folder for folder in (directory.absolute(), *directory.absolute().parents) if (folder / ".git").exists()]
    options = ["--no-scm"] if not around else ["--subdir"] if around[0] != directory.absolute() else []
    command = [sys.executable, "-m", "dvc", "init", "--quiet", *options]
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "DVC_NO_ANALYTICS": "1"},  # the project's config says so too, once there is one
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ResourceError(f"{directory}: `dvc init` failed: {last}")
    config = directory / ".dvc/config"
    core = config.read_text(encoding="utf-8").removeprefix("[core]\n")
    write_whole(config, f"[core]\n    analytics = false\n{core}{LINKS}".encode())
