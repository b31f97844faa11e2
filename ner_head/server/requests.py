"""The bodies of requests: JSON, checked, with one clear line for what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Annotated, Any, NoReturn

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ner_head.base.errors import UsageError
from ner_head.corpus.documents import Document
from ner_head.prediction.choice import Choice
from ner_head.server.limits import Limits
from ner_head.server.refusal import Refusal

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # an escaped half of a character of UTF-16
Recognize = Callable[[Sequence[Document], Request], Awaitable[list[Document]]]
"""Finds the entities of documents for a request."""
Language = Annotated[str | None, Field(description="code of ISO 639 (bg, cs, pl ...); null to predict it")]


class Closed(BaseModel):
    """A JSON object without unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Open(BaseModel):
    """A JSON object of another program, which may have more fields than are used."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class TextWithId(Closed):
    """A text with an id of its own."""

    id: str | None = None
    text: str
    language: Language = None


class PredictRequest(Closed):
    """Texts, given in one of three ways, and options."""

    text: Annotated[str | None, Field(description="one text")] = None
    texts: Annotated[list[str] | None, Field(description="several texts")] = None
    documents: Annotated[list[TextWithId] | None, Field(description="texts with ids and languages")] = None
    language: Language = None
    n_best: Annotated[int, Field(ge=1, description="number of readings of each sentence")] = 1
    min_probability: Annotated[
        float | dict[str, float] | str,
        Field(description='drop less probable spans: 0.5, by label as {"PER": 0.8}, or both as "0.5,PER=0.8"'),
    ] = 0.0
    labels: Annotated[list[str] | None, Field(min_length=1, description="keep only these labels; null for all")] = None

    @field_validator("min_probability", mode="before")
    @classmethod
    def _number_or_numbers(cls, value: object) -> object:
        """Check the kind of the value, so that the message is one for all kinds."""
        numbers = list(value.values()) if isinstance(value, dict) else [value]
        if isinstance(value, str) or all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
            return value
        raise ValueError('give a number, numbers by label as {"PER": 0.8}, or a text as "0.5,PER=0.8"')

    @model_validator(mode="after")
    def _one_way(self) -> PredictRequest:
        """Check that the texts are given in one way."""
        given = [name for name in ("text", "texts", "documents") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of text, texts and documents, got {', '.join(given) or 'none of them'}")
        return self

    def choice(self, known: Sequence[str]) -> Choice:
        """The spans that are kept.

        Args:
            known: labels of the model.
        Raises:
            UsageError: a probability is malformed or not between 0 and 1, or the model has no such label.
        """
        least = self.min_probability
        if isinstance(least, str):
            choice = Choice.parse(least, self.labels, name="min_probability")
        else:
            choice = Choice.of(least, self.labels)
        choice.check(known)
        return choice

    def items(self) -> list[TextWithId]:
        """The texts in one form. Texts without an id are `text-1`, `text-2` and so on, as on the command line."""
        if self.documents is not None:
            items = self.documents
        else:
            items = [TextWithId(text=text) for text in (self.texts if self.texts is not None else [self.text or ""])]
        return [
            item.model_copy(update={"id": item.id or f"text-{number}", "language": item.language or self.language})
            for number, item in enumerate(items, 1)
        ]


def check_size(texts: Sequence[str], limits: Limits) -> None:
    """Check the number of texts and of characters.

    Raises:
        Refusal: there are too many (413).
    """
    if len(texts) > limits.texts:
        raise Refusal(413, f"{len(texts):,} texts; a request may have {limits.texts:,}")
    if (size := sum(map(len, texts))) > limits.characters:
        raise Refusal(413, f"{size:,} characters; the texts of a request may have {limits.characters:,} together")


def to_documents(items: Sequence[TextWithId], language_code: Callable[[str | None], str]) -> list[Document]:
    """The documents of a request.

    Args:
        items: texts with ids.
        language_code: converts a language into the code that the model uses.
    Raises:
        Refusal: an id is there twice, or a language is no code (422).
    """
    found = dict[str, Document]()
    for item in items:
        name = item.id or ""
        if name in found:
            raise Refusal(422, f"id {name!r}: given twice; every text needs an id of its own")
        try:
            found[name] = Document(id=name, text=item.text, language=language_code(item.language))
        except UsageError as error:
            raise Refusal(422, f"{name}: {error}") from None
    return list(found.values())


def parse(body: bytes) -> Any:
    """Parse JSON.

    Raises:
        Refusal: it is malformed, or has text that UTF-8 cannot hold (400).
    """
    try:
        found = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
        if _HALF.search(body):
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise Refusal(400, f"the body is not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError as error:
        half = f"U+{ord(error.object[error.start]):04X}"
        raise Refusal(400, f"the body has a lone surrogate ({half}), which is no character") from None
    except json.JSONDecodeError as error:
        raise Refusal(400, f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the body is not JSON: {error}") from None
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


class JsonRequest(Request):
    """A request whose JSON is parsed by `parse`."""

    async def json(self) -> Any:
        """The parsed body."""
        return parse(await self.body())


class JsonRoute(APIRoute):
    """A route whose requests are `JsonRequest`s."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of a request."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(JsonRequest(request.scope, request.receive))

        return handle


def validation_line(error: RequestValidationError) -> str:
    """The first error as one line, with its place in the body."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    message = (
        str(first["msg"]).removeprefix("Value error, ").replace("dictionary or object to extract fields from", "object")
    )
    more = f" (and {len(error.errors()) - 1} more)" if len(error.errors()) > 1 else ""
    return f"{where or 'body'}: {message}{more}"
