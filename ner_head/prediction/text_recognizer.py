"""What all recognizers share: texts in, documents with entities out. Imports no torch."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ner_head.base.errors import UsageError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document
from ner_head.corpus.languages import language_among, language_warning
from ner_head.corpus.segment import segment
from ner_head.inference.predictions import to_prediction
from ner_head.prediction.choice import Choice
from ner_head.prediction.groups import grouped

if TYPE_CHECKING:
    from ner_head.inference.tagged import Tagged


class TextRecognizer(ABC):
    """Finds the entities of texts. A subclass tags sentences.

    Attributes:
        languages: languages of the model.
        labels: labels of the model.
    """

    languages: list[str]
    labels: list[str]

    @abstractmethod
    def _tagged(self, documents: Sequence[Document], n_best: int) -> list[Tagged]:
        """The tagged sentences of documents, in order, with probabilities."""

    def recognize(
        self,
        texts: Sequence[str],
        *,
        n_best: int = 1,
        language: str | None = None,
        min_probability: float | Mapping[str, float] = 0.0,
        labels: Collection[str] | None = None,
    ) -> list[Document]:
        """Find the entities of each text.

        Args:
            texts: the texts.
            n_best: number of readings of each sentence; above 1, the documents have `readings`. Readings with the same
                spans are one, so there may be fewer.
            language: code of the language of all texts (`pl`, `PL` or `pol`); None to predict it for each text.
            min_probability: smallest probability of a span; less probable spans are dropped. Or such a number by label.
            labels: labels of the spans that are kept; None for all.
        Returns:
            One document per text, with sentences, and with spans in characters of the exact text, each with its text
            and its probability. If the language was predicted, the document has its probability, and the language is
            `und` if that is too low.
        Raises:
            TypeError: `texts` is not a sequence of strings.
            UsageError: `language` is not a language code, or as in `recognize_documents`.
        """
        if isinstance(texts, str):
            raise TypeError("texts must be a list of strings, got one string; write recognize([text])")
        known = self.known_language(language)
        documents = [as_document(text, number, known, "texts") for number, text in enumerate(texts)]
        return self.recognize_documents(documents, n_best=n_best, min_probability=min_probability, labels=labels)

    def stream(
        self,
        texts: Iterable[str | Document],
        *,
        n_best: int = 1,
        language: str | None = None,
        min_probability: float | Mapping[str, float] = 0.0,
        labels: Collection[str] | None = None,
    ) -> Iterator[Document]:
        """Find the entities of a stream of texts or documents, of any length, without holding all of them.

        The texts are read a group at a time (`prediction.groups`), and the results of a group come before the next
        group is read. A result does not depend on the other texts of its group.

        Args:
            texts: texts and documents; the id of a text is its number, counted from 0.
            n_best: as in `recognize`.
            language: language of the texts, and of the documents whose language is unknown.
            min_probability: as in `recognize`.
            labels: as in `recognize`.
        Yields:
            One document per text, in order.
        Raises:
            TypeError: a text is neither a string nor a document.
            UsageError: as in `recognize`.
        """
        if isinstance(texts, str):
            raise TypeError("texts must be an iterable of strings or documents, got one string; write stream([text])")
        known, choice = self.known_language(language), self._choice(min_probability, labels)
        documents = (as_document(text, number, known, "texts") for number, text in enumerate(texts))
        groups = (self._recognized(group, n_best) for group in grouped(documents))
        return (choice(document) for found in groups for document in found)

    def known_language(self, language: str | None) -> str:
        """As `language_code`, with a Python warning for a language that the model was not trained on."""
        known = self.language_code(language)
        if line := self.language_warning(known):
            warnings.warn(line, stacklevel=3)
        return known

    def language_code(self, language: str | None) -> str:
        """Convert a language into the code that the model uses for it; `und` for None.

        Raises:
            UsageError: it is not a language code.
        """
        return language_among(language, self.languages)

    def language_warning(self, language: str) -> str:
        """A warning for a language that the model was not trained on; "" for other languages."""
        return language_warning(language, self.languages)

    def recognize_documents(
        self,
        documents: Sequence[Document],
        *,
        n_best: int = 1,
        min_probability: float | Mapping[str, float] = 0.0,
        labels: Collection[str] | None = None,
    ) -> list[Document]:
        """Find the entities of documents. Documents without sentences are segmented.

        Args:
            documents: the documents; their spans are ignored.
            n_best: as in `recognize`.
            min_probability: as in `recognize`.
            labels: as in `recognize`.
        Returns:
            The documents with sentences, predicted spans and languages, as in `recognize`.
        Raises:
            UsageError: `n_best` is below 1 or more than the model can give, a probability is not between 0 and 1, the
                model has no such label, a text has a lone surrogate, or the model is on a GPU and this process was
                forked after the model was loaded.
        """
        choice = self._choice(min_probability, labels)
        return [choice(document) for document in self._recognized(documents, n_best)]

    def _choice(self, min_probability: float | Mapping[str, float], labels: Collection[str] | None) -> Choice:
        choice = Choice.of(min_probability, labels)
        choice.check(self.labels)
        return choice

    def _recognized(self, documents: Sequence[Document], n_best: int) -> list[Document]:
        """The documents with all predicted spans, and with readings if `n_best` is above 1."""
        if n_best < 1:
            raise UsageError(f"n_best must be at least 1, got {n_best}")
        for document in documents:
            check_text(document)
        whole = [
            document if document.sentences else replace(document, sentences=segment(document.text, document.language))
            for document in documents
        ]
        tagged = iter(self._tagged(whole, n_best))
        found = []
        for document in whole:
            mine = [next(tagged) for _ in document.sentences]
            one = to_prediction(document, mine, self.languages)
            readings = tuple(map(tuple, one.readings)) if n_best > 1 else ()
            found.append(replace(self._named(one.document, mine), readings=readings).with_texts())
        return found

    def _named(self, document: Document, tagged: Sequence[Tagged]) -> Document:
        """The document with lemmas and entities, if the model has them. `tagged` are its sentences."""
        return document


def as_document(text: str | Document, number: int, language: str, what: str) -> Document:
    """A text as a document; a document of unknown language as one of this language.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(text, str):
        return Document(id=str(number), text=text, language=language)
    if not isinstance(text, Document):
        raise TypeError(f"{what}[{number}] must be a string, got {type(text).__name__}")
    return replace(text, language=language) if text.language == UNKNOWN_LANGUAGE else text


def check_text(document: Document) -> None:
    """Check that a text has no lone surrogates, which result from cutting UTF-16 between the halves of a character.

    Raises:
        UsageError: it has one; names the document and the first such character.
    """
    try:
        document.text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"document {document.id}: a lone surrogate (U+{ord(document.text[error.start]):04X}) at character "
            f"{error.start}; it is no text that UTF-8 can hold"
        ) from None
