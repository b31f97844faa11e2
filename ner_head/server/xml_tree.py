"""XML from clients: parsed without document types, entities and external files."""

from __future__ import annotations

from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder, tostring
from xml.parsers import expat

from ner_head.server.refusal import Refusal

MOST_LEVELS = 100


def parse_xml(text: str, where: str) -> Element:
    """Parse XML.

    Names and prefixes stay as they are written (`xmi:id`, `xmlns:xmi`), so that `write_xml` writes them again. UIMA
    reads some attributes by their prefix.

    Args:
        text: the XML.
        where: its place in the request, for messages.
    Raises:
        Refusal: it is malformed, is too deep, or has a document type, where entities are declared (422).
    """
    parser, builder, level = expat.ParserCreate(), TreeBuilder(), 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal level
        level += 1
        if level > MOST_LEVELS:
            raise Refusal(422, f"{where}: more than {MOST_LEVELS} levels of elements")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal level
        level -= 1
        builder.end(name)

    def refuse(*_: object) -> NoReturn:
        raise Refusal(422, f"{where}: a document type is not allowed")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, refuse
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise Refusal(422, f"{where}: not XML: {error}") from None
    return builder.close()


def write_xml(root: Element) -> str:
    """Write what `parse_xml` has read."""
    return '<?xml version="1.0" encoding="UTF-8"?>' + tostring(root, encoding="unicode")
