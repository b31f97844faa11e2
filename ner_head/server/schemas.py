"""The bodies of answers, for the OpenAPI description."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ReadSpan(BaseModel):
    """An entity of a reading, in characters (code points) of the exact text."""

    start: int
    end: int
    label: str
    text: str


class FoundSpan(ReadSpan):
    """An entity, in characters (code points) of the exact text."""

    probability: float


class FoundReading(BaseModel):
    """One of the n best readings of a sentence."""

    probability: float
    spans: list[ReadSpan]


class SentenceReadings(BaseModel):
    """The n best readings of the sentence [start, end), best first."""

    start: int
    end: int
    best: list[FoundReading]


class FoundDocument(BaseModel):
    """A text with its entities: the record that `ner-head predict` prints."""

    id: str
    language: str
    language_probability: float | None
    text: str
    spans: list[FoundSpan]
    readings: list[SentenceReadings] = Field(default=[], description="of each sentence; absent if n_best is 1")


class PredictAnswer(BaseModel):
    """Answer of `POST /predict`, with the documents in the order of the request."""

    documents: list[FoundDocument]
    warnings: list[str] = Field(description="such as a language that the model was not trained on")


class Health(BaseModel):
    """Answer of `GET /health`."""

    status: str


class EncoderInfo(BaseModel):
    """The encoder of the model."""

    model: str
    fingerprint: str


class Info(BaseModel):
    """Answer of `GET /info`."""

    version: str
    model: str = Field(description="a name of the model's exact weights")
    labels: list[str]
    languages: list[str]
    encoder: EncoderInfo
    dev_f1: float | None
    limits: dict[str, float]


class ErrorAnswer(BaseModel):
    """Answer of a request that was refused."""

    error: str = Field(description="one line: what is wrong, and how to fix it")
