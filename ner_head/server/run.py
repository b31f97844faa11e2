"""Run the server: its socket, its signals and its stop."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn

from ner_head.base.errors import NerHeadError, ResourceError, UsageError
from ner_head.server.connection import LINGER, Config
from ner_head.server.limits import Limits

BACKLOG = 512
STOPPED = "a second signal: stopped at once, requests under way are lost"


class Server(uvicorn.Server):
    """A server that finishes what it has accepted after SIGTERM or SIGINT, and stops at once after a second signal."""

    def __init__(self, config: Config, *, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        """Set what is called when the server is ready, and when it begins to stop."""
        super().__init__(config)
        self._ready, self._stopping = ready, stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop. uvicorn would raise the signal again at the end; a clean stop exits with 0."""
        if self.should_exit:
            os.write(sys.stderr.fileno(), f"ner-head: {STOPPED}\n".encode())
            os._exit(128 + sig)
        self._stopping()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop to accept connections, and wait for the answers of those that are there."""
        await asyncio.sleep(0)  # one more round of the loop accepts the connections that the system has queued
        await super().shutdown(sockets)


def bind(host: str, port: int) -> socket.socket:
    """A socket with an address, which does not listen yet. Do this before the model is loaded.

    Raises:
        ResourceError: another program has the port.
        UsageError: this machine has no such address, or the port is not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"--host {host}: {error.strerror or error}") from None
    if os.name == "posix":
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart must not wait for old connections
    try:
        found.bind(address)
    except OSError as error:
        found.close()
        raise address_error(error, host, port) from None
    return found


def listen(found: socket.socket) -> None:
    """Let a socket accept connections.

    Raises:
        ResourceError: another program has the port.
    """
    try:
        found.listen(BACKLOG)
    except OSError as error:
        raise address_error(error, *found.getsockname()[:2]) from None


def address_error(error: OSError, host: str, port: int) -> NerHeadError:
    """The error for an address that cannot be used."""
    import errno

    if error.errno == errno.EADDRINUSE:
        return ResourceError(f"port {port} of {host} is in use by another program; take another one (--port)")
    return UsageError(f"{host}, port {port}: {error.strerror}; take another address (--host, --port)")


def url(found: socket.socket) -> str:
    """The URL of a socket."""
    host, port = found.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    app: Any,
    found: socket.socket,
    limits: Limits,
    *,
    ready: Callable[[], None],
    stopping: Callable[[], None],
    access_log: bool = False,
) -> None:
    """Serve until a signal stops the server.

    Args:
        app: the ASGI application.
        found: a socket that listens.
        limits: limits of connections and times.
        ready: called when requests are accepted.
        stopping: called at the first signal, in the main thread.
        access_log: whether each request is a line on standard error.
    """
    config = Config(
        app,
        limits,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=access_log,
        server_header=False,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=int(limits.body_seconds + limits.request_seconds + limits.answer_seconds + LINGER),
        backlog=BACKLOG,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # the app reports what is unexpected
    if access_log:
        logger, handler = logging.getLogger("uvicorn.access"), logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    Server(config, ready=ready, stopping=stopping).run(sockets=[found])
