"""The bodies of requests: JSON, checked, with one clear line for what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, NoReturn

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ner_head.base.errors import UsageError
from ner_head.corpus.documents import Document
from ner_head.server.limits import Limits
from ner_head.server.refusal import Refusal

_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # an escaped half of a character of UTF-16
Language = Annotated[str | None, Field(description="code of ISO 639 (bg, cs, pl ...); null to predict it")]


class Closed(BaseModel):
    """A JSON object without unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


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
    min_probability: Annotated[float, Field(ge=0, le=1, description="drop spans that are less probable")] = 0.0

    @model_validator(mode="after")
    def _one_way(self) -> PredictRequest:
        """Check that the texts are given in one way."""
        given = [name for name in ("text", "texts", "documents") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of text, texts and documents, got {', '.join(given) or 'none of them'}")
        return self

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
