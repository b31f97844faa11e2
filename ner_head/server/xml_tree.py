"""XML from clients: what is not allowed is refused."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from ner_head.base.errors import DataError
from ner_head.conversion import xml_tree
from ner_head.server.refusal import Refusal

write_xml = xml_tree.write_xml


def parse_xml(text: str, where: str) -> Element:
    """Parse XML (`conversion.xml_tree.parse_xml`).

    Args:
        text: the XML.
        where: its place in the request, for messages.
    Raises:
        Refusal: it is malformed, is too deep, or has a document type, where entities are declared (422).
    """
    try:
        return xml_tree.parse_xml(text, where)
    except DataError as error:
        raise Refusal(422, str(error)) from None
