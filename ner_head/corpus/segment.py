"""Segment a text into sentences and words, as offsets. The text itself is never changed.

Libraries are not used, because none of them knows the abbreviations of all four languages. On SlavicNER (51,813 gold
mentions, benchmarks/segmentation.py), sentence boundaries of the libraries cut 97 mentions (razdel 0.5), 103 (syntok
1.4), 129 (pysbd 0.3, 40 times slower) and 250 (sentencex 1.0), at the same mean sentence length. These rules cut 1.

A blank line always ends a sentence. A single line break ends one too, because both corpora have one paragraph per
line, unless its block of lines is hard-wrapped: the longest line has 40 to 120 characters, and no line but the last
has room for the first word of the next line.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterator

import regex

from ner_head.corpus.abbreviations import DEFAULT_NEVER_LAST, DEFAULT_OFTEN_LAST, NEVER_LAST, OFTEN_LAST
from ner_head.corpus.documents import Sentence, Word

_log = logging.getLogger(__name__)
SEGMENTATION = "rules-2"  # stored in models: change it with any change of boundaries
MAX_WORDS = 500  # longest sentence: the cost of attention grows with the square of its length

# A run of letters may contain combining marks, and between letters an apostrophe (Barnier'a, O'Connor) and format
# characters (soft hyphen, zero-width space). Hyphens are words of their own: 6 gold mentions of SlavicNER end inside a
# word so, and 63 would if hyphens joined words (UE-Londyn, anti-Brexit). Letters and digits are split ("ЕС27"), numbers
# keep inner . , : and an ideograph is a word. Possessive quantifiers keep every pattern linear in the text.
# U+02BC is a letter and an apostrophe: within a word, it needs a letter after it.
_WORD = regex.compile(
    r"""
      [\p{L}--\p{Han}] (?: [\p{L}--[\p{Han}ʼ]]++ | \p{M}++ | (?:\p{Cf}++|['’ʼ`]\p{Cf}*+) [\p{L}--\p{Han}] )*+
    | \p{Han}\p{M}*+
    | \p{N}\p{M}*+ (?: (?:\p{Cf}++|[.,:])?+ \p{N}\p{M}*+ )*
    | \.++
    | \p{Cf}++
    | \p{M}++
    | [^\s\x1C-\x1F]\p{M}*+ (?:\u200D[^\s\x1C-\x1F]\p{M}*+)*
    """,
    regex.VERBOSE | regex.VERSION1,
)
_LINE_BREAK = regex.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")
_WRAPPED_WIDTH = range(40, 121)  # characters per line

_CLOSING = r"[\p{Cf}\"'”“’»›)\]]*+"
_TERMINATOR = regex.compile(
    rf"""
      (?<![.!?…։؟۔।॥]) (?P<mark>[.!?…։؟۔।॥]++) (?P<closing>{_CLOSING}) \s++
    | (?<=\p{{Ll}}\p{{Ll}}) [.!?…]++ ["”“’»)]*+ (?=[„"“«]*+ (?!(?:Com|Net|Org)\b) \p{{Lu}}(?:\p{{Ll}}{{2,}}+)?+ [\s,])
    | [。！？｡]++ [」』”’）]*+ \s*+
    """,  # the second is a missing space between sentences ("прес.Предприехме"), but no host ("a.CamelCase.com")
    regex.VERBOSE,
)
_NEXT = regex.compile(r"[\s\p{Ps}\p{Pi}\p{Pf}\p{Pd}\p{Cf}\"'*•·¿¡]*+(\S)")
_BEFORE = regex.compile(r"[\p{L}\p{M}\p{N}\p{Cf}.\-]+$")
_IGNORED = regex.compile(r"\p{Cf}+")
_DOTTED = regex.compile(r"(?:\p{L}\.)+\p{L}{1,2}")
_ROMAN = regex.compile(r"[IVXLC]{2,}\b")  # numerals of one letter are Czech and Polish words too
_LONGEST_ABBREVIATION = 24  # number of characters searched before a period
_MARKS = (".!?…։؟۔।॥。！？｡", ";:；：", ",、，،")  # marks after which a long sentence is cut, the best first
_LETTER_WORDS = frozenset("йѝя")  # pronouns that may end a sentence; other single letters are abbreviations
_SHORT_SENTENCE = 30  # characters; "На 29 март 2019 г." is the beginning of a sentence, not a sentence


def segment(text: str, language: str, *, max_words: int = MAX_WORDS) -> tuple[Sentence, ...]:
    """Segment a text into sentences and words with exact offsets, in time linear in its length.

    Every character that is not white space belongs to exactly one word of one sentence.

    Args:
        text: the text.
        language: language code. bg, cs, pl and ru have lists of abbreviations; other languages use all lists together.
        max_words: number of words above which a sentence is cut, see `cut`.
    """
    sentences = list(_sentences(text, language))
    longest = max((len(sentence.words) for sentence in sentences), default=0)
    if longest > max_words:
        _log.warning("sentences of more than %d words were cut; the longest has %d", max_words, longest)
    return tuple(part for sentence in sentences for part in cut(sentence, max_words))


def _sentences(text: str, language: str) -> Iterator[Sentence]:
    for block_start, block_end in _blocks(text):
        for start, end in _ranges(text, block_start, block_end, language):
            if sentence := tuple(words(text, start, end)):
                yield Sentence(sentence)


def cut(sentence: Sentence, max_words: int) -> list[Sentence]:
    """Cut a sentence into parts of at most `max_words` words. Lists, tables and speech may have very long sentences.

    A part ends after the last of the best marks in its second half: the end of a sentence, else a semicolon or colon,
    else a comma. Without such a mark, it has `max_words` words.
    """
    rest, parts = sentence.words, list[Sentence]()
    while len(rest) > max_words:
        candidates = range(max_words - max_words // 2, max_words + 1)
        end = max(candidates, key=lambda n: (_strength(rest[n - 1]), n))
        parts.append(Sentence(rest[:end]))
        rest = rest[end:]
    return [*parts, Sentence(rest)] if parts else [sentence]


def _strength(word: Word) -> int:
    """How suitable the position after a word is for a cut."""
    return next((len(_MARKS) - i for i, marks in enumerate(_MARKS) if word.text[-1] in marks), 0)


def words(text: str, start: int = 0, end: int | None = None) -> Iterator[Word]:
    """The words of text[start:end], with offsets into the whole text."""
    for match in _WORD.finditer(text, start, len(text) if end is None else end):
        yield Word(match[0], *match.span())


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _LINE_BREAK.finditer(text):
        yield start, match.start()
        start = match.end()
    yield start, len(text)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Character ranges that contain whole sentences: lines, or blocks of hard-wrapped lines."""
    block: list[tuple[int, int]] = []
    for start, end in [*_lines(text), (len(text), len(text))]:
        if text[start:end].strip():
            block.append((start, end))
        elif block:
            yield from [(block[0][0], block[-1][1])] if _is_wrapped(text, block) else block
            block = []


def _is_wrapped(text: str, block: list[tuple[int, int]]) -> bool:
    lengths = [len(text[start:end].rstrip()) for start, end in block]
    width = max(lengths)
    if len(block) < 2 or width not in _WRAPPED_WIDTH:
        return False
    heads = [text[start:end].split(maxsplit=1)[0] for start, end in block[1:]]
    if len(block) == 2 and not heads[0][0].islower():  # two lines may be a title and its subtitle
        return False
    return all(length + 1 + len(head) > width for length, head in zip(lengths, heads, strict=False))


def _ranges(text: str, start: int, end: int, language: str) -> Iterator[tuple[int, int]]:
    """Character ranges of the sentences in [start, end)."""
    first = end - len(text[start:end].lstrip())
    for match in _TERMINATOR.finditer(text, start, end):
        if match.end() < end and (match["mark"] is None or _ends_sentence(text, first, end, match, language)):
            yield first, match.end()
            first = match.end()
    yield first, end


def _ends_sentence(text: str, first: int, end: int, match: regex.Match[str], language: str) -> bool:
    """Whether a terminator ends the sentence that began at `first`, judged by the text after and before it."""
    following = _NEXT.match(text, match.end(), end)
    if following is None or match.start() == first:
        return False
    character = following[1]
    if character.islower() or unicodedata.category(character) in {"Po", "Pe"}:
        return False
    if match["mark"] != ".":
        return True
    closing = _IGNORED.sub("", match["closing"])
    if closing and not set(closing) & set(")]"):
        return True  # a closing quotation mark ends a sentence even after an abbreviation
    return _period_ends_sentence(text, first, match.start(), following.start(1), language)


def _period_ends_sentence(text: str, first: int, period: int, following: int, language: str) -> bool:
    before = _BEFORE.search(text[max(first, period - _LONGEST_ABBREVIATION) : period])
    if before is None:
        return True
    token = unicodedata.normalize("NFC", _IGNORED.sub("", before[0])).strip(".-")
    if token.isnumeric():
        return not _is_ordinal(text, first, period - len(before[0]), token, following)
    last = token.replace("-", ".").rpartition(".")[2]
    if len(last) == 1 and last.isupper():
        return False  # an initial
    names = {token.lower(), token.rpartition("-")[2].lower()}
    if names & OFTEN_LAST.get(language, DEFAULT_OFTEN_LAST):
        return period - first > _SHORT_SENTENCE and not text[following].isnumeric()
    abbreviated = names & NEVER_LAST.get(language, DEFAULT_NEVER_LAST) or _DOTTED.fullmatch(token)
    return not (abbreviated or (len(last) == 1 and last.islower() and last not in _LETTER_WORDS))


def _is_ordinal(text: str, first: int, start: int, token: str, following: int) -> bool:
    """Whether a number with a period continues the sentence: a list item, part of a date, or a decade."""
    if start == first or text[max(first, start - 2) : start].rstrip().endswith((":", ";")):
        return True
    return len(token) <= 2 and bool(text[following].isnumeric() or _ROMAN.match(text, following))
