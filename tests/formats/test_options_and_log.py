from __future__ import annotations

from pathlib import Path

from ner_head.formats.log import ReaderLog
from ner_head.formats.options import ReaderOptions


def test_without_languages_and_names_everything_is_included() -> None:
    assert ReaderOptions().includes_language("cs")
    assert ReaderOptions().includes_topic("brexit")


def test_a_topic_is_included_for_one_of_its_documents() -> None:
    options = ReaderOptions(("cs",), frozenset({"brexit/cs/1", "a/b"}))
    assert options.includes_topic("brexit")
    assert options.includes_topic("a/b")
    assert not options.includes_topic("brex")
    assert not options.includes_language("pl")


def test_a_log_lists_what_was_passed_over_by_reason() -> None:
    log = ReaderLog(notices=["read as UTF-16"])
    for number in range(5):
        log.passed_over[Path(f"{number}.md")] = "its suffix"
    log.passed_over[Path("._a")] = "hidden"
    assert log.lines() == [
        "read as UTF-16",
        "passed over (its suffix): 0.md, 1.md, 2.md and 2 more",
        "passed over (hidden): ._a",
    ]
    assert log.report() == {
        "files": 0,
        "passed over": {**{f"{number}.md": "its suffix" for number in range(5)}, "._a": "hidden"},
        "rows": {"kept": 0, "ignored": 0, "left out": 0, "mark": 0, "comment": 0, "no word": 0, "blank": 0},
        "notices": ["read as UTF-16"],
    }
