"""Connections: uvicorn's HTTP protocol with deadlines, a limit on connections, and a stop that loses no request.

uvicorn has no deadline for the head of a request: each byte that arrives resets its only timer
(https://github.com/Kludex/uvicorn/issues/157). Without one, a few clients that send a byte from time to time hold all
connections.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ner_head.server.limits import Limits

LINGER = 0.5  # seconds that an idle connection stays open after the stop signal, as its next request may be on its way


class Config(uvicorn.Config):
    """The config of uvicorn, with our limits."""

    def __init__(self, app: Any, limits: Limits, **options: Any) -> None:
        """Set the limits. For the options see uvicorn."""
        super().__init__(app, http=Connection, **options)
        self.limits = limits


class Connection(H11Protocol):
    """A connection of a client."""

    def __init__(self, config: Config, *arguments: Any, **options: Any) -> None:
        """Start without a request."""
        super().__init__(config, *arguments, **options)
        self.limits = config.limits
        self._head: asyncio.TimerHandle | None = None
        self._receiving = False
        self.since = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether a request has arrived, at least its headers, and is not answered."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def waits(self) -> bool:
        """Whether the client has to send something: the server does not compute an answer."""
        return not self.busy or self.cycle.more_body

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the deadline of the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self.limits.connections:
            others = [c for c in self.connections if isinstance(c, Connection) and c is not self and c.waits]
            min(others, key=lambda c: c.since, default=self).transport.abort()
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        self._cancel_head()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read what arrived, within the deadline of a request's head."""
        if not self.busy:
            self._receiving = True
            if self._head is None:
                self._expect_head()
        super().data_received(data)
        if self.busy:
            self._cancel_head()
            self._receiving = False

    def on_response_complete(self) -> None:
        """Wait for the next request; cut the connection if the client does not take the answer."""
        super().on_response_complete()
        self.since = time.monotonic()
        self.loop.call_later(self.limits.answer_seconds, self._abort_if_unsent, self.since)

    def shutdown(self) -> None:
        """Close the connection: at once after the answer that is under way, or when no request comes for a moment."""
        if self.busy:
            self.cycle.keep_alive = False
        else:
            self.loop.call_later(LINGER, self._close_if_idle)

    def _close_if_idle(self) -> None:
        """Close the connection if no request has begun to arrive."""
        if not self.busy and not self._receiving:
            super().shutdown()

    def _expect_head(self) -> None:
        self._head = self.loop.call_later(self.limits.head_seconds, self._head_is_late)
        self.since = time.monotonic()

    def _cancel_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _head_is_late(self) -> None:
        """Close a connection whose request has not arrived in time."""
        if self._receiving and not self.transport.is_closing():
            body = b'{"error":"the request did not arrive in time"}'
            length = str(len(body)).encode()
            self.transport.write(
                b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-type: application/json\r\n"
                b"content-length: " + length + b"\r\n\r\n" + body
            )
        self.transport.close()

    def _abort_if_unsent(self, since: float) -> None:
        """Cut the connection if the answer that was complete at `since` is still not sent."""
        if self.since == since and self.transport.get_write_buffer_size():
            self.transport.abort()
