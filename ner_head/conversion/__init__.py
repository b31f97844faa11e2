"""Convert documents from and to the files of annotation tools.

from ner_head import conversion

documents = list(conversion.read("export.json", "label-studio"))
losses = conversion.write(documents, "corpus.jsonl", "jsonl")
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ner_head.base.errors import DataError, UsageError, system_error
from ner_head.base.extras import require_extra
from ner_head.base.files import new_folder, whole_file
from ner_head.conversion import brat, bsnlp, conll, corpora, doccano, label_studio, spacy_docs, webanno, xmi
from ner_head.conversion.tool import Losses, Options, Tool
from ner_head.corpus.documents import Document

TOOLS: dict[str, Tool] = {
    tool.name: tool
    for tool in (
        label_studio.TOOL,
        doccano.TOOL,
        brat.TOOL,
        webanno.TOOL,
        xmi.TOOL,
        spacy_docs.TOOL,
        conll.TOOL,
        bsnlp.TOOL,
        corpora.JSONL,
        corpora.SLAVICNER,
    )
}
"""Formats by name."""

__all__ = ["TOOLS", "Losses", "Options", "read", "tool_of", "write"]


def tool_of(name: str, *, writes: bool = False) -> Tool:
    """The format of this name, if its libraries are installed.

    Args:
        name: name of the format.
        writes: whether it must have a writer.
    Raises:
        UsageError: there is no such format, or an extra is not installed.
    """
    known = [each.name for each in TOOLS.values() if each.write or not writes]
    if name not in known:
        raise UsageError(f"unknown format {name!r}; formats are {', '.join(known)}")
    tool = TOOLS[name]
    if tool.extra:
        require_extra(*tool.extra)
    return tool


def read(
    path: Path | str, form: str, losses: Losses | None = None, options: Options | None = None
) -> Iterator[Document]:
    """Read documents with their spans, one after the other. Spans carry a `probability` if the file has one.

    Args:
        path: a file or a folder.
        form: name of the format, one of `TOOLS`.
        losses: takes what the documents do not hold, while they are read.
        options: how to read.
    Raises:
        UsageError: there is no such file or format, or an extra is not installed.
        DataError: the file is malformed.
    """
    tool, source = tool_of(form), Path(path)
    if not source.exists():
        raise UsageError(f"{source}: no such file or folder")
    return tool.read(source, options or Options(), losses if losses is not None else Losses())


def write(
    documents: Iterable[Document],
    path: Path | str,
    form: str,
    losses: Losses | None = None,
    options: Options | None = None,
) -> Losses:
    """Write documents with their spans. The file, or the folder, appears when all is written.

    Args:
        documents: the documents, with spans in characters; those with a probability are predictions.
        path: a file, which is replaced, or a new folder, by the format.
        form: name of the format, one of `TOOLS`.
        losses: takes what the format does not hold.
        options: how to write.
    Returns:
        `losses`, or new ones.
    Raises:
        UsageError: there is no such format, or the folder is in use.
        DataError, ResourceError: a document cannot be written, or the disk is full.
    """
    tool, target, found = tool_of(form, writes=True), Path(path), losses if losses is not None else Losses()
    assert tool.write is not None  # `tool_of` has checked it
    chosen, noted = options or Options(), _unique(documents, found, tool)
    if target.is_dir() and not tool.folder:
        raise UsageError(f"{target}: is a folder; {form} writes a file")
    try:
        if tool.folder:
            with new_folder(target) as folder:
                tool.write(noted, folder, chosen, found)
            return found
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(target) as handle:
            tool.write(noted, Path(handle.name), chosen, found)
    except OSError as error:
        raise system_error(error, target) from None
    except UnicodeEncodeError as error:  # texts are checked when they are read
        around = error.object[max(error.start - 20, 0) : error.end + 20]
        raise DataError(f"{target}: an id or a label has a lone surrogate, near {around!r}; correct it") from None
    return found


def _unique(documents: Iterable[Document], losses: Losses, tool: Tool) -> Iterator[Document]:
    """The same documents with each span once. Probabilities, lemmas and ids without a place are counted as losses."""
    for document in documents:
        spans = tuple(dict.fromkeys(document.spans))
        for span, number in Counter(document.spans).items():
            for _ in range(number - 1):
                losses.span(document, "twice", span)
        for span in spans:
            if span.probability is not None and not tool.probabilities:
                losses.span(document, "probability", span)
            if (span.lemma or span.entity) and not tool.names:
                losses.span(document, "lemma or id", span)
        yield replace(document, spans=tuple(sorted(spans)))
