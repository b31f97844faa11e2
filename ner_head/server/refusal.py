"""Answers with an error: one line that says what is wrong."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from ner_head.base.errors import harmless


class Refusal(HTTPException):
    """A request that is refused. The message is one line for the client."""

    def __init__(
        self, status: int, line: str, *, retry_after: int | None = None, headers: dict[str, str] | None = None
    ) -> None:
        """Set the status and the message.

        Args:
            status: HTTP status.
            line: what is wrong, and how to fix it.
            retry_after: number of seconds after which the client may try again.
            headers: more headers of the answer.
        """
        retry = {} if retry_after is None else {"Retry-After": str(retry_after)}
        super().__init__(status, line, {**retry, **(headers or {})})


def refused(status: int, line: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer for a refused request: `{"error": "..."}`."""
    plain = " ".join(line.encode("utf-8", "backslashreplace").decode().split())
    return JSONResponse({"error": harmless(plain)}, status, headers)
