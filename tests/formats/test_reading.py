from __future__ import annotations

from pathlib import Path

from ner_head.formats.reading import Tally, Wanted


def test_no_languages_and_no_names_want_everything() -> None:
    assert Wanted().has_language("cs")
    assert Wanted().has_topic("brexit")


def test_a_topic_is_wanted_for_one_of_its_documents() -> None:
    wanted = Wanted(("cs",), frozenset({"brexit/cs/1", "a/b"}))
    assert wanted.has_topic("brexit")
    assert wanted.has_topic("a/b")
    assert not wanted.has_topic("brex")
    assert not wanted.has_language("pl")


def test_a_tally_says_what_was_passed_over_by_reason() -> None:
    tally = Tally(notices=["read as UTF-16"])
    for number in range(5):
        tally.passed_over[Path(f"{number}.md")] = "its suffix"
    tally.passed_over[Path("._a")] = "hidden"
    assert tally.lines() == [
        "read as UTF-16",
        "passed over (its suffix): 0.md, 1.md, 2.md and 2 more",
        "passed over (hidden): ._a",
    ]
    assert tally.report() == {
        "files": 0,
        "passed over": {**{f"{number}.md": "its suffix" for number in range(5)}, "._a": "hidden"},
        "rows": {"kept": 0, "ignored": 0, "left out": 0, "mark": 0, "comment": 0, "no word": 0, "blank": 0},
        "notices": ["read as UTF-16"],
    }
