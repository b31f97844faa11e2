"""What a split has and train lacks: no head can find it, and no score can rise above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document


def unknown(
    split: str, documents: Sequence[Document], labels: Collection[str], languages: Collection[str]
) -> list[str]:
    """A line for each label and each language of a split that the train split does not have.

    Args:
        split: its name.
        documents: of the split.
        labels: of train.
        languages: of train.
    """
    spans = Counter(span.label for document in documents for span in document.spans)
    counts = Counter(document.language for document in documents if document.language != UNKNOWN_LANGUAGE)
    lines = [
        f"{split}: {number:,} gold spans have the label {label}, which train lacks: none of them can be found"
        for label, number in sorted(spans.items())
        if label not in labels
    ]
    return lines + [
        f"{split}: {number:,} documents are of the language {language}, which train lacks: "
        "their scores are those of a language never trained on"
        for language, number in sorted(counts.items())
        if language not in languages
    ]
