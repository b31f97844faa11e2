"""The application: what is answered under which path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

import ner_head
from ner_head.base.entry import known
from ner_head.base.errors import NerHeadError, ResourceError
from ner_head.base.files import digest_of_all
from ner_head.corpus.documents import Document
from ner_head.server import inception, label_studio
from ner_head.server.batcher import Batcher
from ner_head.server.intake import UNEXPECTED, Intake
from ner_head.server.limits import Limits
from ner_head.server.page import page
from ner_head.server.refusal import Refusal, refused
from ner_head.server.requests import JsonRoute, PredictRequest, check_size, to_documents, validation_line
from ner_head.server.schemas import ErrorAnswer, Health, Info, PredictAnswer

if TYPE_CHECKING:
    from ner_head.inference.saved_model import ModelManifest
    from ner_head.recognizer import Recognizer


@dataclass(frozen=True)
class Service:
    """What the answers are made of.

    Attributes:
        recognizer: the model.
        manifest: the manifest of the model.
        identity: a name of the model's exact weights.
        batcher: the queue of the model.
        limits: limits of a request.
    """

    recognizer: Recognizer
    manifest: ModelManifest
    identity: str
    batcher: Batcher
    limits: Limits

    async def recognize(self, documents: Sequence[Document], request: Request, *, n_best: int = 1) -> list[Document]:
        """Find the entities of documents, in the order of the queue.

        Raises:
            Refusal: the queue is full (429), or the time is over (504).
        """
        answer = asyncio.wrap_future(self.batcher.submit(documents, n_best=n_best).future)
        gone = asyncio.ensure_future(disconnected(request))
        seconds = self.limits.request_seconds
        try:
            either: set[asyncio.Future[Any]] = {answer, gone}
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return _result(answer)
            if gone.done():
                raise Refusal(499, "the client closed the connection")  # nobody reads it
            raise Refusal(504, f"no result within {seconds:g} s; send fewer texts, or try again", retry_after=5)
        finally:
            answer.cancel()  # drops the request from the queue
            gone.cancel()

    def info(self) -> dict[str, Any]:
        """The answer of `/info`."""
        encoder = self.manifest.encoder
        return {
            "version": ner_head.__version__,
            "model": self.identity,
            "labels": self.manifest.labels,
            "languages": self.manifest.languages,
            "encoder": {"model": Path(encoder.model).name, "fingerprint": encoder.fingerprint},
            "dev_f1": self.manifest.training.dev_f1,
            "limits": self.limits.model_dump(),
        }


def _result(answer: asyncio.Future[list[Document]]) -> list[Document]:
    """The result of the model.

    Raises:
        NerHeadError: the model refuses the text, or the machine is at its limits.
    """
    try:
        return answer.result()
    except Exception as error:
        raise known(error) or error from None


async def disconnected(request: Request) -> None:
    """Wait until the client closes the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def identity(model: Path, manifest: ModelManifest) -> str:
    """A name of a model's exact manifest and weights."""
    return f"ner-head-{digest_of_all(model / name for name in manifest.files)[:12]}"


def create_app(service: Service, *, token: str | None, report: Callable[[Exception], None]) -> Intake:
    """The ASGI application.

    Args:
        service: what the answers are made of.
        token: secret that a client must know; None if everybody may use the server.
        report: called with an unexpected error.
    """
    app = FastAPI(
        title="ner-head",
        version=ner_head.__version__,
        summary="Named entity recognition with a frozen encoder.",
        docs_url=None,  # its page loads scripts from another site
        redoc_url=None,
        redirect_slashes=False,
        responses={"4XX": {"model": ErrorAnswer}, "5XX": {"model": ErrorAnswer}},
        exception_handlers={
            HTTPException: _http_error,
            RequestValidationError: _validation_error,
            NerHeadError: _known_error,
            Exception: _unexpected,
        },
    )
    app.router.route_class = JsonRoute
    _add_routes(app, service)
    app.include_router(
        label_studio.router(service.manifest.labels, service.identity, service.limits, service.recognize)
    )
    app.include_router(inception.router(service.recognizer.language_code, service.limits, service.recognize))
    return Intake(app, service.batcher, service.limits, token=token, report=report)


def _add_routes(app: FastAPI, service: Service) -> None:
    """Add the paths of the server's own protocol."""

    @app.post("/predict", response_model=PredictAnswer, summary="Find the entities of one or many texts")
    async def predict(wanted: PredictRequest, request: Request) -> JSONResponse:
        choice, items = wanted.choice(service.manifest.labels), wanted.items()
        if wanted.n_best > service.limits.n_best:
            raise Refusal(422, f"n_best: {wanted.n_best}; this server gives at most {service.limits.n_best}")
        check_size([item.text for item in items], service.limits)
        documents = to_documents(items, service.recognizer.language_code)
        languages = dict.fromkeys(document.language for document in documents)
        warnings = [line for line in map(service.recognizer.language_warning, languages) if line]
        found = await service.recognize(documents, request, n_best=wanted.n_best)
        records = [choice(document).to_dict() for document in found]
        return JSONResponse({"documents": records, "warnings": warnings})

    @app.get("/health", response_model=Health, summary="Whether the server works; needs no token")
    async def health() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @app.get("/info", response_model=Info, summary="The model, its labels and languages, and the limits")
    async def info() -> JSONResponse:
        return JSONResponse(service.info())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers={"Content-Security-Policy": "default-src 'unsafe-inline'"})


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    line = (
        error.detail
        if isinstance(error, Refusal)
        else f"{request.method} {request.url.path}: {error.detail}; see /docs"
    )
    return refused(error.status_code, line, dict(error.headers or {}))


async def _validation_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return refused(422, validation_line(error))


async def _known_error(_: Request, error: Exception) -> JSONResponse:
    """What the model refuses is the client's mistake, unless the machine is at its limits."""
    return refused(503 if isinstance(error, ResourceError) else 422, str(error))


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    return refused(500, UNEXPECTED)
