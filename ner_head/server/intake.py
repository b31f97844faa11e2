"""What happens before and after the application: token, limits, the body of a request, unexpected errors."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

from ner_head.server.batcher import Batcher
from ner_head.server.limits import Limits
from ner_head.server.refusal import Refusal, refused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN = {"/health", "/label-studio/health", "/label-studio/"}  # paths that need no token
DRAIN_SECONDS = 1.0
UNEXPECTED = "unexpected error; the log of the server has the details"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="ner-head", Basic realm="ner-head"'}


class Gone(Exception):
    """The client closed the connection."""


class Intake:
    """An ASGI application around another one, which gets complete requests within the limits only."""

    def __init__(
        self,
        app: Application,
        batcher: Batcher,
        limits: Limits,
        *,
        token: str | None,
        report: Callable[[Exception], None],
    ) -> None:
        """Put the checks around an application.

        Args:
            app: the application.
            batcher: its queue.
            limits: limits of a request.
            token: secret that a client must know; None if everybody may use the server.
            report: called with an unexpected error.
        """
        self.app, self.batcher, self.limits, self.token, self.report = app, batcher, limits, token, report
        self.stopping = False  # answers then close their connections
        self.under_way = 0  # bytes of bodies in memory

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        request, answer = Body(receive, self), Answer(send, self)
        try:
            self.check(scope, Headers(scope=scope))
            await request.read()
            await self.app(scope, request.replay, answer.send)
        except Refusal as refusal:
            await refuse(refusal, request, answer.send)
        except Gone:
            return
        except Exception as error:
            self.report(error)
            if not answer.started:
                await refuse(Refusal(500, UNEXPECTED), request, answer.send)
        finally:
            self.under_way -= request.size

    def stop(self) -> None:
        """Let the next answers close their connections."""
        self.stopping = True

    def check(self, scope: MutableMapping[str, Any], headers: Headers) -> None:
        """Check the head of a request.

        Raises:
            Refusal: the token is wrong, the body is too large or of another kind, or too many requests wait.
        """
        if self.token is not None and scope["path"] not in OPEN and not is_token(headers, self.token):
            raise Refusal(401, "give the token: `Authorization: Bearer TOKEN`", headers=CHALLENGE)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:20]) > self.limits.body_bytes:
            raise too_large(self.limits)
        if scope["method"] != "POST":
            return
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" or headers.get("content-encoding", "identity") != "identity":
            raise Refusal(415, "send plain JSON, with the header `Content-Type: application/json`")
        if scope["path"].endswith("/predict"):
            self.batcher.check()


class Answer:
    """The answer to a request."""

    def __init__(self, send: Send, intake: Intake) -> None:
        """Start with nothing sent."""
        self._send, self._intake = send, intake
        self.started = False

    async def send(self, message: Message) -> None:
        """Send a part. While the server stops, the answer also asks the client to close the connection."""
        if message["type"] == "http.response.start":
            self.started = True
            if self._intake.stopping:
                MutableHeaders(scope=message)["connection"] = "close"
        await self._send(message)


class Body:
    """The body of a request, which is read once and then given to the application."""

    def __init__(self, receive: Receive, intake: Intake) -> None:
        """Start with nothing read."""
        self._receive, self._intake = receive, intake
        self._parts: list[bytes] = []
        self.size = 0
        self.complete = self._given = False

    async def read(self) -> None:
        """Read the body.

        Raises:
            Refusal: it is too large, too slow, or all bodies together take too much memory.
            Gone: the client closed the connection.
        """
        limits = self._intake.limits
        try:
            async with asyncio.timeout(limits.body_seconds):
                while not self.complete:
                    await self._next(limits)
        except TimeoutError:
            raise Refusal(408, f"the body did not arrive within {limits.body_seconds:g} s") from None

    async def _next(self, limits: Limits) -> None:
        """Read the next part of the body."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        self.complete = not message.get("more_body", False)
        self.size += len(part)
        self._intake.under_way += len(part)
        if self.size > limits.body_bytes:
            raise too_large(limits)
        if self._intake.under_way > limits.bodies_bytes:
            raise Refusal(429, "the bodies of all requests take too much memory; try again in 5 s", retry_after=5)
        self._parts.append(part)

    async def replay(self) -> Message:
        """The body as one ASGI message, then what the server sends (the end of the connection)."""
        if self._given:
            return await self._receive()
        self._given = True
        body, self._parts = b"".join(self._parts), []
        return {"type": "http.request", "body": body, "more_body": False}

    async def drain(self) -> None:
        """Read and drop the rest of the body, for a moment, and no more than twice the limit of a body.

        If a connection is closed before its data is read, the client gets a reset, often before it reads the answer.
        """
        left = 2 * self._intake.limits.body_bytes
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self.complete and left > 0:
                    message = await self._receive()
                    left -= len(message.get("body", b""))
                    self.complete = not message.get("more_body", False)


async def refuse(refusal: Refusal, request: Body, send: Send) -> None:
    """Send the answer for a refused request, and close the connection if its body is not read."""
    headers = {**(refusal.headers or {}), **({} if request.complete else {"Connection": "close"})}
    answer = refused(refusal.status_code, refusal.detail, headers)
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": bytes(answer.body), "more_body": not request.complete})
    if not request.complete:
        await request.drain()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def is_token(headers: Headers, token: str) -> bool:
    """Whether a request has the token: as `Bearer TOKEN`, or as the password of `Basic` (Label Studio, browsers)."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, ValueError):
            return False
    elif scheme.lower() != "bearer":
        return False
    # the time of the comparison does not depend on where the two differ
    return hmac.compare_digest(given.strip().encode("utf-8", "surrogatepass"), token.encode())


def too_large(limits: Limits) -> Refusal:
    """The answer for a body over the limit."""
    return Refusal(413, f"the body has more than {limits.body_bytes:,} bytes; send fewer texts in a request")
