"""Documents of the tests of features. Importing this module does not import transformers."""

from __future__ import annotations

from ner_head.corpus.documents import Document
from ner_head.corpus.segment import segment


def many(n: int) -> list[Document]:
    texts = [f"Text číslo {i} je tady." for i in range(n)]
    return [Document(f"d{i}", text, "cs", "t", segment(text, "cs")) for i, text in enumerate(texts)]
