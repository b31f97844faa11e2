"""Write section `prepare` of params.yaml for a corpus."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from ner_head.base.files import write_whole
from ner_head.base.params import read_sections, round_trip, validate
from ner_head.preparation.detection import Detected
from ner_head.preparation.prepare import PrepareParams
from ner_head.preparation.splits import SPLITS

NAMED = {
    "train": re.compile(r"train(ing)?"),
    "dev": re.compile(r"dev(el|elopment)?|valid(ation)?|val"),
    "test": re.compile(r"test(ing)?"),
}
"""Words in the names of files that say which split they are."""
DEV_SHARE = 0.2


def choose_splits(topics: Sequence[str], dev: object = None, test: object = None, seed: int = 0) -> dict[str, Any]:
    """The splits of a corpus, as params.

    Topics that are called train, dev and test are these splits. Otherwise all documents are train, but for shares or
    names that are given, or a share of `DEV_SHARE` for dev.

    Args:
        topics: topics of the corpus.
        dev: a share or a list of names; None to choose.
        test: a share or a list of names; None for none.
        seed: seed of the documents that shares take.
    """
    named = _named_splits(topics) if dev is None and test is None else None
    if named:
        return dict(named)
    dev = DEV_SHARE if dev is None else dev
    splits: dict[str, Any] = {"train": ["*"], "dev": dev, "test": [] if test is None else test}
    return splits | ({"seed": seed} if any(isinstance(value, float) for value in (dev, test)) else {})


def _named_splits(topics: Sequence[str]) -> dict[str, list[str]] | None:
    """The topics by the split that their names say; None if one says no split or two, or if train or dev has none."""
    found: dict[str, list[str]] = {split: [] for split in SPLITS}
    for topic in topics:
        words = re.split(r"[\W_]+", topic.lower())
        says = [split for split in SPLITS if any(NAMED[split].fullmatch(word) for word in words)]
        if len(says) != 1:
            return None
        found[says[0]].append(topic)
    return found if found["train"] and found["dev"] else None


def prepare_changes(detected: Detected, source: str, splits: Mapping[str, Any]) -> dict[str, Any]:
    """The params of section `prepare` that depend on the corpus."""
    return {"source": source, "format": detected.format, "languages": detected.languages, "splits": dict(splits)}


def write_prepare(path: Path, changes: Mapping[str, Any]) -> None:
    """Write params of section `prepare` into a params file. Comments and other params are kept.

    Raises:
        UsageError: the file is not valid, or would not be.
    """
    before = read_sections(path).get("prepare", {})
    yaml = round_trip()
    content = yaml.load(path.read_text(encoding="utf-8"))
    section = content.setdefault("prepare", CommentedMap())
    if section.get("format") != changes["format"]:
        section.pop("columns", None)
        before = {key: value for key, value in before.items() if key != "columns"}
    validate({**before, **changes}, "prepare", PrepareParams, source=f"{path}: ")
    _update(section, changes)
    with StringIO() as text:
        yaml.dump(content, text)
        write_whole(path, text.getvalue().encode())


def _update(section: CommentedMap, changes: Mapping[str, Any]) -> None:
    """Change values in place, so that the comments beside them stay. Lists are written in one line."""
    for key, value in changes.items():
        if isinstance(value, Mapping):
            inner = section.setdefault(key, CommentedMap())
            _update(inner, value)
        elif isinstance(value, list):
            section[key] = CommentedSeq(value)
            section[key].fa.set_flow_style()
        else:
            section[key] = value


def describe(detected: Detected) -> list[str]:
    """Lines about a corpus: its format, and its documents and mentions by topic and language."""
    labels = Counter(span.label for document in detected.documents for span in document.spans)
    lines = [
        f"format {detected.format}: {len(detected.documents):,} documents, {detected.n_mentions:,} mentions "
        f"({', '.join(f'{label} {count:,}' for label, count in labels.most_common())})"
    ]
    places = Counter((document.topic, document.language) for document in detected.documents)
    lines += [f"  {topic} {language}: {count:,} documents" for (topic, language), count in sorted(places.items())[:20]]
    if len(places) > 20:
        lines.append(f"  and {len(places) - 20:,} more topics")
    return [*lines, *detected.log.lines()]
