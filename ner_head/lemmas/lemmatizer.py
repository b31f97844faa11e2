"""A trained lemmatizer: gives mentions their base forms, and is saved to a folder.

Files: `lemmas.json` (the settings and the edits), `lexicon.json`, and `lemmas.safetensors` if there is a head.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from ner_head.base.errors import DataError, system_error
from ner_head.base.files import digest_of, read_checked, write_whole
from ner_head.base.params import Params, first_problem
from ner_head.corpus.documents import Document, Span
from ner_head.features.store.mentions import WordVectors
from ner_head.lemmas.forms import Edit, join, one_line, split
from ner_head.lemmas.items import (
    EditTable,
    Evidence,
    MentionWord,
    WordForm,
    mention_words,
    word_form,
    words_by_language,
)
from ner_head.lemmas.lexicon import MEND, Lexicon
from ner_head.lemmas.network import EditHead, WordInputs
from ner_head.lemmas.params import LemmaParams

VERSION = 1
MANIFEST, LEXICON, WEIGHTS = "lemmas.json", "lexicon.json", "lemmas.safetensors"
FILES = (MANIFEST, LEXICON, WEIGHTS)
BATCH = 512  # words
GROUP = 64  # documents
ALL = -1  # instead of the number of a document, for words of all documents
Scores = dict[tuple[int, WordForm], dict[int, float]]
"""Sums of log-probabilities of edits, by the number of the document and the form of the word."""


class LemmaManifest(Params):
    """`lemmas.json`."""

    version: int = VERSION
    params: LemmaParams
    width: int = 0
    """Width of the vectors, D; 0 without a head."""
    encoder: str = ""
    """Fingerprint of the encoder."""
    edits: list[tuple[str, str, list[str]]] = Field(default_factory=list)
    """Cut, added ending, and languages of each edit."""
    sha256: dict[str, str] = Field(default_factory=dict)
    """Digests of the other files. Empty if they were saved before there were digests."""


@dataclass(frozen=True)
class Lemmatizer:
    """Finds the base forms of mentions.

    A form that train has gets its lemma of train. Words of other forms are edited as the head says; without a head,
    by rules for their endings. A mention in a language that train lacks keeps its form.

    Attributes:
        lexicon: Forms and rules of train.
        params: How it was trained.
        table: The edits of the head.
        head: Scores edits; None for rules alone.
        encoder: Fingerprint of the encoder of the vectors; "" if it was not given.
    """

    lexicon: Lexicon
    params: LemmaParams
    table: EditTable | None = None
    head: EditHead | None = None
    encoder: str = ""

    @property
    def layers(self) -> tuple[int, ...]:
        """Layers of the encoder whose vectors are read."""
        return (self.params.layer,)

    @property
    def languages(self) -> set[str]:
        """Languages of train."""
        return self.lexicon.languages

    def lemmatize(
        self, documents: Sequence[Document], vectors: Sequence[Sequence[WordVectors]], *, together: bool = False
    ) -> list[Document]:
        """The documents, with a lemma for each span.

        Args:
            documents: Documents with sentences and spans.
            vectors: Vectors of the words of each span, of `layers`.
            together: Whether the words of all documents count as evidence, instead of each document's own words.
        """
        evidence = words_by_language(documents) if together else None
        groups = [range(start, min(start + GROUP, len(documents))) for start in range(0, len(documents), GROUP)]
        scores = self._scores(groups, documents, vectors, evidence) if together else {}
        found = list[Document]()
        for group in groups:
            if not together:
                scores = self._scores([group], documents, vectors, evidence)
            for number in group:
                document, place = documents[number], ALL if together else number
                spans = (replace(span, lemma=self._lemma(document, span, place, scores)) for span in document.spans)
                found.append(replace(document, spans=tuple(spans)))
        return found

    def _lemma(self, document: Document, span: Span, place: int, scores: Scores) -> str:
        form = one_line(document.text[span.start : span.end])
        if document.language not in self.languages:
            return form
        known = self.lexicon.find(document.language, span.label, form)
        if known is not None:
            return known
        if self.table is None:
            return self.lexicon.by_rules(document.language, span.label, form)
        parts = split(form)
        words, edited = parts[::2], parts[::2]
        for position, word in enumerate(words):
            of_edits = scores.get((place, word_form(document.language, span.label, words, position)))
            if of_edits:
                edited[position] = self.table.edits[max(sorted(of_edits), key=of_edits.__getitem__)].apply(word)
        return join(parts, edited)

    def _scores(
        self,
        groups: Iterable[range],
        documents: Sequence[Document],
        vectors: Sequence[Sequence[WordVectors]],
        by_language: Mapping[str, Counter[str]] | None,
    ) -> Scores:
        """The scores of the edits of the words of mentions that train lacks.

        The vectors of one group are in memory at a time. Equal words of equal mentions are counted together: of a
        document, or of all if there is `by_language`, the words of all.
        """
        scores: Scores = defaultdict(lambda: defaultdict(float))
        if self.head is None or self.table is None:
            return scores
        for group in groups:
            part = [documents[number] for number in group]
            items = [
                item
                for item in mention_words(part, [vectors[number] for number in group])
                if item.language in self.languages and not self._is_known(part[item.document], item)
            ]
            evidence = replace(Evidence.of(part, together=False), by_language=by_language or {})
            for start in range(0, len(items), BATCH):
                batch = items[start : start + BATCH]
                for item, found in zip(batch, self._log_probabilities(batch, evidence), strict=True):
                    of_edits = scores[group[item.document] if by_language is None else ALL, item.form]
                    for number, score in found:
                        of_edits[number] += score
        return scores

    def _is_known(self, document: Document, item: MentionWord) -> bool:
        span = document.spans[item.span]
        form = one_line(document.text[span.start : span.end])
        return self.lexicon.find(item.language, item.label, form) is not None

    @torch.inference_mode()
    def _log_probabilities(self, items: Sequence[MentionWord], evidence: Evidence) -> list[list[tuple[int, float]]]:
        """The numbers of the possible edits of each word, with their log-probabilities."""
        if self.head is None or self.table is None:
            return []
        inputs = WordInputs.of(items, self.table, evidence, self.params.buckets)
        found = self.head(inputs.batch(range(len(items)))).tolist()
        return [list(zip(edits, row, strict=False)) for edits, row in zip(inputs.edits, found, strict=True)]

    def save(self, folder: Path) -> None:
        """Write the files."""
        self.lexicon.save(folder / LEXICON)
        names = [LEXICON]
        manifest = LemmaManifest(params=self.params, encoder=self.encoder)
        if self.head is not None and self.table is not None:
            edits = [
                (*edit, sorted(languages))
                for edit, languages in zip(self.table.edits, self.table.languages, strict=True)
            ]
            width = self.head.projection.in_features
            manifest = LemmaManifest(params=self.params, width=width, encoder=self.encoder, edits=edits)
            write_whole(folder / WEIGHTS, save(dict(self.head.state_dict())))
            names.append(WEIGHTS)
        manifest = manifest.model_copy(update={"sha256": {name: digest_of(folder / name) for name in names}})
        write_whole(folder / MANIFEST, (manifest.model_dump_json(indent=1) + "\n").encode())

    @classmethod
    def load(cls, folder: Path) -> Lemmatizer:
        """Read the files.

        Raises:
            DataError: A file is absent or damaged, or of another version.
        """
        path = folder / MANIFEST
        try:
            manifest = LemmaManifest.model_validate_json(path.read_bytes())
            if manifest.version != VERSION:
                raise DataError(f"{path}: version {manifest.version}; this ner-head reads {VERSION}; {MEND}")
            lexicon = Lexicon.load(folder / LEXICON, manifest.sha256.get(LEXICON, ""))
            if not manifest.width:
                return cls(lexicon, manifest.params, encoder=manifest.encoder)
            table = EditTable(
                tuple(Edit(cut, add) for cut, add, _ in manifest.edits),
                tuple(frozenset(languages) for _, _, languages in manifest.edits),
            )
            tensors = load(read_checked(folder / WEIGHTS, manifest.sha256.get(WEIGHTS, ""), mend=MEND))
            with torch.device("meta"):  # takes no memory: the manifest may ask for more than the file has
                shapes = EditHead(manifest.params, len(table.edits), manifest.width).state_dict()
            if {name: tensor.shape for name, tensor in shapes.items()} != {n: t.shape for n, t in tensors.items()}:
                raise RuntimeError(f"weights of other shapes than {MANIFEST} says")
            head = EditHead(manifest.params, len(table.edits), manifest.width)
            head.load_state_dict(tensors)
        except OSError as error:
            raise system_error(error, mend=MEND) from None
        except ValidationError as error:
            raise DataError(f"{path}: {first_problem(error)}; {MEND}") from None
        except (SafetensorError, RuntimeError, TypeError, OverflowError) as error:
            raise DataError(f"{folder / WEIGHTS}: damaged: {' '.join(str(error).split())[:100]}; {MEND}") from None
        return cls(lexicon, manifest.params, table, head.eval(), manifest.encoder)
