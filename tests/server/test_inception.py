"""The protocol of INCEpTION's external recommender."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ner_head.corpus.documents import Document, Span
from ner_head.server.inception import Metadata, add_predictions, read_cas
from ner_head.server.intake import Intake
from tests.server.service import application, ask

ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
NER = "{http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore}NamedEntity"
CAS, ID = "{http:///uima/cas.ecore}", "{http://www.omg.org/XMI}id"
TEXT = "Je tu \U0001f600 Jan,\n\t\u201ePavel\u201c & Eva <b>"


def xmi(text: str = TEXT, language: str = "x-unspecified", extra: str = "") -> str:
    """A CAS as INCEpTION writes it: one line per element, attributes with character references."""
    value = quoteattr(text, {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})
    return f"""<?xml version="1.0" encoding="UTF-8"?><xmi:XMI xmlns:tcas="http:///uima/tcas.ecore"
 xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"
 xmlns:type2="http:///de/tudarmstadt/ukp/dkpro/core/api/metadata/type.ecore"
 xmlns:type3="http:///de/tudarmstadt/ukp/dkpro/core/api/ner/type.ecore"
 xmlns:type4="http:///de/tudarmstadt/ukp/dkpro/core/api/segmentation/type.ecore" xmi:version="2.0">
  <cas:NULL xmi:id="0"/>
  <type2:DocumentMetaData xmi:id="8" sofa="1" begin="0" end="47" language="{language}" documentTitle="a"/>
  <type4:Token xmi:id="29" sofa="1" begin="0" end="2" order="0"/>
  <type3:NamedEntity xmi:id="172" sofa="1" begin="0" end="2" value="OTH"/>{extra}
  <cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView" mimeType="text" sofaString={value}/>
  <cas:View sofa="1" members="8 29 172"/>
</xmi:XMI>"""


def request(document: str, layer: str = ENTITY, feature: str = "value") -> dict[str, Any]:
    names = {"layer": layer, "feature": feature, "projectId": 1, "anchoringMode": "tokens", "crossSentence": False}
    metadata = {**names, "range": {"begin": 0, "end": 5}}
    return {"metadata": metadata, "document": {"xmi": document, "documentId": 4, "userId": "x"}, "typeSystem": "<x/>"}


@pytest.fixture(scope="module")
def app() -> Iterator[Intake]:
    with application() as found:
        yield found


def predict(app: Intake, body: Any) -> ElementTree.Element:
    answer = ask(app, "POST", "/inception/predict", json=body)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"document"}
    return ElementTree.fromstring(answer.json()["document"])


def covered(root: ElementTree.Element, tag: str) -> list[str]:
    """The predicted texts, as Java's `substring` gives them."""
    units = root.find(f"{CAS}Sofa").get("sofaString").encode("utf-16-le")  # type: ignore[union-attr]
    found = [e for e in root.iter(tag) if e.get("inception_internal_predicted") == "true"]
    ranges = sorted((int(e.get("begin", "")), int(e.get("end", ""))) for e in found)
    return [units[2 * begin : 2 * end].decode("utf-16-le") for begin, end in ranges]


def test_predictions_are_added_with_offsets_in_utf16_units_and_scores(app: Intake) -> None:
    root = predict(app, request(xmi()))
    assert covered(root, NER) == ["Je", "Jan,\n\t\u201ePavel\u201c", "Eva"]
    entities = [e for e in root.iter(NER) if e.get("inception_internal_predicted")]
    values = [(e.get("value"), float(e.get("value_score", "")), e.get("sofa")) for e in entities]
    assert values == [("PER", 0.75, "1")] * 3
    ids = [e.get(ID) for e in root.iter() if e.get(ID)]
    assert len(set(ids)) == len(ids)
    members = root.find(f"{CAS}View").get("members").split()  # type: ignore[union-attr]
    assert set(members) == {"8", "29", "172", *(e.get(ID) for e in entities)}


def test_all_that_was_there_stays(app: Intake) -> None:
    before, after = ElementTree.fromstring(xmi()), predict(app, request(xmi()))
    kept = [e for e in after if e.get("inception_internal_predicted") is None and e.tag != f"{CAS}View"]
    assert [(e.tag, e.attrib) for e in kept] == [(e.tag, e.attrib) for e in before if e.tag != f"{CAS}View"]
    text = ask(app, "POST", "/inception/predict", json=request(xmi())).json()["document"]
    assert 'xmi:id="29"' in text  # UIMA finds ids by this prefix
    assert "<type4:Token" in text


def test_earlier_predictions_are_replaced(app: Intake) -> None:
    old = '\n  <type3:NamedEntity xmi:id="29999" sofa="1" begin="0" end="1" inception_internal_predicted="true"/>'
    root = predict(app, request(xmi(extra=old).replace('members="8', 'members="29999 8')))
    assert covered(root, NER) == ["Je", "Jan,\n\t\u201ePavel\u201c", "Eva"]
    assert "29999" not in root.find(f"{CAS}View").get("members").split()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("layer", "tag"),
    [
        ("webanno.custom.Entity", "{http:///webanno/custom.ecore}Entity"),
        ("Entity", "{http:///uima/noNamespace.ecore}Entity"),
    ],
)
def test_a_layer_of_the_project_gets_its_namespace(app: Intake, layer: str, tag: str) -> None:
    root = predict(app, request(xmi(), layer, "kind"))
    assert covered(root, tag) == ["Je", "Jan,\n\t\u201ePavel\u201c", "Eva"]
    assert {e.get("kind") for e in root.iter(tag)} == {"PER"}


def test_a_cas_without_a_view_gets_one(app: Intake) -> None:
    root = predict(app, request(xmi().replace('<cas:View sofa="1" members="8 29 172"/>', "")))
    assert len(root.find(f"{CAS}View").get("members").split()) == 3  # type: ignore[union-attr]


@pytest.mark.parametrize("language", ["cs", "x-unspecified", "no language", ""])
def test_the_language_of_the_document_is_used_if_it_is_one(app: Intake, language: str) -> None:
    assert len(covered(predict(app, request(xmi(language=language))), NER)) == 3
    assert read_cas(xmi(language="cs")).language == "cs"
    assert read_cas(xmi()).language is None


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
REMOTE = '<!DOCTYPE x SYSTEM "http://localhost/x.dtd">'


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ("", "document.xmi: not XML: no element found: line 1, column 0"),
        ("<x/>", "document.xmi: no XMI of a CAS; its root declares xmlns:xmi and xmlns:cas"),
        (xmi().replace("sofaString", "other"), "document.xmi: no Sofa with a sofaString and an xmi:id"),
        *(
            (xmi().replace("<xmi:XMI", f"{kind}<xmi:XMI"), "document.xmi: a document type is not allowed")
            for kind in (BOMB, FILE, REMOTE)
        ),
        (xmi(extra="&unknown;"), "document.xmi: not XML: undefined entity"),
        (xmi(extra="<a>" * 200 + "</a>" * 200), "document.xmi: more than 100 levels of elements"),
    ],
)
def test_a_cas_that_cannot_be_used_is_refused(app: Intake, document: str, line: str) -> None:
    answer = ask(app, "POST", "/inception/predict", json=request(document))
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(line)


@pytest.mark.parametrize(("layer", "feature"), [("a b", "value"), ("a.", "value"), (ENTITY, 'x="1" y'), (ENTITY, "")])
def test_names_that_are_none_are_refused(app: Intake, layer: str, feature: str) -> None:
    answer = ask(app, "POST", "/inception/predict", json=request(xmi(), layer, feature))
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("metadata.")


def test_training_is_refused_with_what_to_do(app: Intake) -> None:
    answer = ask(app, "POST", "/inception/train", json={})
    assert answer.status_code == 501
    assert "switch off `Trainable`" in answer.json()["error"]


XML_TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff")
    | st.sampled_from(["\n", "\t", "\U0001f600"])
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(XML_TEXT, st.data())
def test_text_and_spans_come_back_exactly(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    spans = tuple(Span(a, b, "PER", probability=0.5) for a, b in zip(cuts[::2], cuts[1::2], strict=False))
    cas = read_cas(xmi(text))
    assert cas.text == text
    written = add_predictions(cas, Document("x", text, spans=spans), Metadata(layer=ENTITY, feature="value"))
    assert read_cas(written).text == text
    assert covered(ElementTree.fromstring(written), NER) == [text[span.start : span.end] for span in spans]


def test_a_request_of_the_guide_is_answered(app: Intake) -> None:
    """The example of INCEpTION's developer guide, section "External recommender"."""
    document = (
        '<?xml version="1.0" encoding="UTF-8"?> <xmi:XMI xmlns:tcas="http:///uima/tcas.ecore" '
        'xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" xmlns:cassis="http:///cassis.ecore" '
        'xmi:version="2.0"> <cas:NULL xmi:id="0"/> <tcas:DocumentAnnotation xmi:id="8" sofa="1" begin="0" end="47" '
        'language="x-unspecified"/> <cas:Sofa xmi:id="1" sofaNum="1" sofaID="mySofa" mimeType="text/plain" '
        'sofaString="Joe waited for the train . The train was late ."/> <cas:View sofa="1" members="8"/> </xmi:XMI>'
    )
    assert covered(predict(app, json.loads(json.dumps(request(document)))), NER) == ["Joe", "The"]
