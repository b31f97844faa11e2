"""Several corpora that annotate different labels, in one folder."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from ner_head.base.errors import UsageError
from ner_head.base.params import Params, one_of
from ner_head.formats import FORMATS
from ner_head.formats.format import SourceDocument
from ner_head.formats.labels import clean
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions


class Columns(Params):
    """Columns of CoNLL files, counted from 1; 0 to detect a column."""

    word: int = Field(default=0, ge=0)
    tag: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _differ(self) -> Columns:
        if self.word and self.word == self.tag:
            raise ValueError(f"words and tags are in two columns; both are {self.word}")
        return self


class Part(Params):
    """One of several corpora in the folder `prepare.source`."""

    path: str = Field(min_length=1)
    """File or folder, relative to `prepare.source`."""
    format: Annotated[str, one_of(FORMATS)] | None = None
    """Name of the format; None for `prepare.format`."""
    labels: list[str] = Field(min_length=1)
    """Labels that this corpus annotates. A word of it without a label may be an entity of any other label."""
    name: str = Field(default="", pattern=r"^[^/*?\[\]]*$")
    """Put before its topics, with a hyphen, if another corpus has the same topics."""
    columns: Columns = Columns()
    """Columns of CoNLL files."""

    @model_validator(mode="after")
    def _inside(self) -> Part:
        if Path(self.path).is_absolute() or ".." in Path(self.path).parts:
            raise ValueError(f"path must be inside of prepare.source, which dvc tracks; got {self.path}")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"a label is named twice: {', '.join(self.labels)}")
        return self


def read_part(source: Path, part: Part, form: str, options: ReaderOptions, log: ReaderLog) -> list[SourceDocument]:
    """Read one of several corpora. Spans of labels that are not its own are left out, and told.

    Args:
        source: folder of all corpora.
        part: the corpus.
        form: name of its format.
        options: options of the reader.
        log: receives what was read, and notices.
    Raises:
        UsageError: it does not exist.
        DataError: a file cannot be read.
    """
    path = source / part.path
    if not path.exists():
        raise UsageError(f"prepare.parts: {path}: no such file or folder")
    own, others, found = set(part.labels), Counter[str](), list[SourceDocument]()
    for document, problems in FORMATS[form].read(path, options, log):
        labels = [clean(span.label) for span in document.spans]
        others.update(label for label in labels if label not in own)
        spans = tuple(span for span, label in zip(document.spans, labels, strict=True) if label in own)
        topic = "-".join(filter(None, (part.name, document.topic)))
        changed = replace(document, topic=topic, spans=spans, annotates=tuple(sorted(own)))
        if document.key in log.annotations:
            log.annotations[changed.key] = log.annotations.pop(document.key)
        found.append(SourceDocument(changed, tuple(replace(problem, document=changed.key) for problem in problems)))
    if others:
        counted = ", ".join(f"{label} {count:,}" for label, count in others.most_common())
        log.notices.append(f"{path}: left out spans of labels that prepare.parts does not name: {counted}")
    if absent := own - {clean(span.label) for document, _ in found for span in document.spans}:
        log.notices.append(f"{path}: annotates {', '.join(sorted(absent))}, but has no span of it")
    return found
