"""What the server accepts, and for how long it waits."""

from __future__ import annotations

from pydantic import Field

from ner_head.base.params import Params


class Limits(Params):
    """Limits of the server. A request above one of them gets the status that is named here."""

    body_bytes: int = Field(default=8 * 2**20, ge=1024)
    """Size of the body of a request (413)."""
    bodies_bytes: int = Field(default=64 * 2**20, ge=1024)
    """Size of the bodies of all requests under way together (429)."""
    texts: int = Field(default=256, ge=1)
    """Number of texts in a request (413)."""
    characters: int = Field(default=200_000, ge=1)
    """Number of characters of the texts of a request together (413)."""
    n_best: int = Field(default=10, ge=1)
    """Number of readings of a sentence (422)."""
    queue_texts: int = Field(default=1024, ge=1)
    """Number of texts that wait for the model (429)."""
    queue_characters: int = Field(default=1_000_000, ge=1)
    """Number of characters of the texts that wait for the model (429)."""
    batch_texts: int = Field(default=64, ge=1)
    """Number of texts that the model reads together."""
    batch_characters: int = Field(default=16_000, ge=1)
    """Number of characters that the model reads together; one text may have more. A word piece has at least one
    character, so this is a bound on the word pieces too."""
    connections: int = Field(default=256, ge=1)
    """Number of open connections. Above it, the connection that has sent no whole request for longest is closed; if
    there is none, the new connection is."""
    head_seconds: float = Field(default=10, gt=0)
    """Time to receive the first line and the headers of a request (408)."""
    body_seconds: float = Field(default=30, gt=0)
    """Time to receive the body of a request (408)."""
    request_seconds: float = Field(default=60, gt=0)
    """Time from the body of a request to its answer (504)."""
    answer_seconds: float = Field(default=30, gt=0)
    """Time for the client to receive the answer; the connection is cut then."""
    idle_seconds: int = Field(default=15, ge=1)
    """Time that a connection stays open between two requests."""
