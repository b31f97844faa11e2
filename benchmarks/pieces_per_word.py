"""Pieces a word of the bundled encoder, by language: `python -m benchmarks.pieces_per_word`.

The text is Django's translations, sentences of a user interface in about 90 languages, where its package is installed
(`make test` does); of the languages of the sample, the sample's news beside it.
"""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import regex
import torch

from benchmarks.report import write_results
from ner_head.corpus.documents import Document
from ner_head.corpus.segment import segment
from ner_head.features.extraction.encode import PieceCounts, count_pieces
from ner_head.features.extraction.encoder import Encoder
from ner_head.features.extraction.words import words_of

ENCODER = Path("encoders/multilingual-e5-small")
EUROPE = (
    *("bg", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et", "eu", "fi", "fr", "ga", "gl", "hr", "hu", "is"),
    *("it", "lt", "lv", "mk", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sq", "sr", "sv", "uk"),
)


def sentences(language: str) -> list[str]:
    """Django's texts in a language that have three words or more."""
    spec = importlib.util.find_spec("django")
    if spec is None or spec.origin is None:
        raise SystemExit("error: django is not installed: pip install --no-deps django==5.2")
    found = set[str]()
    for path in Path(spec.origin).parent.glob(f"**/locale/{language}/LC_MESSAGES/django.po"):
        content = path.read_text(encoding="utf-8")
        kind = "msgid" if language == "en" else "msgstr"
        found |= {text for text in regex.findall(rf'^{kind} "(.+)"$', content, regex.M) if text.count(" ") > 1}
    return sorted(found)


def count(texts: Iterable[str], language: str, encoder: Encoder) -> PieceCounts:
    """Pieces, words and unknown words of texts."""
    whole = [Document(str(i), text, language, sentences=segment(text, language)) for i, text in enumerate(texts)]
    return count_pieces(words_of(whole, spaces=encoder.word_pieces.marks_spaces), encoder)


def main() -> None:
    """Print a table and write it to `benchmarks/results/pieces_per_word.json`."""
    encoder = Encoder(ENCODER, device=torch.device("cpu"), load=False)
    figures: dict[str, dict[str, float]] = defaultdict(dict)
    for language in EUROPE:
        texts = sentences(language)
        if not texts:
            continue
        found = count(texts, language, encoder)
        # a sentence's [CLS] is no piece of a word
        figures[language] = {
            "words": found.words,
            "pieces_per_word": round((found.pieces - len(texts)) / found.words, 2),
            "unknown_words": found.unknown.total(),
        }
        news = [
            path.read_text(encoding="utf-8") for path in sorted(Path("data/sample/raw").glob(f"*/{language}/*.txt"))
        ]
        if news:
            found = count(news, language, encoder)
            figures[language]["news_pieces_per_word"] = round(found.pieces / found.words, 2)
    print("| language | words | pieces a word | unknown words | pieces a word, sample's news |\n|---|---|---|---|---|")
    for language, row in figures.items():
        news_too = row.get("news_pieces_per_word", "")
        print(f"| {language} | {row['words']:,} | {row['pieces_per_word']} | {row['unknown_words']} | {news_too} |")
    print(write_results("pieces_per_word", dict(figures), ("tokenizers",)))


if __name__ == "__main__":
    main()
