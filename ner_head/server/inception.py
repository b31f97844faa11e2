"""The external recommender of INCEpTION, under `/inception`.

The protocol is described in INCEpTION's developer guide ("External recommender"). A document is a CAS as XMI. Its
offsets count UTF-16 code units, as the CAS is a structure of Java strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ner_head.base.errors import UsageError
from ner_head.conversion.offsets import utf16
from ner_head.corpus.documents import Document
from ner_head.server.limits import Limits
from ner_head.server.refusal import Refusal
from ner_head.server.requests import JsonRoute, Open, Recognize, check_size
from ner_head.server.xml_tree import parse_xml, write_xml

PREFIX = "/inception"
NOT_TRAINED = "this model does not learn from annotations; switch off `Trainable` in the settings of the recommender"
PREDICTED = "inception_internal_predicted"
CAS, XMI = "http:///uima/cas.ecore", "http://www.omg.org/XMI"
_LAYER = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*", re.ASCII)
_FEATURE = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Metadata(Open):
    """The layer and the feature to predict."""

    layer: str = Field(pattern=f"^{_LAYER.pattern}$", max_length=500)
    feature: str = Field(pattern=f"^{_FEATURE.pattern}$", max_length=200)


class CasDocument(Open):
    """A CAS."""

    xmi: str


class InceptionRequest(Open):
    """Body of `POST /inception/predict`."""

    metadata: Metadata
    document: CasDocument


class InceptionAnswer(BaseModel):
    """Answer of `POST /inception/predict`."""

    document: str = Field(description="the CAS with the predictions, as XMI")


@dataclass(frozen=True)
class Cas:
    """A CAS, and the parts of it that are used.

    Attributes:
        root: the XMI.
        names: from namespaces to their prefixes.
        sofa: the element with the text.
        text: the text.
    """

    root: Element
    names: dict[str, str]
    sofa: Element
    text: str

    @property
    def language(self) -> str | None:
        """The language that the CAS gives for the text; None if it gives none (`x-unspecified`)."""
        found = (
            element.get("language") for element in self.root if element.tag.partition(":")[2].startswith("Document")
        )
        return next((code for code in found if code and not code.startswith("x-")), None)


def read_cas(xmi: str) -> Cas:
    """Read a CAS.

    Raises:
        Refusal: it is not XML, or has no text (422).
    """
    root = parse_xml(xmi, "document.xmi")
    names = {uri: key.removeprefix("xmlns:") for key, uri in root.attrib.items() if key.startswith("xmlns:")}
    if names.get(XMI) != "xmi" or CAS not in names:
        raise Refusal(422, "document.xmi: no XMI of a CAS; its root declares xmlns:xmi and xmlns:cas")
    sofas = [element for element in root.findall(f"{names[CAS]}:Sofa") if element.get("sofaString") is not None]
    if not sofas or not sofas[0].get("xmi:id"):
        raise Refusal(422, "document.xmi: no Sofa with a sofaString and an xmi:id")
    sofa = next((each for each in sofas if each.get("sofaID") == "_InitialView"), sofas[0])
    return Cas(root, names, sofa, sofa.get("sofaString", ""))


def add_predictions(cas: Cas, found: Document, metadata: Metadata) -> str:
    """Add the spans of a document to its CAS, and write it as XMI. Earlier predictions are removed."""
    tag, sofa = qualified(cas, metadata.layer), cas.sofa.get("xmi:id", "")
    old = [element for element in cas.root.findall(tag) if element.get(PREDICTED) == "true"]
    for element in old:
        cas.root.remove(element)
    view = next((v for v in cas.root.findall(f"{cas.names[CAS]}:View") if v.get("sofa") == sofa), None)
    if view is None:
        view = SubElement(cas.root, f"{cas.names[CAS]}:View", {"sofa": sofa, "members": ""})
    gone = {element.get("xmi:id") for element in old}
    members = [member for member in view.get("members", "").split() if member not in gone]
    ids = [element.get("xmi:id", "") for element in cas.root]
    number = max((int(name) for name in ids if name.isdecimal() and len(name) < 16), default=0)
    units = utf16(found.text)
    for number, span in enumerate(found.spans, number + 1):  # noqa: B020
        begin, end = str(units.of(span.start)), str(units.of(span.end))
        values = {"sofa": sofa, "begin": begin, "end": end, metadata.feature: span.label, PREDICTED: "true"}
        score = {} if span.probability is None else {f"{metadata.feature}_score": repr(span.probability)}
        cas.root.insert(0, Element(tag, {"xmi:id": str(number), **values, **score}))
        members.append(str(number))
    view.set("members", " ".join(members))
    return write_xml(cas.root)


def qualified(cas: Cas, layer: str) -> str:
    """The tag of a layer's annotations, with a prefix that the root declares."""
    package, _, name = layer.rpartition(".")
    uri = f"http:///{package.replace('.', '/')}.ecore" if package else "http:///uima/noNamespace.ecore"
    if uri not in cas.names:
        prefix = next(p for p in (f"layer{n}" for n in range(len(cas.names) + 1)) if p not in cas.names.values())
        cas.names[uri] = prefix
        cas.root.set(f"xmlns:{prefix}", uri)
    return f"{cas.names[uri]}:{name}"


def router(language_code: Callable[[str | None], str], limits: Limits, recognize: Recognize) -> APIRouter:
    """The paths of the recommender.

    Args:
        language_code: converts a language into the code that the model uses.
        limits: limits of a request.
        recognize: finds the entities of documents.
    """
    routes = APIRouter(prefix=PREFIX, tags=["INCEpTION"], route_class=JsonRoute)

    def code(language: str | None) -> str:
        try:
            return language_code(language)
        except UsageError:
            return language_code(None)  # what an annotator typed as language is no reason to refuse the text

    @routes.post("/predict", response_model=InceptionAnswer, summary="Add predictions to a CAS")
    async def predict(wanted: InceptionRequest, request: Request) -> JSONResponse:
        cas = await run_in_threadpool(read_cas, wanted.document.xmi)
        check_size([cas.text], limits)
        (found,) = await recognize([Document(id="cas", text=cas.text, language=code(cas.language))], request)
        return JSONResponse({"document": await run_in_threadpool(add_predictions, cas, found, wanted.metadata)})

    @routes.post("/train", summary="Refuse to train")
    async def train() -> JSONResponse:
        raise Refusal(501, NOT_TRAINED)

    return routes
