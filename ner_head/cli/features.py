"""Commands about feature stores: verify, inspect, plan, cache."""

from __future__ import annotations

import json
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ner_head.base.errors import DamagedShardError, NerHeadError, ResourceError

if TYPE_CHECKING:
    from ner_head.features.extraction.pool import Pool

Store = Annotated[Path, typer.Argument(help="folder of a feature store")]
ParamsFile = Annotated[Path, typer.Option(help="the pipeline's params")]
PoolFolder = Annotated[Path | None, typer.Option(help="the pool; as in params.yaml unless given")]
Stores = Annotated[list[Path] | None, typer.Option(help="a store whose shards are in use; data/features unless given")]

cache = typer.Typer(help="The pool of finished shards.", no_args_is_help=True, rich_markup_mode=None)


class Layout(StrEnum):
    """What a store can be exported as."""

    hewitt = "hewitt"


def emit(record: object) -> None:
    """One JSON line on standard output."""
    typer.echo(json.dumps(record, ensure_ascii=False))


def verify(
    directory: Store = Path("data/features"),
    remove: Annotated[
        bool,
        typer.Option(
            help="remove damaged shards under all their names below this folder and below the store's project "
            "(pool, DVC's cache)"
        ),
    ] = False,
) -> None:
    """Read a feature store from end to end: digests, structure, finite numbers. Exit code 3 names what is damaged."""
    from ner_head.features.store.store import FeatureStore
    from ner_head.features.store.verify import Contents, check_shards

    total, damaged, unchecked = Contents(), list[DamagedShardError](), list[NerHeadError]()
    for found in check_shards(FeatureStore.open(directory)):
        if isinstance(found, DamagedShardError):
            # a manifest names the same file twice where two groups of documents have the same words
            if found.path not in {error.path for error in damaged}:
                damaged.append(found)
        elif isinstance(found, NerHeadError):
            unchecked.append(found)
        else:
            total += found
    if remove and damaged:
        remove_shards(sorted({error.path for error in damaged}), directory, unchecked=len(unchecked))
    for error in [] if remove else damaged[: len(damaged) if unchecked else -1]:
        typer.echo(f"ner-head: {error}", err=True)
    if unchecked:
        if len(unchecked) > 1:
            typer.echo(
                f"{len(unchecked)} shards could not be checked, and none of them was removed; the first:", err=True
            )
        raise unchecked[0]
    if damaged:
        if remove:
            return
        raise damaged[-1]
    emit({"sound": True, "shards": total.shards, "sentences": total.sentences, "bytes": total.n_bytes})


def remove_shards(files: list[Path], directory: Path, *, unchecked: int) -> None:
    """Remove what is proven wrong, and say what was removed and what is left."""
    from ner_head.features.store.verify import project_of, remove_everywhere

    here = Path.cwd()
    removed = remove_everywhere(files, [here, project_of(directory)])
    names = [str(path.relative_to(here) if path.is_relative_to(here) else path) for path in removed.paths]
    emit({"sound": False, "removed": names, "unchecked": unchecked})
    typer.echo(f"{len(files)} damaged shards removed; `dvc repro extract` computes them again", err=True)
    if removed.left:
        typer.echo(
            f"{removed.left} other names of them are left outside of {here} and of the store's project (a pool, "
            "DVC's cache): run this there too",
            err=True,
        )


def inspect(
    directory: Store = Path("data/features"),
    export: Annotated[
        tuple[Layout, Path] | None, typer.Option(help="also write all sentences in another layout: hewitt FILE")
    ] = None,
) -> None:
    """What a feature store holds, as one JSON line."""
    from dataclasses import asdict

    from ner_head.features.store.store import FeatureStore
    from ner_head.features.store.verify import contents

    store = FeatureStore.open(directory)
    emit({"encoder": store.manifest.encoder.model_dump(), **asdict(contents(store))})
    if export:
        from ner_head.features.store.hewitt import export_hewitt

        count = export_hewitt(store, export[1])
        typer.echo(f"{export[1]}: {count} sentences", err=True)


def plan(
    files: Annotated[
        list[Path] | None, typer.Argument(help="prepared documents (JSONL); else the corpus that params name is read")
    ] = None,
    params: ParamsFile = Path("params.yaml"),
    seconds: Annotated[float, typer.Option(min=0, help="how long to try the encoder")] = 5.0,
) -> None:
    """What `dvc repro extract` would take: shards missing, bytes, free disk, time. Exit code 4: no room."""
    from ner_head.base.params import read_params
    from ner_head.base.runtime import RuntimeParams
    from ner_head.corpus.documents import read_documents
    from ner_head.features.extraction.checkpoints import find_encoder
    from ner_head.features.extraction.encoder import Encoder
    from ner_head.features.extraction.estimate import estimate
    from ner_head.features.extraction.params import EncoderParams
    from ner_head.preparation.prepare import PrepareParams, prepare

    wanted = read_params(params, "encoder", EncoderParams)
    runtime = read_params(params, "runtime", RuntimeParams)
    encoder = Encoder(
        find_encoder(wanted.model),
        device=runtime.start(),
        spec=wanted.spec,
        load=False,
    )
    if files:
        documents = [document for file in files for document in read_documents(file)]
    else:
        splits = prepare(read_params(params, "prepare", PrepareParams)).splits
        documents = [document for split in splits.values() for document in split]
    found = estimate(
        documents,
        encoder,
        shard_words=wanted.shard_words,
        batch_pieces=runtime.batch_pieces,
        pool=Path(runtime.pool),
        workers=runtime.workers,
        probe_seconds=seconds,
    )
    emit({"encoder": wanted.model, **found.as_dict()})
    if not found.fits:
        raise ResourceError(f"{runtime.pool}: {found.bytes_to_write:,} bytes needed, {found.bytes_free:,} are free")


@cache.command("list")
def cache_list(pool: PoolFolder = None, store: Stores = None, params: ParamsFile = Path("params.yaml")) -> None:
    """One JSON line per shard of the pool (bytes, whether a store uses it), and a summary on standard error."""
    used, total = in_use(store), Counter[bool]()
    for shard in open_pool(pool, params).shards():
        emit({"key": shard.key, "bytes": shard.n_bytes, "links": shard.n_links, "in_use": shard.key in used})
        total[shard.key in used] += shard.n_bytes
    typer.echo(f"{sum(total.values()):,} bytes, {total[False]:,} of them in no store", err=True)


@cache.command("prune")
def cache_prune(
    pool: PoolFolder = None,
    store: Stores = None,
    params: ParamsFile = Path("params.yaml"),
    dry_run: Annotated[bool, typer.Option(help="only say what would be removed")] = False,
) -> None:
    """Remove the shards that no store uses. What DVC's cache links too stays there: `dvc gc` removes that."""
    removed = open_pool(pool, params).prune(in_use(store), dry=dry_run)
    for shard in removed:
        emit({"key": shard.key, "bytes": shard.n_bytes, "bytes_freed": shard.n_freed})
    total, freed = sum(shard.n_bytes for shard in removed), sum(shard.n_freed for shard in removed)
    would = "would be " if dry_run else ""
    held = f"; {total - freed:,} bytes have other names (DVC's cache: `dvc gc`) and stay" if freed < total else ""
    typer.echo(f"{len(removed)} shards of {total:,} bytes {would}removed, {freed:,} bytes {would}freed{held}", err=True)


def open_pool(pool: Path | None, params: Path) -> Pool:
    """The pool as given, or as params say."""
    from ner_head.base.params import read_params
    from ner_head.base.runtime import RuntimeParams
    from ner_head.features.extraction.pool import Pool

    return Pool(pool or Path(read_params(params, "runtime", RuntimeParams).pool))


def in_use(stores: list[Path] | None) -> set[str]:
    """Keys of the shards that stores list.

    Raises:
        DataError: a store that was named is not there.
    """
    from ner_head.features.store.store import read_manifest

    default = Path("data/features")
    chosen = stores if stores is not None else [default] if default.exists() else []
    return {shard.key for directory in chosen for shard in read_manifest(directory).shards}


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (verify, inspect, plan):
        app.command()(command)
    app.add_typer(cache, name="cache")
