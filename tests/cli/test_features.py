"""The commands about feature stores: verify, inspect, plan, cache."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from ner_head.cli import main as cli
from ner_head.corpus.documents import Document
from ner_head.corpus.records import write_documents
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.extract import extract
from ner_head.features.extraction.pool import Pool
from ner_head.features.extraction.workers import Workers
from ner_head.features.store import digests
from ner_head.features.store.store import FeatureStore

Result = tuple[int, list[dict[str, object]], str]


@pytest.fixture
def project(
    documents: list[Document], encoder: Encoder, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with params, prepared documents and extracted features."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(
        "prepare: {source: corpus.jsonl, format: jsonl, splits: {train: [news]}}\n"
        f"encoder: {{model: {tiny_encoder}, shard_words: 10}}\nruntime: {{pool: pool, batch_pieces: 256}}\n"
    )
    write_documents(tmp_path / "corpus.jsonl", documents)
    write_documents(tmp_path / "data/prepared/train.jsonl", documents[:4])
    write_documents(tmp_path / "data/prepared/dev.jsonl", documents[4:])
    write_documents(tmp_path / "data/prepared/test.jsonl", [])
    store(documents, encoder)
    return tmp_path


def store(documents: list[Document], encoder: Encoder) -> FeatureStore:
    output = Path("data/features")
    shutil.rmtree(output, ignore_errors=True)
    extract(
        documents,
        encoder,
        encoder_name="tiny",
        shard_words=10,
        batch_pieces=256,
        pool=Pool(Path("pool")),
        output=output,
        workers=Workers(show="none"),
    )
    return FeatureStore.open(output)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["ner-head", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        output = capsys.readouterr()
        return int(stop.value.code or 0), [json.loads(line) for line in output.out.splitlines()], output.err

    return call


def test_verify_passes_a_sound_store_and_names_damaged_files(project: Path, run) -> None:
    code, (found,), _ = run("verify")
    assert (code, found["sound"], found["sentences"]) == (0, True, 12)
    victims = sorted(Path("data/features").glob("*.h5"))[:2]
    for victim in victims:
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 4
        victim.write_bytes(content)
    code, out, err = run("verify", "data/features")
    assert (code, out) == (3, [])
    assert all(victim.name in err for victim in victims)
    assert len(err.splitlines()) == 2
    shutil.rmtree("data/features")
    assert run("verify")[0] == 3


def test_verify_removes_a_damaged_shard_under_all_its_names(project: Path, run) -> None:
    victim = sorted(Path("data/features").glob("*.h5"))[0]
    cache = Path(".dvc/cache/files/md5/ab/cdef")
    cache.parent.mkdir(parents=True)
    cache.hardlink_to(victim)
    links = victim.stat().st_nlink
    with victim.open("r+b") as handle:  # in place, so that all names see it
        handle.seek(3000)
        handle.write(bytes([handle.read(1)[0] ^ 1]))
    assert run("verify")[0] == 3
    assert cache.exists()
    code, (found,), err = run("verify", "--remove")
    assert code == 0
    assert len(found["removed"]) == links
    assert str(cache) in found["removed"]
    assert not victim.exists()
    assert not cache.exists()
    assert "1 damaged shards removed" in err
    assert run("verify")[0] == 3  # it is not there


def damage(path: Path) -> None:
    """In place, so that all names see it."""
    with path.open("r+b") as handle:
        handle.seek(3000)
        handle.write(bytes([handle.read(1)[0] ^ 1]))


def test_a_store_of_another_folder_is_cleaned_with_its_projects_pool_and_cache(
    project: Path, run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "dvc.yaml").touch()
    victim = sorted((project / "data/features").glob("*.h5"))[0]
    names = [project / ".dvc/cache/ab/cdef", tmp_path_factory.mktemp("elsewhere") / "copy"]
    for name in names:
        name.parent.mkdir(parents=True, exist_ok=True)
        name.hardlink_to(victim)
    damage(victim)
    before = {path for path in project.rglob("*.h5") if path.samefile(victim)}
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    code, (found,), err = run("verify", str(project / "data/features"), "--remove")
    assert code == 0
    assert set(found["removed"]) == {str(path) for path in (*before, names[0])}
    assert not [path for path in (*before, names[0]) if path.exists()]
    assert "1 other names of them are left outside" in err
    assert names[1].exists()


def test_what_cannot_be_checked_is_not_removed_beside_what_is_damaged(
    project: Path, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, *locked = sorted(Path("data/features").glob("*.h5"))
    damage(victim)
    real = digests.digest_of

    def refused(path: Path) -> str:
        if path in locked:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(digests, "digest_of", refused)
    code, (found,), err = run("verify", "--remove")
    assert (code, found["unchecked"]) == (3, 4)
    assert str(victim) in found["removed"]
    assert not {str(path) for path in locked} & set(found["removed"])
    assert all(path.exists() for path in locked)
    assert not victim.exists()
    assert "4 shards could not be checked, and none of them was removed; the first:" in err
    assert ".h5: Permission denied" in err.splitlines()[-1]


def test_a_shard_that_cannot_be_removed_is_one_line(project: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    damage(sorted(Path("data/features").glob("*.h5"))[0])

    def refused(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refused)
    code, out, err = run("verify", "--remove")
    assert (code, out) == (3, [])
    assert err.endswith(".h5: Permission denied\n")
    assert "removed" not in err


def test_prune_says_what_leaves_the_pool_and_what_that_frees(
    project: Path, documents: list[Document], encoder: Encoder, run
) -> None:
    shards = list(Pool(Path("pool")).shards())
    store(documents[:2], encoder)
    used = {shard.key for shard in FeatureStore.open(Path("data/features")).manifest.shards}
    unused = [shard for shard in shards if shard.key not in used]
    cache = Path(".dvc/cache/ab/cdef")
    cache.parent.mkdir(parents=True)
    cache.hardlink_to(unused[0].path)
    total, held = sum(shard.n_bytes for shard in unused), unused[0].n_bytes
    code, dry, err = run("cache", "prune", "--dry-run")
    assert code == 0
    assert err == (
        f"{len(unused)} shards of {total:,} bytes would be removed, {total - held:,} bytes would be freed; "
        f"{held:,} bytes have other names (DVC's cache: `dvc gc`) and stay\n"
    )
    assert {row["key"]: (row["bytes"], row["bytes_freed"]) for row in dry} == {
        shard.key: (shard.n_bytes, 0 if shard is unused[0] else shard.n_bytes) for shard in unused
    }
    code, done, err = run("cache", "prune")
    assert done == dry
    assert err.startswith(f"{len(unused)} shards of {total:,} bytes removed, {total - held:,} bytes freed; ")


def test_inspect_says_what_a_store_holds(project: Path, run) -> None:
    code, (found,), _ = run("inspect", "data/features")
    opened = FeatureStore.open(Path("data/features"))
    assert code == 0
    assert found["encoder"] == opened.manifest.encoder.model_dump()
    assert (found["documents"], found["sentences"]) == (6, 12)
    assert found["pieces"] == sum(opened.n_pieces(name) for name in opened)


def test_export_writes_one_dataset_a_sentence_in_the_structural_probes_layout(project: Path, run) -> None:
    code, _, err = run("inspect", "--export", "hewitt", "probes.h5")
    assert code == 0
    assert err == "probes.h5: 12 sentences\n"
    opened = FeatureStore.open(Path("data/features"))
    with h5py.File("probes.h5") as file:
        index = json.loads(file["sentence_to_index"][()])
        assert index == {name: str(number) for number, name in enumerate(opened)}
        assert sorted(int(name) for name in file if name.isdecimal()) == list(range(12))
        for number, name in enumerate(opened):
            rows = file[str(number)]
            assert rows.dtype == np.float32
            assert rows.shape == (3, opened.n_pieces(name) + 1, 16)  # [CLS] pieces [SEP]
            np.testing.assert_array_equal(rows[:, :-1], opened[name].hidden.transpose(1, 0, 2))
            np.testing.assert_array_equal(rows[:, -1], opened[name].separator)


def test_plan_counts_what_is_missing_and_times_the_encoder(
    project: Path, documents: list[Document], encoder: Encoder, run
) -> None:
    code, (found,), _ = run("plan", "--seconds", "0.2")
    assert (code, found["missing_shards"], found["bytes_to_write"], found["seconds"]) == (0, 0, 0, 0.0)
    shutil.rmtree("pool")
    code, (found,), _ = run("plan", "--seconds", "0.2")
    opened = FeatureStore.open(Path("data/features"))
    pieces = sum(opened.n_pieces(name) for name in opened)
    assert (found["documents"], found["sentences"], found["pieces"]) == (6, 12, pieces)
    assert found["missing_shards"] == len({shard.key for shard in opened.manifest.shards})
    separators = sum({shard.key: shard.n_sentences for shard in opened.manifest.shards}.values())
    assert found["bytes_to_write"] == (found["missing_pieces"] + separators) * 3 * 16 * 2
    assert found["pieces_per_second"] > 0
    code, (again,), _ = run("plan", "--seconds", "0", *(f"data/prepared/{split}.jsonl" for split in ("train", "dev")))
    counted = ("documents", "sentences", "pieces", "shards", "missing_shards", "missing_pieces", "bytes_to_write")
    assert [again[name] for name in counted] == [found[name] for name in counted]
    assert found["seconds"] == pytest.approx(found["missing_pieces"] / found["pieces_per_second"], rel=0.05, abs=0.1)


def test_plan_refuses_a_disk_that_is_too_small(project: Path, run, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree("pool")
    usage = shutil.disk_usage(project)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    code, (found,), err = run("plan", "--seconds", "0")
    assert (code, found["fits"]) == (4, False)
    assert "bytes needed, 1,000 are free" in err


def test_the_pool_is_listed_and_pruned_of_what_no_store_uses(
    project: Path, documents: list[Document], encoder: Encoder, run
) -> None:
    before = {shard.key for shard in Pool(Path("pool")).shards()}
    used = {shard.key for shard in store(documents[:2], encoder).manifest.shards}
    assert before > used
    code, found, err = run("cache", "list")
    assert code == 0
    assert {row["key"]: row["in_use"] for row in found} == {key: key in used for key in before}
    unused = sum(row["bytes"] for row in found if not row["in_use"])
    assert f"{unused:,} of them in no store" in err
    code, dry, err = run("cache", "prune", "--dry-run")
    assert f"{unused:,} bytes would be freed" in err
    assert {shard.key for shard in Pool(Path("pool")).shards()} == before
    code, freed, _ = run("cache", "prune")
    assert freed == dry
    assert {shard.key for shard in Pool(Path("pool")).shards()} == used
    assert run("verify")[0] == 0
    assert run("cache", "prune", "--store", "nowhere")[0] == 3
