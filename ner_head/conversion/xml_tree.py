"""XML from elsewhere: parsed without document types, entities and external files."""

from __future__ import annotations

from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder, tostring
from xml.parsers import expat

import regex

from ner_head.base.errors import DataError

MOST_LEVELS = 100
_NO_XML = regex.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse_xml(text: str, where: str) -> Element:
    """Parse XML.

    Names and prefixes stay as they are written (`xmi:id`, `xmlns:xmi`), so that `write_xml` writes them again. UIMA
    reads some attributes by their prefix.

    Args:
        text: the XML.
        where: its place, for messages.
    Raises:
        DataError: it is malformed, is too deep, or has a document type, where entities are declared.
    """
    parser, builder, level = expat.ParserCreate("utf-8"), TreeBuilder(), 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal level
        level += 1
        if level > MOST_LEVELS:
            raise DataError(f"{where}: more than {MOST_LEVELS} levels of elements")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal level
        level -= 1
        builder.end(name)

    def refuse(*_: object) -> NoReturn:
        raise DataError(f"{where}: a document type is not allowed")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, refuse
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        raise DataError(f"{where}: not XML: {error}") from None
    return builder.close()


def write_xml(root: Element) -> str:
    """Write what `parse_xml` has read."""
    return '<?xml version="1.0" encoding="UTF-8"?>' + tostring(root, encoding="unicode")


def printable(text: str) -> str:
    """The text, with a replacement character for each character that XML 1.0 cannot hold, such as U+0001."""
    return _NO_XML.sub("\ufffd", text)
