"""The paper's baseline: a linear-chain CRF over hand-crafted word features, trained with CRFsuite (Okazaki, 2007).

It uses no features of the encoder, so the difference to the head's scores is the gain from the frozen BERT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from ner_head.base.errors import DataError, ResourceError
from ner_head.base.files import write_whole
from ner_head.base.params import Params
from ner_head.corpus.documents import Document, Span, character_span
from ner_head.corpus.tagging import OUTSIDE, TagSet, document_word_spans
from ner_head.corpus.word_features import shape, spellings

FIRST, LAST = "<s>", "</s>"  # stand for words before and after the sentence
MAGIC = b"lCRF"  # first bytes of a model of CRFsuite


class BaselineParams(Params):
    """Section `baseline`."""

    c1: float = Field(default=0.0, ge=0)
    """Weight of the L1 norm. A larger weight keeps fewer features in the model; 0 keeps all."""
    c2: float = Field(default=1.0, ge=0)
    """Weight of the squared L2 norm. Larger corpora need a larger weight."""
    iterations: int = Field(default=100, ge=1)
    """Maximum number of L-BFGS iterations."""
    affix: int = Field(default=5, ge=0)
    """Maximum length of prefixes and suffixes, in characters."""
    window: int = Field(default=2, ge=0)
    """Number of neighbouring words on each side."""


@lru_cache(maxsize=1 << 16)
def own_features(word: str, affix: int) -> tuple[str, ...]:
    """Features of a word without context: form, lower-cased form, shape, length, prefixes and suffixes."""
    lower = word.lower()
    sizes = range(1, min(affix, len(lower) - 1) + 1)
    return (
        f"form={word}",
        f"lower={lower}",
        f"shape={shape(word)}",
        f"length={min(len(word), 5)}",
        *(f"prefix={lower[:n]}" for n in sizes),
        *(f"suffix={lower[-n:]}" for n in sizes),
    )


def sentence_features(
    words: Sequence[str], language: str, params: BaselineParams, *, spelled: Mapping[str, str]
) -> list[list[str]]:
    """Features of each word: its own, those of its neighbours, combinations, position, language and document.

    Args:
        words: W words.
        language: Language of the document. The features of a language that is missing from train have no weight.
        params: Params of the baseline.
        spelled: The `spellings` of the document.
    """
    lower = [FIRST, *(word.lower() for word in words), LAST]
    shapes = [FIRST, *(shape(word) for word in words), LAST]
    steps = [step for n in range(1, params.window + 1) for step in (-n, n)]
    rows = []
    for i, word in enumerate(words, 1):
        (before, this, after), (shape_before, shape_here, shape_after) = lower[i - 1 : i + 2], shapes[i - 1 : i + 2]
        kind = f"{shape_here}+{'first' if i == 1 else 'inner'}"
        row = [
            "bias",
            f"language={language}",
            f"language+suffix={language}+{this[-3:]}",
            f"kind={kind}",
            f"kind+spelled={kind}+{spelled.get(this)}",
            *own_features(word, params.affix),
        ]
        for step in steps:
            at = min(max(i + step, 0), len(words) + 1)
            row += [f"{step}:lower={lower[at]}", f"{step}:shape={shapes[at]}"]
        if steps:
            row += [
                f"-1:suffix={before[-3:]}",
                f"+1:suffix={after[-3:]}",
                f"-1:lower+shape={before}+{shape_here}",
                f"+1:lower+shape={after}+{shape_here}",
                f"-1:words={before}+{this}",
                f"+1:words={this}+{after}",
                f"-1:shapes={shape_before}+{shape_here}",
                f"+1:shapes={shape_here}+{shape_after}",
                f"shapes={shape_before}+{shape_here}+{shape_after}",
            ]
        rows.append(row)
    return rows


def document_features(document: Document, params: BaselineParams) -> list[list[list[str]]]:
    """Features of each word of each sentence."""
    spelled = spellings(document)
    return [
        sentence_features([word.text for word in sentence.words], document.language, params, spelled=spelled)
        for sentence in document.sentences
    ]


class Baseline:
    """A trained CRF, read from its file.

    CRFsuite has no forbidden transitions; it only learns to avoid them. An I-x that does not continue an entity begins
    one (`TagSet.spans`).
    """

    def __init__(self, path: Path, params: BaselineParams) -> None:
        import pycrfsuite  # of the extra `train`

        self.params = params
        self._tagger = pycrfsuite.Tagger()
        self._tagger.open(str(path))
        self._tag_set = TagSet.iob(sorted({tag[2:] for tag in self._tagger.labels() if tag != OUTSIDE}))
        self._index = {tag: i for i, tag in enumerate(self._tag_set.tags)}

    def predict(self, document: Document) -> Document:
        """The document with predicted spans instead of its gold spans."""
        spans: list[Span] = []
        for sentence, rows in zip(document.sentences, document_features(document, self.params), strict=True):
            tags = [self._index[tag] for tag in self._tagger.tag(rows)]
            spans += (character_span(sentence, span) for span in self._tag_set.spans(tags))
        return replace(document, spans=tuple(sorted(spans)))


def _write_again(path: Path) -> None:
    """Write a model's file once more.

    CRFsuite does not notice that a disk is full. It leaves a part of the model, and ends the process when it reads one.
    Where the first writing failed, this one does too, or the header is absent, which CRFsuite writes last.

    Raises:
        ResourceError: The disk is full.
    """
    content = path.read_bytes()
    if not content.startswith(MAGIC):
        raise ResourceError(f"{path}: CRFsuite could not write the model; free some disk space")
    write_whole(path, content)


def train_baseline(documents: Sequence[Document], path: Path, params: BaselineParams) -> Baseline:
    """Train on annotated documents and write the model. Training is deterministic.

    Raises:
        DataError: The documents have no spans.
        ResourceError: The disk is full or not writable.
    """
    import pycrfsuite  # of the extra `train`

    labels = sorted({span.label for document in documents for span in document.spans})
    if not labels:
        raise DataError("the baseline has no entities to learn from: no train document has a span")
    tag_set = TagSet.iob(labels)
    names = tag_set.tags
    trainer = pycrfsuite.Trainer("lbfgs", verbose=False)
    trainer.set_params(
        {
            "c1": params.c1,
            "c2": params.c2,
            "max_iterations": params.iterations,
            "feature.possible_transitions": True,  # gives unseen transitions a negative weight
        }
    )
    for document in documents:
        for rows, spans in zip(document_features(document, params), document_word_spans(document), strict=True):
            tags = tag_set.encode(len(rows), spans)
            trainer.append(rows, [names[tag] for tag in tags])
    path.parent.mkdir(parents=True, exist_ok=True)
    trainer.train(str(path))
    _write_again(path)
    return Baseline(path, params)
