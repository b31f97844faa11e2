"""The corpus formats of the pipeline, as they are read for `prepare`, and our JSONL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from ner_head.conversion.tool import Losses, Options, Reader, Tool
from ner_head.corpus.documents import Document
from ner_head.corpus.records import to_record
from ner_head.formats import FORMATS
from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions


def reader(name: str) -> Reader:
    """The reader of a corpus format. Its problems are losses, its log is notices."""

    def read(path: Path, options: Options, losses: Losses) -> Iterator[Document]:
        log, bare = ReaderLog(), 0
        for document, problems in FORMATS[name].read(path, ReaderOptions(file_topics=False), log):
            for problem in problems:
                if problem.kind == "no annotations":
                    bare += 1
                else:
                    losses.add(problem.document, "in the corpus", problem.form, f"{problem.kind}: {problem.detail}")
            yield document
        if bare:
            losses.notice(f"documents without annotations, taken as documents without entities: {bare:,}")
        losses.notices.extend(line for line in log.lines() if "prepare.columns" not in line)

    return read


def write_jsonl(documents: Iterable[Document], path: Path, options: Options, losses: Losses) -> None:
    """Write our JSONL: texts, words and spans with their probabilities.

    A document without a topic has no key for it, so that its topic is the name of the file, as for `prepare`.
    """
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        for document in documents:
            record = {key: value for key, value in to_record(document).items() if key != "topic" or value}
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")


JSONL = Tool("jsonl", reader("jsonl"), write_jsonl, probabilities=True, names=True)
SLAVICNER = Tool("slavicner", reader("slavicner"))
