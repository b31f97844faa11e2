"""The machine learning backend of Label Studio, under `/label-studio`.

The requests and answers are those of label_studio_ml/api.py in HumanSignal/label-studio-ml-backend. Offsets count code
points, as our own do: the editor has done so since https://github.com/HumanSignal/label-studio-frontend/pull/308, and
its tests (web/libs/editor/tests/integration/e2e/ner/emoji.cy.ts) say "Should calculate offsets by code points in text".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import ConfigDict

from ner_head.conversion import label_studio
from ner_head.corpus.documents import Document
from ner_head.server.limits import Limits
from ner_head.server.refusal import Refusal
from ner_head.server.requests import JsonRoute, Open, Recognize, check_size
from ner_head.server.xml_tree import parse_xml

PREFIX = "/label-studio"
NOT_TRAINED = "this model does not learn from annotations while it serves; export them and train a new one"


class Task(Open):
    """A task: its texts are in `data`."""

    id: int | str | None = None
    data: dict[str, Any]


class LabelStudioRequest(Open):
    """Body of `POST /label-studio/predict`."""

    tasks: list[Task]
    label_config: str


class SetupRequest(Open):
    """Body of `POST /label-studio/setup`."""

    schema_: str = ""

    model_config = ConfigDict(extra="ignore", alias_generator=lambda name: name.rstrip("_"))


class WebhookRequest(Open):
    """Body of `POST /label-studio/webhook`."""

    action: str = ""


@dataclass(frozen=True)
class Interface:
    """What a labeling config says about texts.

    Attributes:
        control: name of the `Labels` tag.
        object: name of the `Text` tag.
        key: name of the text in the data of a task.
        labels: from labels of the model to labels of the config.
    """

    control: str
    object: str
    key: str
    labels: dict[str, str]


def read_config(config: str, labels: Sequence[str]) -> Interface:
    """Read a labeling config.

    A label of the config stands for the label of the model with the same name in any case, or for those that its
    attribute `predicted_values` lists, which is Label Studio's own convention.

    Raises:
        Refusal: it has no `Labels` for a `Text`, or none of its labels is known to the model (422).
    """
    root = parse_xml(config, "label_config")
    texts = {tag.get("name"): tag for tag in root.iter("Text")}
    found = [tag for tag in root.iter("Labels") if texts.get(tag.get("toName")) is not None]
    if not found or not found[0].get("name"):
        raise Refusal(422, "label_config: no <Labels name=... toName=...> for a <Text name=...>")
    text = texts[found[0].get("toName")]
    key = (text.get("value") or "").removeprefix("$")
    if not key or text.get("valueType", "text") != "text" or text.get("encoding", "none") != "none":
        raise Refusal(422, 'label_config: the <Text> must have value="$KEY" with the text itself, not a URL or base64')
    names = _names(found[0], labels)
    if not names:
        example = f'<Label value="Person" predicted_values="{labels[0]}"/>'
        raise Refusal(422, f"label_config: no label for {', '.join(labels)}; name one in the config, such as {example}")
    return Interface(str(found[0].get("name")), str(text.get("name")), key, names)


def _names(control: Element, labels: Sequence[str]) -> dict[str, str]:
    """From labels of the model to labels of the config."""
    names = dict[str, str]()
    for tag in control.iter("Label"):
        value = tag.get("value") or ""
        wanted = {name.strip().lower() for name in [value, *tag.get("predicted_values", "").split(",")]}
        names |= {label: value for label in labels if label.lower() in wanted and label not in names}
    return names


def to_documents(tasks: Sequence[Task], key: str) -> list[Document]:
    """The texts of tasks.

    Raises:
        Refusal: a task has no text under this key (422).
    """
    for number, task in enumerate(tasks):
        if not isinstance(task.data.get(key), str):
            raise Refusal(422, f"tasks.{number}: its data has no text under {key!r}")
    return [Document(id=str(number), text=task.data[key]) for number, task in enumerate(tasks)]


def to_prediction(document: Document, interface: Interface, version: str) -> dict[str, object]:
    """The prediction of a task. Its score is the probability of its least certain span, null without spans."""
    return label_studio.prediction(
        document, model=version, names=interface.labels, control=interface.control, to_object=interface.object
    )


def router(labels: Sequence[str], version: str, limits: Limits, recognize: Recognize) -> APIRouter:
    """The paths of the backend.

    Args:
        labels: labels of the model.
        version: name of the model.
        limits: limits of a request.
        recognize: finds the entities of documents.
    """
    routes = APIRouter(prefix=PREFIX, tags=["Label Studio"], route_class=JsonRoute)

    @routes.post("/predict", summary="Predict tasks")
    async def predict(wanted: LabelStudioRequest, request: Request) -> JSONResponse:
        interface = read_config(wanted.label_config, labels)
        documents = to_documents(wanted.tasks, interface.key)
        check_size([document.text for document in documents], limits)
        found = await recognize(documents, request)
        predictions = [to_prediction(document, interface, version) for document in found]
        return JSONResponse({"results": predictions, "model_version": version})

    @routes.post("/setup", summary="Check a labeling config")
    async def setup(wanted: SetupRequest) -> JSONResponse:
        known = read_config(wanted.schema_, labels).labels if wanted.schema_ else dict.fromkeys(labels)
        left = [label for label in labels if label not in known]
        return JSONResponse({"model_version": version, "labels_not_in_config": left})

    @routes.post("/webhook", summary="Take note of an event; nothing is trained")
    async def webhook(event: WebhookRequest) -> JSONResponse:
        return JSONResponse({"status": "ignored", "action": event.action, "detail": NOT_TRAINED})

    @routes.post("/train", summary="Refuse to train")
    async def train() -> JSONResponse:
        raise Refusal(501, NOT_TRAINED)

    @routes.get("/", include_in_schema=False)
    @routes.get("/health", summary="Whether the backend works; needs no token")
    async def health() -> JSONResponse:
        return JSONResponse({"status": "UP", "model_class": "ner-head"})

    return routes
