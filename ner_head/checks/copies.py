"""Near copies: documents of one split that share much of their text, and leakage between splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ner_head.checks.findings import Finding, Place
from ner_head.checks.places import Places
from ner_head.corpus.documents import Document
from ner_head.corpus.near_copies import COPY, connected, copy_links


def check_copies(documents: Sequence[Document], split_of: Mapping[str, str], places: Places) -> Iterator[Finding]:
    """Pairs of near copies in different splits (errors), and groups of near copies within a split (warnings).

    Args:
        documents: documents of all splits.
        split_of: split of each document, by its key.
        places: places of the documents.
    """
    inside: list[tuple[int, int]] = []
    for a, b in copy_links(documents):
        one, other = sorted((documents[a], documents[b]), key=lambda d: split_of[d.key] == "train")
        splits = split_of[one.key], split_of[other.key]
        if splits[0] == splits[1]:
            inside.append((a, b))
            continue
        message = (
            f"{one.key} of {splits[0]} shares {COPY:.0%} or more of its text with {other.key} of {splits[1]}, "
            f"{places.at(other, 0)}: scores on {splits[0]} are too high; keep them in one split"
        )
        yield Finding("error", "leakage", message, (_place(one, places), _place(other, places)))
    for group in sorted(connected(len(documents), inside), key=lambda group: (-len(group), group)):
        if len(group) > 1:
            members = [documents[i] for i in group]
            message = (
                f"{len(members)} documents of {split_of[members[0].key]} share {COPY:.0%} or more of their text, "
                f"such as {members[0].key} and {members[1].key}, {places.at(members[1], 0)}"
            )
            yield Finding("warning", "near copies", message, tuple(_place(member, places) for member in members))


def _place(document: Document, places: Places) -> Place:
    return Place(places.at(document, 0), document.key)
