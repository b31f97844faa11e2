"""Base forms by lookup, and by rules for endings of words, both counted in train."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from ner_head.base.errors import DataError
from ner_head.base.files import read_checked, write_whole
from ner_head.lemmas.forms import SAME, Edit, aligned, edit_between, join, split

LONGEST = 6  # characters of the longest ending of a rule
LEAST = 3  # number of words that a rule was seen with
ANY = ""  # label of the rules for words of all labels
MEND = "train it with `dvc repro lemmatize`"


class LemmaExample(NamedTuple):
    """A mention of train."""

    language: str
    label: str
    form: str
    lemma: str


@dataclass(frozen=True)
class Lexicon:
    """What is known of the forms of train.

    Attributes:
        lemmas: The most frequent lemma, by language, label and lower-cased form.
        rules: The most frequent edit, by language, label (or `ANY`) and ending.
    """

    lemmas: Mapping[tuple[str, str, str], str]
    rules: Mapping[tuple[str, str, str], Edit]

    @classmethod
    def learn(cls, examples: Iterable[LemmaExample]) -> Lexicon:
        """Count the lemmas and the edits of examples. Of equally frequent ones, the first in the alphabet is taken."""
        lemmas: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
        rules: dict[tuple[str, str, str], Counter[Edit]] = defaultdict(Counter)
        for example, count in sorted(Counter(examples).items()):
            lemmas[example.language, example.label, example.form.lower()][example.lemma] += count
            for word, lemma in aligned(example.form, example.lemma):
                edit = edit_between(word, lemma)
                for n in range(1, min(LONGEST, len(word)) + 1):
                    for label in (example.label, ANY):
                        rules[example.language, label, word[-n:].lower()][edit] += 1
        frequent = {key: edits.most_common(1)[0][0] for key, edits in rules.items() if edits.total() >= LEAST}
        return cls({key: found.most_common(1)[0][0] for key, found in lemmas.items()}, frequent)

    @cached_property
    def languages(self) -> set[str]:
        """The languages of the forms."""
        return {language for language, _, _ in self.lemmas}

    def find(self, language: str, label: str, form: str) -> str | None:
        """The lemma of a form that train has."""
        return self.lemmas.get((language, label, form.lower()))

    def by_rules(self, language: str, label: str, form: str) -> str:
        """A form with each word edited by the rule for its longest known ending."""
        parts = split(form)
        return join(parts, [self._edit(language, label, word).apply(word) for word in parts[::2]])

    def _edit(self, language: str, label: str, word: str) -> Edit:
        for n in range(min(LONGEST, len(word)), 0, -1):
            for each in (label, ANY):
                edit = self.rules.get((language, each, word[-n:].lower()))
                if edit is not None and edit.fits(word):
                    return edit
        return SAME

    def save(self, path: Path) -> None:
        """Write a JSON file."""
        content = {
            "lemmas": [[*key, lemma] for key, lemma in sorted(self.lemmas.items())],
            "rules": [[*key, *edit] for key, edit in sorted(self.rules.items())],
        }
        write_whole(path, (json.dumps(content, ensure_ascii=False) + "\n").encode())

    @classmethod
    def load(cls, path: Path, sha256: str = "") -> Lexicon:
        """Read a JSON file.

        Args:
            path: The file.
            sha256: Its digest; "" if none is known.
        Raises:
            DataError: The file is absent or damaged.
        """
        try:
            content = json.loads(read_checked(path, sha256, mend=MEND))
            lemmas = {(language, label, form): lemma for language, label, form, lemma in content["lemmas"]}
            rules = {(language, label, end): Edit(cut, add) for language, label, end, cut, add in content["rules"]}
            texts = (text for key, value in (*lemmas.items(), *rules.items()) for text in (*key, *_texts(value)))
            if not all(isinstance(text, str) for text in texts):
                raise ValueError("a form, a lemma or an ending is no text")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{path}: not a lexicon: {error!r:.100}; {MEND}") from None
        return cls(lemmas, rules)


def _texts(value: str | Edit) -> tuple[object, ...]:
    """A lemma, or the endings of an edit, as they were read."""
    return tuple(value) if isinstance(value, Edit) else (value,)
