"""Labels and languages of a split that are missing from the train split, so that no head can predict them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from ner_head.corpus.documents import UNKNOWN_LANGUAGE, Document


def unknown(
    split: str, documents: Sequence[Document], labels: Collection[str], languages: Collection[str]
) -> list[str]:
    """A message for each label and each language of a split that the train split does not have.

    Args:
        split: Name of the split.
        documents: Documents of the split.
        labels: Labels of the train split.
        languages: Languages of the train split.
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
