"""N-best files in the format of NCRF++ (Yang & Zhang, 2018): sentences with the tags of several hypotheses.

A sentence has a comment line with the probabilities, best first, a line per word with the word and its tag in each
hypothesis, and an empty line:

    # 0.8131 0.1204
    Jana B-PER B-PER
    spí O I-PER

Fields are separated by single spaces, so words and tags cannot contain white space. NCRF++ rounds probabilities to
four digits. Here they are written in full, so that reading restores them exactly; readers of NCRF++ accept this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ner_head.base.errors import DataError
from ner_head.base.files import new_text


@dataclass(frozen=True, slots=True)
class NBest:
    """A sentence of W words and its n hypotheses, each with W tags and a probability."""

    words: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.words or not self.tags:
            raise ValueError("an n-best sentence needs at least one word and one hypothesis")
        if len(self.probabilities) != len(self.tags):
            raise ValueError(
                f"expected {len(self.tags)} probabilities, one a hypothesis, got {len(self.probabilities)}"
            )
        for tags in self.tags:
            if len(tags) != len(self.words):
                raise ValueError(f"expected {len(self.words)} tags in each hypothesis, one a word, got {len(tags)}")
        for text in (*self.words, *(tag for tags in self.tags for tag in tags)):
            if not text or text.split() != [text]:
                raise ValueError(f"{text!r} is empty or has white space, which separates the fields of an n-best file")


def write_nbest(path: Path, sentences: Iterable[NBest]) -> int:
    """Write sentences and return their number."""
    count = 0
    with new_text(path) as handle:
        for sentence in sentences:
            handle.write(f"# {' '.join(map(repr, map(float, sentence.probabilities)))}\n")
            for word, *tags in zip(sentence.words, *sentence.tags, strict=True):
                handle.write(f"{word} {' '.join(tags)}\n")
            handle.write("\n")
            count += 1
    return count


def read_nbest(path: Path) -> Iterator[NBest]:
    """Read an n-best file of `write_nbest` or NCRF++.

    Raises:
        DataError: A block of lines is not an n-best sentence. The message has its file and line.
    """
    try:
        handle = path.open(encoding="utf-8", newline="\n")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from None
    with handle:
        block: list[str] = []
        try:
            for number, line in enumerate(handle, 1):
                if line.strip():
                    block.append(line.rstrip("\r\n"))
                elif block:
                    yield _sentence(path, number - len(block), block)
                    block = []
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: not UTF-8 ({error.reason}); run `dvc repro evaluate`") from None
        if block:
            yield _sentence(path, number - len(block) + 1, block)


def _sentence(path: Path, first: int, block: list[str]) -> NBest:
    """Parse the lines of a sentence. `first` is the line number of the first one."""
    sign, *probabilities = block[0].split()
    if sign != "#":
        raise DataError(
            f"{path}:{first}: expected '#' and the probabilities of a sentence's hypotheses, got {block[0]!r:.80}"
        )
    fields = [line.split() for line in block[1:]]
    for number, row in enumerate(fields, first + 1):
        if len(row) != len(probabilities) + 1:
            raise DataError(f"{path}:{number}: expected a word and {len(probabilities)} tags, got {len(row)} fields")
    try:
        words, *tags = zip(*fields, strict=True) if fields else ((),)
        return NBest(words, tuple(tags), tuple(float(probability) for probability in probabilities))
    except ValueError as error:
        raise DataError(f"{path}:{first}: not an n-best sentence: {error}") from None
