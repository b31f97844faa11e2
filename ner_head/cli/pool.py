"""Commands `cache list` and `cache prune`: the pool of finished shards."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.cli.arguments import ParamsFile, example
from ner_head.cli.output import emit, tell

if TYPE_CHECKING:
    from ner_head.features.extraction.pool import Pool

PoolFolder = Annotated[Path | None, typer.Option(help="folder of the pool; by default that of the params")]
Stores = Annotated[
    list[Path] | None, typer.Option(help="a feature store that uses shards; by default data/features; may be repeated")
]
LIST_EXAMPLE = example("ner-head cache list")
PRUNE_EXAMPLE = example("ner-head cache prune --dry-run")


def list_shards(pool: PoolFolder = None, store: Stores = None, params: ParamsFile = Path("params.yaml")) -> None:
    """List the shards of the pool, one JSON line each, and whether a store uses them. Ends with a summary."""
    folder = pool_folder(pool, params)
    used, total = used_keys(store), Counter[bool]()
    for shard in open_pool(folder).shards():
        emit({"key": shard.key, "bytes": shard.n_bytes, "links": shard.n_links, "in_use": shard.key in used})
        total[shard.key in used] += shard.n_bytes
    tell(f"{sum(total.values()):,} bytes, {total[False]:,} of them in no store")


def prune_shards(
    pool: PoolFolder = None,
    store: Stores = None,
    params: ParamsFile = Path("params.yaml"),
    dry_run: Annotated[bool, typer.Option(help="only list the shards that would be removed")] = False,
) -> None:
    """Remove the shards that no store uses. Shards that DVC's cache links to stay there; `dvc gc` removes those."""
    folder = pool_folder(pool, params)
    removed = open_pool(folder).prune(used_keys(store), dry=dry_run)
    for shard in removed:
        emit({"key": shard.key, "bytes": shard.n_bytes, "bytes_freed": shard.n_freed})
    total, freed = sum(shard.n_bytes for shard in removed), sum(shard.n_freed for shard in removed)
    would = "would be " if dry_run else ""
    held = f"; {total - freed:,} bytes have other names (DVC's cache: `dvc gc`) and stay" if freed < total else ""
    tell(f"{len(removed)} shards of {total:,} bytes {would}removed, {freed:,} bytes {would}freed{held}")


def pool_folder(pool: Path | None, params: Path) -> Path:
    """The folder of the pool: the given one, or that of the params.

    Raises:
        UsageError: the params are wrong.
    """
    from ner_head.base.params import read_params
    from ner_head.base.runtime import RuntimeParams

    return pool or Path(read_params(params, "runtime", RuntimeParams).pool)


def open_pool(folder: Path) -> Pool:
    """The pool in a folder."""
    from ner_head.features.extraction.pool import Pool

    return Pool(folder)


def used_keys(stores: list[Path] | None) -> set[str]:
    """Keys of the shards that feature stores use.

    Raises:
        DataError: a given store does not exist.
    """
    from ner_head.features.store.manifest import read_manifest

    default = Path("data/features")
    chosen = stores if stores is not None else [default] if default.exists() else []
    return {shard.key for directory in chosen for shard in read_manifest(directory).shards}


def register(app: typer.Typer) -> None:
    """Add the group of commands to the command line."""
    group = typer.Typer(help="Manage the pool of finished shards.", no_args_is_help=True, rich_markup_mode=None)
    group.command("list", epilog=LIST_EXAMPLE)(list_shards)
    group.command("prune", epilog=PRUNE_EXAMPLE)(prune_shards)
    app.add_typer(group, name="cache", epilog=LIST_EXAMPLE)
