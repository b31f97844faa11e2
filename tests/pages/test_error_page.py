"""The content of `errors.html`."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from typing import Any

from ner_head.corpus.documents import Document, Reading, Sentence, Span, Word
from ner_head.pages.error_page import page
from tests.pages.pages import EVIL, corpus, html, made


def data_of(content: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', content, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_nothing_in_a_text_becomes_markup_and_nothing_is_loaded() -> None:
    document = made(1, EVIL, [Span(EVIL.index("Jana"), EVIL.index("Jana") + 4, "PER")])
    content = html([document], [replace(document, spans=())])
    assert content.count("<script") == content.count("</script>") == 2
    assert "<!--" not in content
    assert "<img" not in content
    frame = re.sub(r'id="data">.*?</script>', "", content, flags=re.DOTALL)
    assert not re.search(r"https?://|@import|url\(|src=|<link|<iframe", frame)
    assert "<title>Errors &lt;on&gt; dev</title>" in content
    assert data_of(content)["documents"][0]["rows"][0]["text"] in EVIL


def test_the_policy_allows_the_pages_own_style_and_script_alone() -> None:
    content = html(*corpus(1))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', content)
    style, script = re.search(r"<style>(.*?)</style>", content, re.DOTALL), content.rpartition("<script>")[2]
    assert policy
    assert style
    assert policy[1].startswith("default-src 'none'; ")
    for name, code in (("style-src", style[1]), ("script-src", script.partition("</script>")[0])):
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy[1]


def test_offsets_count_as_javascript_counts() -> None:
    text = "😀😀 Jana žije v Praze."
    document = made(1, text, [Span(3, 7, "PER"), Span(15, 20, "LOC")])
    (row,) = data_of(html([document], [replace(document, spans=(Span(3, 7, "PER", 0.5),))]))["documents"][0]["rows"]
    units = row["text"].encode("utf-16-le")
    assert [units[2 * a : 2 * b].decode("utf-16-le") for a, b, *_ in row["gold"]] == ["Jana", "Praze"]
    assert [units[2 * a : 2 * b].decode("utf-16-le") for a, b, *_ in row["found"]] == ["Jana"]


def test_a_span_across_sentences_joins_them_and_no_span_is_lost() -> None:
    text = "Jel do Ústí n. Labem. Konec."
    words = [Word(match[0], match.start(), match.end()) for match in re.finditer(r"\w+|\.", text)]
    sentences = (Sentence(tuple(words[:5])), Sentence(tuple(words[5:7])), Sentence(tuple(words[7:])))
    gold = Document("1", text, "cs", "t", sentences, (Span(7, 20, "LOC"), Span(7, 11, "LOC"), Span(22, 27, "ORG")))
    rows = data_of(html([gold], [replace(gold, spans=())]))["documents"][0]["rows"]
    assert [row["text"] for row in rows] == ["Jel do Ústí n. Labem.", "Konec."]
    assert [[span[:3] for span in row["gold"]] for row in rows] == [[[7, 11, "LOC"], [7, 20, "LOC"]], [[0, 5, "ORG"]]]
    assert [len(row["readings"]) for row in rows] == [2, 1]


def test_a_missed_span_has_its_probability_among_the_readings() -> None:
    document = made(1, "Jana žije v Praze.", [Span(0, 4, "PER"), Span(12, 17, "LOC")])
    readings = [[Reading(0.6, ()), Reading(0.3, (Span(0, 4, "PER"),)), Reading(0.05, document.spans)]]
    content = page("t", "s", [document], [replace(document, spans=())], [readings])
    assert data_of(content)["documents"][0]["pairs"] == [["missed", "PER", None, 0.35], ["missed", "LOC", None, 0.05]]


def test_a_lone_surrogate_and_an_empty_corpus_are_fine() -> None:
    document = made(1, "Jana \ud800 žije.", [Span(0, 4, "PER")])
    html([document], [document]).encode("utf-8")
    assert data_of(html([], []))["documents"] == []
