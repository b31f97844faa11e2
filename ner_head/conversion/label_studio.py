"""Label Studio's JSON: a list of tasks, as it exports them (JSON and JSON-MIN) and imports them.

A region has `start`, `end`, `text` and `labels`. The offsets count code points: the editor has done so since
https://github.com/HumanSignal/label-studio-frontend/pull/308, and its tests
(web/libs/editor/tests/integration/e2e/ner/emoji.cy.ts) say "Should calculate offsets by code points in text". Exports
of older versions count UTF-16 code units (https://github.com/HumanSignal/label-studio/issues/1347). Which of the two a
task has is found by comparing the `text` of its regions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ner_head.base.errors import DataError
from ner_head.conversion.offsets import COUNTS, covers, find_count
from ner_head.conversion.tool import Losses, Options, Tool
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document, Span
from ner_head.corpus.languages import tidy
from ner_head.formats.labels import clean, fault
from ner_head.formats.lines import read_text

CONTROL, OBJECT = "label", "text"
"""Names of the tags `Labels` and `Text` in Label Studio's template for named entities."""
COUNTED = ("characters", "utf-16", "characters without the CR of CR LF")


def prediction(
    document: Document,
    *,
    model: str,
    names: Mapping[str, str] | None = None,
    control: str = CONTROL,
    to_object: str = OBJECT,
) -> dict[str, Any]:
    """The prediction of a task. Its score is the probability of its least certain span, null without spans.

    Args:
        document: the document with predicted spans.
        model: name of the model.
        names: from our labels to those of the labeling config; spans with other labels are left out. None for all.
        control: name of the `Labels` tag.
        to_object: name of the `Text` tag.
    """
    spans = [span for span in document.spans if names is None or span.label in names]
    probabilities = [span.probability for span in spans if span.probability is not None]
    return {
        "model_version": model,
        "score": min(probabilities, default=None),
        "result": [
            region(document, span, number, (names or {}).get(span.label, span.label), control, to_object)
            | {"score": span.probability}
            for number, span in enumerate(spans, 1)
        ],
    }


def region(document: Document, span: Span, number: int, label: str, control: str, to_object: str) -> dict[str, Any]:
    """A labelled region of a text."""
    return {
        "id": f"ner-{number}",
        "from_name": control,
        "to_name": to_object,
        "type": "labels",
        "value": {
            "start": span.start,
            "end": span.end,
            "text": document.text[span.start : span.end],
            "labels": [label],
        },
    }


def write(documents: Iterable[Document], path: Path, options: Options, losses: Losses) -> None:
    """Write tasks to import, with predictions or annotations. Id, language and topic are in `data`."""
    listed = list(documents)
    predicted = options.predicted
    if predicted is None:
        predicted = any(span.probability is not None for document in listed for span in document.spans)
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        handle.write("[")
        for number, document in enumerate(listed):
            separator = ",\n" if number else "\n"
            handle.write(separator + json.dumps(_task(document, predicted, options), ensure_ascii=False))
        handle.write("\n]\n")


def _task(document: Document, predicted: bool, options: Options) -> dict[str, Any]:
    data = {"text": document.text, "id": document.id}
    data |= {"language": document.language} if document.language != UNKNOWN_LANGUAGE else {}
    data |= {"topic": document.topic} if document.topic else {}
    if predicted:
        return {"data": data, "predictions": [prediction(document, model=options.model)]}
    regions = [region(document, s, n, s.label, CONTROL, OBJECT) for n, s in enumerate(document.spans, 1)]
    return {"data": data, "annotations": [{"result": regions}]}


def read(path: Path, options: Options, losses: Losses) -> Iterator[Document]:
    """Read the tasks of an export.

    Of several annotations of a task the ground truth is taken, else the latest that was not cancelled.

    Raises:
        DataError: the file is no list of tasks, or a task has no text (names its number).
    """
    tasks = read_tasks(path)
    take = options.take
    if take == "auto":
        take = "annotations" if any(map(_is_annotated, tasks)) else "predictions"
        if take == "predictions" and any("predictions" in task for task in tasks):
            losses.notice("no task has an annotation; its predictions are read")
    for number, task in enumerate(tasks, 1):
        where = f"{path}: task {number}"
        try:
            document = _bare(task, str(number), options.text_field)
            found = _predictions(task) if take == "predictions" else _annotations(task)
            if not found:
                losses.add(document.key, "no annotations", detail=f"task {task.get('id', number)}")
                continue
            for _ in found[1:]:
                losses.add(document.key, "another annotator", detail=f"task {task.get('id', number)}")
            yield _with_spans(document, found[0], losses)
        except ValueError as error:
            raise DataError(f"{where}: {error}") from None


def read_tasks(path: Path) -> list[dict[str, Any]]:
    """The tasks of a file.

    Raises:
        DataError: it is no list of tasks.
    """
    try:
        tasks = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {error}; export from Label Studio as JSON or JSON-MIN") from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise DataError(f"{path}: expected a list of tasks; export from Label Studio as JSON or JSON-MIN")
    return tasks


def _bare(task: Mapping[str, Any], number: str, field: str) -> Document:
    """The document of a task without spans.

    Raises:
        ValueError: it has no text.
    """
    data = task["data"] if isinstance(task.get("data"), dict) else task
    texts = [key for key, value in data.items() if isinstance(value, str)]
    key = field or (OBJECT if OBJECT in texts else texts[0] if len(texts) == 1 else "")
    if key not in texts:
        keys = ", ".join(map(repr, data))
        raise ValueError(f"no text under {key or OBJECT!r}; its keys are {keys}; name one with --text-field")
    text = data[key]
    text.encode()  # a lone surrogate is a ValueError
    name = data.get("id", task.get("id", number))
    language, topic = data.get("language"), data.get("topic")
    return Document(
        str(name),
        text,
        tidy(language) if isinstance(language, str) and language.strip() else UNKNOWN_LANGUAGE,
        topic if isinstance(topic, str) else "",
    )


def _annotations(task: Mapping[str, Any]) -> list[list[Any]]:
    """The results of the annotations of a task, the one to take first."""
    if "data" not in task:  # JSON-MIN: one annotation, whose regions are under the name of the control tag
        lists = [value for value in task.values() if isinstance(value, list) and any(map(_is_region, value))]
        known = [[{"type": "labels", "value": each} for each in value] for value in lists]
        return known or ([[]] if "annotator" in task or "annotation_id" in task else [])
    given = _listed(task, "annotations" if "annotations" in task else "completions")
    valid = [each for each in given if isinstance(each, dict) and not each.get("was_cancelled")]
    valid.sort(key=lambda each: (bool(each.get("ground_truth")), str(each.get("updated_at") or "")), reverse=True)
    return [_listed(each, "result") for each in valid]


def _is_annotated(task: Mapping[str, Any]) -> bool:
    """Whether a task has an annotation, or what should be one, which is an error when it is read."""
    try:
        return bool(_annotations(task))
    except ValueError:
        return True


def _listed(owner: Mapping[str, Any], key: str) -> list[Any]:
    """A list of a task or an annotation, empty if it is absent or null.

    Raises:
        ValueError: it is something else.
    """
    found = owner.get(key) or []
    if not isinstance(found, list):
        raise ValueError(f"{key} must be a list, got {found!r:.60}")
    return found


def _is_region(value: Any) -> bool:
    return isinstance(value, dict) and "labels" in value and "start" in value


def _predictions(task: Mapping[str, Any]) -> list[list[Any]]:
    """The results of the predictions of a task, the latest first."""
    given = [each for each in _listed(task, "predictions") if isinstance(each, dict)]
    given.sort(key=lambda each: str(each.get("updated_at") or each.get("created_at") or ""), reverse=True)
    return [_listed(each, "result") for each in given]


def _with_spans(document: Document, result: Sequence[Any], losses: Losses) -> Document:
    """The document with the mentions of a result.

    Raises:
        ValueError: a region is malformed.
    """
    regions = []
    for item in result:
        if not isinstance(item, dict):
            raise ValueError(f"a region must be an object, got {item!r:.60}")
        kind, value = item.get("type"), item.get("value")
        if kind == "relation":
            losses.add(document.key, "relation", detail=str(item.get("labels") or ""))
        elif kind == "labels" and isinstance(value, dict):
            regions.append((value, item.get("score", value.get("score"))))
        else:
            losses.add(document.key, "other annotation", detail=f"type {kind}")
    marked = [(v["start"], v["end"], v["text"]) for v, _ in regions if _has_text(v)]
    count = find_count(document.text, marked, COUNTED)
    if count != COUNTED[0]:
        losses.notice(f"the offsets of some tasks count {count}; they were converted")
    spans: list[Span] = []
    for value, score in regions:
        spans += _spans(document, value, score, count, losses)
    return Document(document.id, document.text, document.language, document.topic, spans=tuple(sorted(spans)))


def _has_text(value: Mapping[str, Any]) -> bool:
    return type(value.get("start")) is type(value.get("end")) is int and isinstance(value.get("text"), str)


def _spans(document: Document, value: Mapping[str, Any], score: Any, count: str, losses: Losses) -> Iterator[Span]:
    """The spans of a region, one for each of its labels; none, and a loss, if it does not fit the text.

    Raises:
        ValueError: it is malformed.
    """
    start, end, labels, surface = (value.get(key) for key in ("start", "end", "labels", "text"))
    if type(start) is not int or type(end) is not int or not isinstance(labels, list):
        raise ValueError(f"a region must have whole numbers start and end, and a list of labels, got {value!r:.80}")
    units, form = COUNTS[count](document.text), surface if isinstance(surface, str) else ""
    try:
        first, last = units.to_character(start), units.to_character(end)
    except ValueError:
        first, last = 0, 0
    if first >= last:
        losses.add(document.key, "outside the text", form, f"[{start}, {end})")
        return
    if form and not covers(document.text, units, start, end, form):
        losses.add(document.key, "surface differs", form, f"[{start}, {end}) covers {document.text[first:last]!r}")
        return
    if not labels:
        losses.add(document.key, "no label", form, f"[{start}, {end})")
    probability = float(score) if isinstance(score, int | float) and 0 <= score <= 1 else None
    for label in labels:
        if not isinstance(label, str) or (why := fault(clean(label))):
            raise ValueError(f"{why if isinstance(label, str) else 'a label that is no string'}, in {value!r:.80}")
        yield Span(first, last, label, probability)


TOOL = Tool("label-studio", read, write, probabilities=True)
