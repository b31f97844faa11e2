"""UIMA CAS XMI, as INCEpTION and DKPro export and import it, with dkpro-cassis.

A document is a file NAME.xmi; its types are in TypeSystem.xml beside it. Offsets of a CAS count UTF-16 code units
(https://github.com/inception-project/inception/issues/1811); cassis converts them. Mentions are annotations of a layer
whose feature is the label, and whose feature `probability` is the probability. INCEpTION reads XMI leniently
(`XmiFormatSupport`: `XmiReader.PARAM_LENIENT`), so that a project without this feature leaves it out.

XML from elsewhere is parsed without document types first, so that cassis never sees entities.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ner_head.base.errors import DataError
from ner_head.conversion.layout import layout
from ner_head.conversion.names import Identity, files_of, place
from ner_head.conversion.tool import Losses, Options, Tool
from ner_head.conversion.xml_tree import parse_xml, printable
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, Span
from ner_head.corpus.languages import tidy
from ner_head.formats.lines import read_text

TYPES = "TypeSystem.xml"
TOKEN = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Token"
SENTENCE = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Sentence"
PROBABILITY = "probability"
_NO_MENTIONS = (".segmentation.", ".metadata.", "uima.tcas.DocumentAnnotation", "webanno.internal.")
"""Parts of the names of types that are no annotations of a person."""


def read(path: Path, options: Options, losses: Losses) -> Iterator[Document]:
    """Read the documents of a folder, or one document. Types are in TypeSystem.xml in the same folder or above it.

    Raises:
        DataError: a file is malformed or has a document type, or the type system has no such layer.
    """
    root = path if path.is_dir() else path.parent
    systems: dict[Path, Any] = {}
    for file, name in files_of(path, [".xmi"]):
        above = [folder / TYPES for folder in (file.parent, *file.parent.parents) if folder.is_relative_to(root)]
        types = next((each for each in above if each.is_file()), None)
        if types is None:
            raise DataError(f"{file}: no {TYPES} beside it; INCEpTION exports both in one zip archive: unpack it")
        if types not in systems:
            systems[types] = _type_system(types, options)
        yield _document(file, name, systems[types], options, losses)


@lru_cache(maxsize=2)  # it takes longer than a document
def _loaded(content: str) -> Any:
    """The type system in some XML."""
    import cassis

    return cassis.load_typesystem(content)


def _type_system(path: Path, options: Options) -> Any:
    """Load a type system.

    Raises:
        DataError: it is malformed, or has no such layer.
    """
    content = read_text(path)
    parse_xml(content, str(path))
    try:
        types = _loaded(_without_declaration(content))
    except Exception as error:  # cassis raises whatever it stumbles over
        raise DataError(f"{path}: not a type system of UIMA: {error}") from None
    found = {each.name: [feature.name for feature in each.all_features] for each in types.get_types()}
    if options.feature not in found.get(options.layer, []):
        layers = (name for name, features in found.items() if "begin" in features and not _is_internal(name))
        raise DataError(
            f"{path}: no layer {options.layer} with a feature {options.feature}; layers are "
            f"{', '.join(sorted(layers)) or 'none'}; choose them with --layer and --feature"
        )
    return types


def _without_declaration(content: str) -> str:
    """XML without its declaration, whose encoding is that of the file and not of the string."""
    content = content.lstrip("\ufeff")
    return content[content.index("?>") + 2 :].lstrip() if content.startswith("<?xml") else content


def _document(path: Path, name: Identity, types: Any, options: Options, losses: Losses) -> Document:
    """Read a CAS.

    Raises:
        DataError: it is malformed.
    """
    import cassis

    content = read_text(path)
    parse_xml(content, str(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unknown types, which hold no mentions of the layer
            cas = cassis.load_cas_from_xmi(_without_declaration(content), typesystem=types, lenient=True, trusted=True)
        annotations = list(cas.select_all_annotations())
        text, language = cas.sofa_string, cas.document_language
    except Exception as error:  # cassis raises whatever it stumbles over
        raise DataError(f"{path}: not a CAS of these types: {error!r}") from None
    if not isinstance(text, str):
        raise DataError(f"{path}: the CAS has no text")
    known = tidy(language) if language and not language.startswith("x-") else name.language
    document = Document(name.id, text, known, name.topic)
    members = {each.name for each in types.get_types() if types.subsumes(options.layer, each.name)}
    spans: list[Span] = []
    others = Counter[tuple[bool, str]]()
    for each in annotations:
        if each.type.name in members:
            spans += _span(document, each, options, losses)
        elif not _is_internal(each.type.name):
            features = {feature.name for feature in each.type.all_features}
            others[{"Governor", "Dependent"} <= features or "first" in features, each.type.name] += 1
    for (relation, kind), count in others.items():
        losses.add(document.key, "relation" if relation else "other annotation", detail=kind, number=count)
    return Document(document.id, text, known, name.topic, spans=tuple(sorted(spans)))


def _span(document: Document, annotation: Any, options: Options, losses: Losses) -> Iterator[Span]:
    """The span of an annotation; none, and a loss, if it does not fit."""
    start, end, label = annotation.begin, annotation.end, annotation.get(options.feature)
    detail = f"{label} [{start}, {end})"
    if start is None or end is None or not 0 <= start < end <= len(document.text):
        losses.add(document.key, "outside the text", detail=detail)
        return
    names = {feature.name for feature in annotation.type.all_features}
    scores = [annotation.get(key) for key in (PROBABILITY, f"{options.feature}_score") if key in names]
    score = next((value for value in scores if isinstance(value, float) and 0 <= value <= 1), None)
    if "identifier" in names and annotation.get("identifier"):
        losses.add(document.key, "attribute", document.text[start:end], f"identifier {annotation.get('identifier')}")
    if not isinstance(label, str) or not label:
        losses.add(document.key, "no label", document.text[start:end], detail)
        return
    yield Span(start, end, label, score)


def _is_internal(name: str) -> bool:
    return any(part in name for part in _NO_MENTIONS)


def write(documents: Iterable[Document], path: Path, options: Options, losses: Losses) -> None:
    """Write a CAS for each document, with sentences, tokens and mentions, and the types."""
    types = _new_types(options.layer, options.feature)
    taken: set[str] = set()
    for document in documents:
        file = place(document, path, ".xmi", taken)
        _cas(document, types, options, losses).to_xmi(file)
    types.to_xml(path / TYPES)


@lru_cache(maxsize=2)
def _new_types(layer_name: str, feature_name: str) -> Any:
    """The types of DKPro Core, with a layer and its features."""
    import cassis

    types = cassis.load_dkpro_core_typesystem()
    if not types.contains_type(layer_name):
        types.create_type(layer_name, supertypeName="uima.tcas.Annotation")
    layer = types.get_type(layer_name)
    features: Mapping[str, str] = {feature_name: "uima.cas.String", PROBABILITY: "uima.cas.Double"}
    for name, kind in features.items():
        if all(feature.name != name for feature in layer.all_features):
            types.create_feature(layer, name=name, rangeType=kind)
    return types


def _cas(document: Document, types: Any, options: Options, losses: Losses) -> Any:
    """The CAS of a document. Characters that XML cannot hold are replaced, one by one."""
    import cassis

    text = printable(document.text)
    if text != document.text:
        differ = sum(one != two for one, two in zip(text, document.text, strict=True))
        losses.add(document.key, "text changed", detail="characters that XML cannot hold", number=differ)
    cas = cassis.Cas(typesystem=types)
    cas.sofa_string, cas.sofa_mime = text, "text/plain"
    if document.language != UNKNOWN_LANGUAGE:
        cas.document_language = document.language
    sentence, token, layer = (types.get_type(name) for name in (SENTENCE, TOKEN, options.layer))
    for tokens in layout(document, cut=False, white=False):
        cas.add(sentence(begin=tokens[0][0], end=tokens[-1][1]))
        cas.add_all([token(begin=start, end=end) for start, end in tokens])
    for span in document.spans:
        label = printable(span.label)
        if label != span.label:
            losses.span(document, "label changed", span)
        known = {} if span.probability is None else {PROBABILITY: span.probability}
        cas.add(layer(begin=span.start, end=span.end, **{options.feature: label}, **known))
    return cas


TOOL = Tool("xmi", read, write, folder=True, probabilities=True, extra=("inception", "cassis"))
