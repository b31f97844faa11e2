"""What a conversion is: an annotation tool's reader and writer, their options, and what could not be carried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from ner_head.corpus.documents import Document, Span

Kind = Literal[
    "no annotations",  # a document that nobody has annotated yet; left out
    "another annotator",  # an annotation of a document by somebody else; one annotation a document is read
    "discontinuous",  # a mention in several parts; dropped
    "no label",  # a mention without a label; dropped
    "outside the text",  # offsets that are no place in the text; dropped
    "surface differs",  # offsets that cover other characters than the annotation says; dropped
    "relation",  # between mentions, with events and chains; dropped
    "attribute",  # of a mention or of a document: notes, links to a knowledge base; dropped
    "other annotation",  # of another kind or layer; dropped
    "twice",  # a mention with the label and the place of another one; written once
    "overlapping",  # a mention that overlaps a longer one, in a format that holds one a word; dropped
    "white space trimmed",  # at the ends of a mention, in a format of words; kept
    "only white space",  # a mention without a word, in a format of words; dropped
    "text changed",  # a character or white space that the format cannot hold
    "label changed",  # a label with characters that the format cannot hold
    "place not kept",  # the format lists forms; reading it back finds other places than were annotated
    "probability",  # of a mention; the format has no place for it
    "lemma or id",  # base form of a mention, or id of its entity; the format has no place for it
    "in the corpus",  # a problem that the reader of a corpus reports
]
Take = Literal["auto", "annotations", "predictions"]
Offsets = Literal["utf-16", "characters", "graphemes"]
Scheme = Literal["IOB2", "IOB1", "BIOES"]
LAYER = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that a conversion dropped or changed.

    Attributes:
        document: key of the document.
        kind: what happened.
        form: text of the mention, if it concerns one.
        detail: label and place, or what else identifies it.
        number: number of equal ones.
    """

    document: str
    kind: Kind
    form: str = ""
    detail: str = ""
    number: int = 1


@dataclass(slots=True)
class Losses:
    """All that a conversion dropped or changed, and remarks about the files."""

    found: list[Loss] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def add(self, document: str, kind: Kind, form: str = "", detail: str = "", number: int = 1) -> None:
        """Add a loss, or a number of equal ones."""
        self.found.append(Loss(document, kind, form, detail, number))

    def span(self, document: Document, kind: Kind, span: Span) -> None:
        """Add the loss of a span, or of something of it."""
        form = document.text[span.start : span.end]
        self.add(document.key, kind, form, f"{span.label} [{span.start}, {span.end})")

    def notice(self, line: str) -> None:
        """Add a remark, once."""
        if line not in self.notices:
            self.notices.append(line)

    def counts(self) -> dict[Kind, int]:
        """The number of losses of each kind, in the order of `Kind`."""
        counts = Counter[Kind]()
        for loss in self.found:
            counts[loss.kind] += loss.number
        return {kind: counts[kind] for kind in get_args(Kind) if counts[kind]}

    def report(self) -> dict[str, Any]:
        """Counts, and every loss, as JSON."""
        listed = [
            {"document": one.document, "kind": one.kind, "form": one.form, "detail": one.detail} for one in self.found
        ]
        return {"losses": self.counts(), "notices": self.notices, "list": listed}


@dataclass(frozen=True, slots=True)
class Options:
    """How files are read and written. Each option concerns some formats only.

    Attributes:
        take: label-studio: read annotations or predictions; `auto` reads annotations if a task of the file has one.
        text_field: label-studio: key of the text in the data of a task; empty for `text`, or the only string.
        offsets: doccano: what the offsets count.
        layer: webanno, xmi: name of the layer of the mentions.
        feature: webanno, xmi: name of the feature that is the label.
        predicted: label-studio: write spans as predictions, else as annotations; None for predictions if any span has
            a probability.
        model: label-studio: name of the model of predictions.
        scheme: conll: how tags are written.
        columns: conll: number of columns, 2 to 10; 10 is CoNLL-U.
    """

    take: Take = "auto"
    text_field: str = ""
    offsets: Offsets = "utf-16"
    layer: str = LAYER
    feature: str = "value"
    predicted: bool | None = None
    model: str = "ner-head"
    scheme: Scheme = "IOB2"
    columns: int = 2


Reader: TypeAlias = Callable[[Path, Options, Losses], Iterator[Document]]
"""(file or folder, options, losses) -> documents. The losses are complete when the iterator is exhausted."""
Writer: TypeAlias = Callable[[Iterable[Document], Path, Options, Losses], None]
"""(documents, new file or empty folder, options, losses) -> None."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A format of an annotation tool, or of a corpus.

    Attributes:
        name: value of `--from` and `--to`.
        read: the reader.
        write: the writer; None if the format is only read.
        folder: whether the writer makes a folder, else a file.
        probabilities: whether the format has a place for the probability of a span.
        names: whether the format has a place for the lemma and the entity of a span.
        extra: extra of the package, and its modules, that the format needs.
    """

    name: str
    read: Reader
    write: Writer | None = None
    folder: bool = False
    probabilities: bool = False
    names: bool = False
    extra: tuple[str, ...] = ()
