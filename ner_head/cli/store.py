"""Commands `verify` and `inspect`: check and describe a feature store."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ner_head.base.errors import DamagedShardError, NerHeadError
from ner_head.cli.arguments import Store, example, require_manifest
from ner_head.cli.output import emit, tell

VERIFY_EXAMPLE = example("ner-head verify data/features --remove")
INSPECT_EXAMPLE = example("ner-head inspect data/features --export hewitt probes.h5")


class ExportLayout(StrEnum):
    """Layouts that a store can be exported in."""

    hewitt = "hewitt"


def verify(
    directory: Store = Path("data/features"),
    remove: Annotated[
        bool,
        typer.Option(
            help="remove damaged shards, with all hard links below this folder and below the store's project "
            "(pool, DVC's cache)"
        ),
    ] = False,
) -> None:
    """Check all shards of a feature store: digests, structure, finite numbers. Exits with 3 if any is damaged."""
    require_store(directory)

    from ner_head.features.store.store import FeatureStore  # imports torch
    from ner_head.features.store.verify import Contents, check_shards

    total, damaged, unchecked = Contents(), list[DamagedShardError](), list[NerHeadError]()
    for found in check_shards(FeatureStore.open(directory)):
        if isinstance(found, DamagedShardError):
            # a manifest names the same file twice if two groups of documents have the same words
            if found.path not in {error.path for error in damaged}:
                damaged.append(found)
        elif isinstance(found, NerHeadError):
            unchecked.append(found)
        else:
            total += found
    if remove and damaged:
        remove_shards(sorted({error.path for error in damaged}), directory, unchecked=len(unchecked))
    for error in [] if remove else damaged[: len(damaged) if unchecked else -1]:
        tell(f"ner-head: {error}")
    if unchecked:
        if len(unchecked) > 1:
            tell(f"{len(unchecked)} shards could not be checked, and none of them was removed; the first:")
        raise unchecked[0]
    if damaged:
        if remove:
            return
        raise damaged[-1]
    emit({"sound": True, "shards": total.shards, "sentences": total.sentences, "bytes": total.n_bytes})


def remove_shards(files: list[Path], directory: Path, *, unchecked: int) -> None:
    """Remove damaged shards, and report what was removed and which hard links remain."""
    from ner_head.features.store.verify import project_of, remove_everywhere

    here = Path.cwd()
    removed = remove_everywhere(files, [here, project_of(directory)])
    names = [str(path.relative_to(here) if path.is_relative_to(here) else path) for path in removed.paths]
    emit({"sound": False, "removed": names, "unchecked": unchecked})
    tell(f"{len(files)} damaged shards removed; `dvc repro extract` computes them again")
    if removed.left:
        tell(
            f"{removed.left} other names of them are left outside of {here} and of the store's project (a pool, "
            "DVC's cache): run this there too"
        )


def inspect(
    directory: Store = Path("data/features"),
    export: Annotated[
        tuple[ExportLayout, Path] | None,
        typer.Option(help="also write all sentences to a file of another layout: hewitt FILE"),
    ] = None,
) -> None:
    """Describe the content of a feature store as one JSON line."""
    require_store(directory)

    from dataclasses import asdict

    from ner_head.features.store.store import FeatureStore  # imports torch
    from ner_head.features.store.verify import contents

    store = FeatureStore.open(directory)
    emit({"encoder": store.manifest.encoder.model_dump(), **asdict(contents(store))})
    if export:
        from ner_head.probing.hewitt import export_hewitt

        count = export_hewitt(store, export[1])
        tell(f"{export[1]}: {count} sentences")


def require_store(directory: Path) -> None:
    """Check that a folder has the manifest of a feature store.

    Raises:
        DataError: it has none.
    """
    require_manifest(directory, mend="run `dvc repro extract`")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(epilog=VERIFY_EXAMPLE)(verify)
    app.command(epilog=INSPECT_EXAMPLE)(inspect)
