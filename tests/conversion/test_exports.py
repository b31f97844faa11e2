"""Exports of the tools are read: written for these tests after the documented examples of each tool."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ner_head import conversion
from ner_head.base.errors import DataError
from ner_head.conversion import Losses, Options
from ner_head.conversion.recognition import tool_name
from ner_head.corpus.documents import Document, Span
from tests.corpus.strategies import write

TEXT = "😀 Jana Nová\r\nbydlí v Brně."
JANA, BRNO = Span(2, 11, "PER"), Span(21, 25, "LOC")


def read(path: Path, form: str, options: Options | None = None) -> tuple[list[Document], Losses]:
    losses = Losses()
    return list(conversion.read(path, form, losses, options)), losses


def label_region(start: int, end: int, label: str, text: str | None = None, **more: object) -> dict[str, object]:
    surface = {} if text is None else {"text": text}
    value = {"start": start, "end": end, "labels": [label], **surface}
    return {"id": "x", "from_name": "label", "to_name": "text", "type": "labels", "value": value, **more}


def task(*results: list[dict[str, object]], **more: object) -> dict[str, object]:
    annotations = [{"id": n, "result": result, "was_cancelled": False} for n, result in enumerate(results)]
    return {"id": 7, "data": {"text": TEXT, "language": "cs"}, "annotations": annotations, "predictions": [], **more}


def test_label_studio_json(tmp_path: Path) -> None:
    relation = {"from_id": "x", "to_id": "y", "type": "relation", "direction": "right", "labels": ["lives in"]}
    choice = {"id": "c", "type": "choices", "value": {"choices": ["News"]}}
    regions = [label_region(2, 11, "PER", "Jana Nová"), label_region(21, 25, "LOC", "Brně"), relation, choice]
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task(regions, [])]), encoding="utf-8")
    (document,), losses = read(path, "label-studio")
    assert (document.id, document.language, document.text) == ("7", "cs", TEXT)
    assert document.spans == (JANA, BRNO)
    assert losses.counts() == {"another annotator": 1, "relation": 1, "other annotation": 1}


def test_label_studio_of_older_versions_counts_utf16(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task([label_region(22, 26, "LOC", "Brně")])]), encoding="utf-8")
    (document,), losses = read(path, "label-studio")
    assert document.spans == (BRNO,)
    assert losses.notices == ["the offsets of some tasks count utf-16; they were converted"]


def test_label_studio_json_min(tmp_path: Path) -> None:
    item = {
        "text": TEXT,
        "id": 3,
        "label": [{"start": 21, "end": 25, "text": "Brně", "labels": ["LOC"]}],
        "annotator": 1,
    }
    empty = {"text": "Nic.", "id": 4, "annotator": 1, "annotation_id": 2}
    path = tmp_path / "min.json"
    path.write_text(json.dumps([item, empty]), encoding="utf-8")
    (first, second), losses = read(path, "label-studio")
    assert (first.spans, second.spans, losses.found) == ((BRNO,), (), [])


def test_label_studio_does_not_take_predictions_for_gold(tmp_path: Path) -> None:
    guess = {"model_version": "m", "score": 0.5, "result": [label_region(21, 25, "LOC", "Brně", score=0.5)]}
    tasks = [task([label_region(2, 11, "PER")]), task(predictions=[guess])]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks), encoding="utf-8")
    found, losses = read(path, "label-studio")
    assert [document.spans for document in found] == [(JANA,)]
    assert losses.counts() == {"no annotations": 1}
    found, _ = read(path, "label-studio", Options(take="predictions"))
    assert [span.probability for span in found[0].spans] == [0.5]


@pytest.mark.parametrize(
    ("region", "kind"),
    [
        (label_region(2, 11, "PER", "Petr Nový"), "surface differs"),
        (label_region(2, 99, "PER"), "outside the text"),
        ({**label_region(2, 11, "PER"), "value": {"start": 2, "end": 11, "labels": []}}, "no label"),
    ],
)
def test_label_studio_regions_that_do_not_fit_are_counted(tmp_path: Path, region: dict[str, object], kind: str) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task([region])]), encoding="utf-8")
    (document,), losses = read(path, "label-studio")
    assert (document.spans, losses.counts()) == ((), {kind: 1})


def test_doccano(tmp_path: Path) -> None:
    with_label = {"id": 1, "text": TEXT, "label": [[3, 12, "PER"]], "Comments": ["sure?"], "language": "cs"}
    entities = [{"id": 5, "label": "LOC", "start_offset": 22, "end_offset": 26}]
    related = {
        "id": 2,
        "text": TEXT,
        "entities": entities,
        "relations": [{"id": 1, "from_id": 5, "to_id": 5, "type": "x"}],
    }
    path = tmp_path / "all.jsonl"
    path.write_text("\n".join(map(json.dumps, (with_label, related))), encoding="utf-8")
    (first, second), losses = read(path, "doccano")
    assert (first.spans, first.language, second.spans) == ((JANA,), "cs", (BRNO,))
    assert losses.counts() == {"relation": 1, "attribute": 1}


def test_doccano_with_grapheme_clusters(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(json.dumps({"id": 1, "text": "👩🏽‍🚀 e\u0301a", "label": [[2, 4, "PER"]]}), encoding="utf-8")
    (document,), _ = read(path, "doccano", Options(offsets="graphemes"))
    assert [document.text[span.start : span.end] for span in document.spans] == ["e\u0301a"]


def test_doccano_offsets_inside_of_a_character_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(json.dumps({"id": 1, "text": "😀 a", "label": [[1, 4, "PER"]]}), encoding="utf-8")
    with pytest.raises(DataError, match=r"all.jsonl:1: .*offset 1 is outside of the text, or inside of a character"):
        read(path, "doccano")


def test_brat(tmp_path: Path) -> None:
    lines = [
        "T1\tPER 2 6;7 11\tJana Nová",  # brat joins parts over a line end
        "T2\tLOC 21 25\tBrně",
        "T3\tORG 2 6;21 25\tJana Brně",
        "T4\tMove 14 19\tbydlí",
        "E1\tMove:T4 Who:T1",
        "R1\tLives Arg1:T1 Arg2:T2",
        "A1\tSure T1",
        "#1\tAnnotatorNotes T1\tprobability 0.75",
        "#2\tAnnotatorNotes T2\ta town",
    ]
    write(tmp_path, {"cs/a.txt": TEXT, "cs/a.ann": "\n".join(lines), "cs/b.txt": "Nic."})
    (document,), losses = read(tmp_path, "brat")
    assert (document.id, document.language, document.text) == ("a", "cs", TEXT)
    assert document.spans == (JANA, BRNO)
    assert document.spans[0].probability == 0.75
    assert losses.counts() == {"no annotations": 1, "discontinuous": 1, "relation": 2, "attribute": 2}


WEBANNO = """\
#FORMAT=WebAnno TSV 3.3
#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value
#T_SP=webanno.custom.Mood|mood
#T_RL=webanno.custom.Lives|kind|BT_de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity


#Text=😀 Jana Nová\\r
#Text=bydlí v Brně.
1-1\t0-2\t😀\t_\t_\tglad\t_\t_\t
1-2\t3-7\tJana\t*[1]\tPER[1]\t_\t_\t_\t
1-3\t8-12\tNová\t*[1]\tPER[1]\t_\tin\t1-5[1_2]\t
1-4\t14-19\tbydlí\t_\t_\t_\t_\t_\t
1-5\t22-27\tBrně.\t_\t_\t_\t_\t_\t
1-5.1\t22-26\tBrně\thttp://x/Q14960[2]|*[3]\tLOC[2]|*[3]\t_\t_\t_\t

#Text=Ano.
2-1\t28-31\tAno\t_\t_\t_\t_\t_\t
"""


def test_webanno_tsv(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(WEBANNO, encoding="utf-8")
    (document,), losses = read(path, "webanno")
    assert document.text == f"{TEXT}\nAno."
    assert document.spans == (JANA, BRNO)
    assert losses.counts() == {"no label": 1, "relation": 1, "attribute": 1, "other annotation": 1}
    with pytest.raises(DataError, match=r"no layer x with a feature value; layers and features are: .*Mood mood"):
        read(path, "webanno", Options(layer="x"))


XMI = """\
<?xml version="1.0" encoding="UTF-8"?>
<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" xmlns:tcas="http:///uima/tcas.ecore"
  xmlns:custom="http:///custom.ecore" xmi:version="2.0">
<cas:NULL xmi:id="0"/>
<tcas:DocumentAnnotation xmi:id="1" sofa="9" begin="0" end="28" language="cs"/>
<custom:Entity xmi:id="2" sofa="9" begin="3" end="12" kind="PER"/>
<custom:Entity xmi:id="3" sofa="9" begin="22" end="26" kind="LOC"/>
<custom:Entity xmi:id="4" sofa="9" begin="22" end="26"/>
<custom:Lives xmi:id="5" sofa="9" begin="22" end="26" Governor="2" Dependent="3"/>
<cas:Sofa xmi:id="9" sofaNum="1" sofaID="_InitialView" sofaString="😀 Jana Nová&#13;&#10;bydlí v Brně."/>
<cas:View sofa="9" members="1 2 3 4 5"/>
</xmi:XMI>
"""
FEATURE = "<featureDescription><name>{}</name><rangeTypeName>{}</rangeTypeName></featureDescription>"
TYPE = (
    "<typeDescription><name>{}</name><supertypeName>uima.tcas.Annotation</supertypeName>"
    "<features>{}</features></typeDescription>"
)
TYPES = (
    '<?xml version="1.0"?><typeSystemDescription xmlns="http://uima.apache.org/resourceSpecifier"><types>{}{}</types>'.format(
        TYPE.format("custom.Entity", FEATURE.format("kind", "uima.cas.String")),
        TYPE.format(
            "custom.Lives",
            FEATURE.format("Governor", "custom.Entity") + FEATURE.format("Dependent", "custom.Entity"),
        ),
    )
    + "</typeSystemDescription>"
)


def test_xmi_with_a_layer_of_a_project(tmp_path: Path) -> None:
    write(tmp_path, {"a.xmi": XMI, "TypeSystem.xml": TYPES})
    (document,), losses = read(tmp_path / "a.xmi", "xmi", Options(layer="custom.Entity", feature="kind"))
    assert (document.text, document.language, document.spans) == (TEXT, "cs", (JANA, BRNO))
    assert losses.counts() == {"no label": 1, "relation": 1}
    with pytest.raises(DataError, match=r"layers are custom.Entity, custom.Lives.*; choose them with --layer"):
        read(tmp_path, "xmi")


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
STOLEN = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize("doctype", [LAUGHS, STOLEN])
@pytest.mark.parametrize("file", ["a.xmi", "TypeSystem.xml"])
def test_xml_with_entities_is_refused(tmp_path: Path, doctype: str, file: str) -> None:
    files = {"a.xmi": XMI, "TypeSystem.xml": TYPES}
    files[file] = files[file].replace("?>", f"?>{doctype}", 1).replace("Jana", "&a;").replace("custom.Lives", "&a;", 1)
    write(tmp_path, files)
    with pytest.raises(DataError, match=f"{file}: a document type is not allowed"):
        read(tmp_path / "a.xmi", "xmi", Options(layer="custom.Entity", feature="kind"))


def test_a_doc_bin_of_spacy_with_groups_of_spans(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin

    doc = spacy.blank("cs")(TEXT)
    doc.ents = [doc.char_span(2, 11, label="PER")]
    doc.spans["places"] = [doc.char_span(21, 25, label="LOC")]
    bare = spacy.blank("cs")("Nic.")
    DocBin(docs=[doc, bare], store_user_data=True).to_disk(tmp_path / "a.spacy")
    (document,), losses = read(tmp_path / "a.spacy", "spacy")
    assert (document.text, document.spans) == (TEXT, (JANA, BRNO))
    assert losses.counts() == {"no annotations": 1}


@pytest.mark.parametrize(
    ("form", "files", "message"),
    [
        ("label-studio", {"a": "{}"}, "expected a list of tasks"),
        ("label-studio", {"a": "[1"}, "not JSON"),
        (
            "label-studio",
            {"a": '[{"data": {"title": "x", "body": "y"}}]'},
            "no text under 'text'; its keys are 'title', 'body'",
        ),
        ("label-studio", {"a": r'[{"data": {"a\nb": 1, "c": 2}}]'}, r"its keys are 'a\\nb', 'c'"),
        ("label-studio", {"a": '[{"data": {"text": "x"}, "annotations": 1.5}]'}, "annotations must be a list, got 1.5"),
        (
            "label-studio",
            {"a": '[{"data": {"text": "x"}, "annotations": [{"result": 7}]}]'},
            "result must be a list, got 7",
        ),
        ("doccano", {"a": "[1]"}, "a:1: not a document of doccano"),
        ("webanno", {"a": "x"}, "a:1: expected #FORMAT=WebAnno TSV 3"),
        ("webanno", {"a": WEBANNO.replace("1-4\t14-19", "1-4\t14")}, "a:12: expected number, offsets, token"),
        ("xmi", {"a": XMI}, "no TypeSystem.xml beside it; INCEpTION exports both in one zip archive"),
        ("xmi", {"a": "<x>", "TypeSystem.xml": TYPES}, "a: not XML"),
        ("xmi", {"a": "<x/>", "TypeSystem.xml": TYPES}, "a: not a CAS|a: the CAS has no text"),
        ("spacy", {"a": "x"}, "not a DocBin of spaCy 3"),
    ],
)
def test_a_malformed_file_is_one_line(tmp_path: Path, form: str, files: dict[str, str | bytes], message: str) -> None:
    write(tmp_path, files)
    with pytest.raises(DataError, match=message) as found:
        read(tmp_path / "a", form, Options(layer="custom.Entity", feature="kind") if form == "xmi" else None)
    assert "\n" not in str(found.value)


def test_a_malformed_line_of_brat_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"a.txt": "Jana", "a.ann": "T1\tPER 0 4\tJana\nT2\tPER four\tJana\n"})
    with pytest.raises(DataError, match=r"a.ann:2: expected `T2⇥LABEL START END⇥TEXT`"):
        read(tmp_path, "brat")


@pytest.mark.parametrize("form", ["label-studio", "brat", "webanno", "xmi", "spacy", "doccano", "jsonl"])
def test_files_of_tools_are_recognised(tmp_path: Path, form: str) -> None:
    suffix = {"spacy": ".spacy", "jsonl": ".jsonl", "doccano": ".jsonl"}.get(form, "")
    path = tmp_path / f"there{suffix}"
    conversion.write([Document("d", TEXT, spans=(JANA,))], path, form)
    assert tool_name(path) == (None if form == "jsonl" else form)
