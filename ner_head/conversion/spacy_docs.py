"""spaCy's DocBin (.spacy), the format of `spacy train` and `spacy convert`.

Mentions are `doc.ents`, and all of them `doc.spans["sc"]` if some overlap. Words are cut at the ends of mentions, so
that each mention is a sequence of whole tokens. `span._.probability` is the probability, as the component `ner_head`
sets it; `doc.user_data["ner_head"]` has the id, the language and the topic.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from ner_head.base.errors import DataError, system_error
from ner_head.conversion.layout import layout
from ner_head.conversion.tool import Losses, Options, Tool
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, Span, without_overlaps

KEY = "ner_head"
GROUP = "sc"  # what spaCy's span categorizer reads
UNDERSCORE = "._."
NAME = "probability"
MOST_TIMES = 100  # by which a file expands; DocBins of ordinary texts expand about ten times
FREE_BYTES = 1 << 26  # that any file may expand to
BLOCK = 1 << 20


def read(path: Path, options: Options, losses: Losses) -> Iterator[Document]:
    """Read the documents of a file. Mentions are those of `doc.ents` and of all groups of `doc.spans`.

    Raises:
        DataError: it is not a DocBin.
    """
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    try:
        content = path.read_bytes()
        if inflates(content):
            raise DataError(f"{path}: expands to more than {MOST_TIMES} times its size, so it is not read")
        docs = list(DocBin().from_bytes(content).get_docs(Vocab()))
    except DataError:
        raise
    except OSError as error:
        raise system_error(error, path) from None
    except Exception as error:  # zlib, msgpack and spaCy raise many kinds
        raise DataError(f"{path}: not a DocBin of spaCy 3: {' '.join(str(error).split())}") from None
    for number, doc in enumerate(docs, 1):
        known = doc.user_data.get(KEY)
        facts = known if isinstance(known, dict) else {}
        name = Document(
            str(facts.get("id", number)),
            doc.text,
            str(facts.get("language", UNKNOWN_LANGUAGE)),
            str(facts.get("topic", "")),
        )
        found = {_span(span, doc): None for span in (*doc.ents, *(s for group in doc.spans.values() for s in group))}
        if not found and not doc.has_annotation("ENT_IOB"):
            losses.add(name.key, "no annotations", detail=f"document {number}")
            continue
        if doc.cats:
            losses.add(name.key, "other annotation", detail="categories of the text", number=len(doc.cats))
        spans = [span for span in found if span.label]
        for span in found:
            if not span.label:
                losses.span(name, "no label", span)
        yield Document(name.id, name.text, name.language, name.topic, spans=tuple(sorted(spans)))


def inflates(content: bytes) -> bool:
    """Whether compressed content is a bomb: spaCy would expand all of it in memory."""
    most = max(FREE_BYTES, MOST_TIMES * len(content))
    stream, left = zlib.decompressobj(), content
    while left and not stream.eof and most >= 0:
        most -= len(stream.decompress(left, BLOCK))
        left = stream.unconsumed_tail
    return most < 0


def _span(span: Any, doc: Any) -> Span:
    """Our span of spaCy's one."""
    score = doc.user_data.get((UNDERSCORE, NAME, span.start_char, span.end_char))
    probability = float(score) if isinstance(score, int | float) and 0 <= score <= 1 else None
    return Span(span.start_char, span.end_char, span.label_, probability)


def write(documents: Iterable[Document], path: Path, options: Options, losses: Losses) -> None:
    """Write documents."""
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    vocab, docs = Vocab(), DocBin(store_user_data=True)
    for document in documents:
        docs.add(_doc(document, vocab))
    docs.to_disk(path)


def _doc(document: Document, vocab: Any) -> Any:
    """The `Doc` of a document."""
    from spacy.tokens import Doc

    text = document.text
    words, spaces, starts = list[str](), list[bool](), list[bool | int | None]()
    sentences = layout(document, cut=True, white=True)
    firsts = {tokens[0][0] for tokens in sentences}
    flat = [(0, 0), *(token for tokens in sentences for token in tokens), (len(text), len(text))]
    for (_, before), (start, end) in pairwise(flat):
        gap = text[before:start]
        if gap.startswith(" ") and words:
            spaces[-1], gap = True, gap[1:]
        if gap:  # spaCy keeps further white space as tokens
            words, spaces, starts = [*words, gap], [*spaces, False], [*starts, not words]
        if start < end:
            words.append(text[start:end])
            spaces.append(False)
            starts.append(start in firsts or len(words) == 1)
    doc: Any = Doc(vocab, words=words, spaces=spaces, sent_starts=starts)
    doc.user_data[KEY] = {"id": document.id, "language": document.language, "topic": document.topic}
    kept = without_overlaps(document.spans)
    doc.set_ents([doc.char_span(span.start, span.end, label=span.label) for span in kept], default="outside")
    if len(kept) < len(document.spans):
        doc.spans[GROUP] = [doc.char_span(span.start, span.end, label=span.label) for span in document.spans]
    for span in document.spans:
        if span.probability is not None:
            doc.user_data[UNDERSCORE, NAME, span.start, span.end] = span.probability
    return doc


TOOL = Tool("spacy", read, write, probabilities=True, extra=("spacy", "spacy"))
