"""`errors.html`: what stands in it, and how it behaves in a real Chromium of the size of a desktop and a phone."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ner_head.corpus.documents import Document, Reading, Sentence, Span, Word
from ner_head.corpus.segment import segment
from ner_head.evaluation.errors import align
from ner_head.evaluation.errors_page import page

DESKTOP, PHONE = (1360, 900), (390, 844)
EVIL = '<script>document.title = "run"</script></script><!--<img src=x onerror="document.title=1"> &lt;b&gt; 😀 Jana.'


def made(number: int, text: str, spans: Sequence[Span], language: str = "cs", topic: str = "news") -> Document:
    return Document(f"doc-{number}", text, language, topic, segment(text, language), tuple(sorted(spans)))


def readings_of(document: Document) -> list[list[Reading]]:
    """Three readings of each sentence: the document's spans, without the first, none."""
    result = []
    for sentence in document.sentences:
        spans = [span for span in document.spans if sentence.start <= span.start and span.end <= sentence.end]
        found = [Reading(0.7, tuple(spans)), Reading(0.2, tuple(spans[1:])), Reading(0.05, ())]
        result.append(list({reading.spans: reading for reading in reversed(found)}.values())[::-1])
    return result


def corpus(n: int) -> tuple[list[Document], list[Document]]:
    """Documents of six sentences in four languages, and predictions with all kinds of errors."""
    rng, gold, predicted = random.Random(0), [], []
    for number in range(n):
        text, spans, found = "", list[Span](), list[Span]()
        for i in range(6):
            start = len(text) + 10
            text += f"Včera pan Novák{number} přijel do Prahy a mluvil o tom {i} krát. "
            end = start + 5 + len(str(number))
            city = text.index("Prahy", start)
            spans += [Span(start, end, "PER"), Span(city, city + 5, "LOC")]
            chance = rng.random()
            found += [
                [Span(start, end, "PER", chance)],
                [Span(start - 4, end, "PER", chance)],
                [Span(start, end, "ORG", chance)],
                [],
                [Span(start, end, "PER", chance), Span(city + 15, city + 19, "PRO", 0.3)],
            ][rng.randrange(5)] + [Span(city, city + 5, "LOC", 0.99)]
        document = made(number, text, spans, ("bg", "cs", "pl", "ru")[number % 4])
        gold.append(document)
        predicted.append(replace(document, spans=tuple(sorted(found))))
    return gold, predicted


def html(gold: Sequence[Document], predicted: Sequence[Document]) -> str:
    return page("Errors <on> dev", "a & b", gold, predicted, [readings_of(document) for document in predicted])


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


# ---- in a browser ----


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium of its own, driven by selenium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs Chromium and its driver (in Debian: apt-get install chromium chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=Service(driver)) as found:
        found.set_script_timeout(30)
        yield found


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 400 documents."""
    path = tmp_path_factory.mktemp("page") / "errors.html"
    path.write_text(html(*corpus(400)), encoding="utf-8")
    return path


def look(browser: Any, path: Path, size: tuple[int, int]) -> None:
    """Open a page in a window of a size, as a phone or a desktop would."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(path.as_uri())


def ask(browser: Any, code: str, *arguments: object) -> Any:
    """Run some JavaScript a moment after the page has had time to react."""
    wait = "const done = arguments[arguments.length - 1];"
    return browser.execute_async_script(
        f"{wait} setTimeout(() => done((function () {{ {code} }}).apply(null, arguments)), 250)", *arguments
    )


def choose(browser: Any, facet: str, *wanted: str) -> None:
    """Tick these chips of a facet and no others."""
    code = """for (const box of document.querySelectorAll(`#${arguments[0]} input`))
      if (box.checked !== arguments[1].includes(box.value)) box.click();"""
    browser.execute_script(code, facet, list(wanted))


def fill(browser: Any, name: str, value: str) -> None:
    code = """const field = document.getElementById(arguments[0]);
      field.value = arguments[1];
      for (const event of ["input", "change"]) field.dispatchEvent(new Event(event, {bubbles: true}));"""
    browser.execute_script(code, name, value)


def counted(browser: Any) -> str:
    return str(ask(browser, "return document.getElementById('count').textContent"))


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_400_documents_fit_the_window(browser: Any, large: Path, size: tuple[int, int]) -> None:
    look(browser, large, size)
    cards, drawn, ms = ask(
        browser,
        "return [document.querySelectorAll('.doc').length, document.querySelectorAll('.row').length,"
        " performance.getEntriesByType('navigation')[0].domComplete]",
    )
    assert cards > 380  # a few have no errors
    assert 0 < drawn < 300  # the rest is drawn when it is near
    assert ms < 5000
    assert ask(browser, "return document.scrollingElement.scrollWidth") <= size[0]
    sides = "[...document.querySelectorAll('.row .side')].slice(0, 2)"
    gold, found = ask(browser, f"return {sides}.map((side) => [side.offsetLeft, side.offsetTop])")
    if size == DESKTOP:
        assert gold[1] == found[1]
        assert gold[0] < found[0]
    else:
        assert gold[0] == found[0]
        assert gold[1] < found[1]
    last = "const last = [...document.querySelectorAll('.doc')].pop(); last.scrollIntoView();"
    ask(browser, last)
    assert ask(browser, f"{last} return last.querySelectorAll('mark').length") > 0
    assert ask(browser, "return document.scrollingElement.scrollWidth") <= size[0]
    assert ask(browser, "return performance.getEntriesByType('resource').map((e) => e.name)") == []
    assert browser.get_log("browser") == []


def test_text_is_shown_not_run(browser: Any, tmp_path: Path) -> None:
    start = EVIL.index("Jana")
    document = made(1, EVIL, [Span(start, start + 4, "<b>")], language="<i>", topic='"><u>')
    evil = replace(document, id="</h2><script>document.title = 2</script>")
    path = tmp_path / "evil.html"
    path.write_text(html([evil], [replace(evil, spans=())]), encoding="utf-8")
    look(browser, path, DESKTOP)
    browser.execute_script("document.querySelectorAll('.fold').forEach((b) => b.click())")
    sides = ask(browser, "return [...document.querySelectorAll('.row')].map((r) => r.lastChild.textContent)")
    assert "".join("".join(sides).split()) == "".join(EVIL.split())
    assert browser.title == "Errors <on> dev"
    assert ask(browser, "return document.querySelector('h2').textContent") == evil.id
    assert ask(browser, "return document.querySelector('mark').firstChild.textContent") == "Jana"
    assert ask(browser, "return document.querySelectorAll('img, b:not(.chip b), u, main i:not(mark i)').length") == 0
    assert ask(browser, "return performance.getEntriesByType('resource').length") == 0


def test_filters_leave_what_they_say(browser: Any, large: Path) -> None:
    gold, predicted = corpus(400)
    pairs = [
        (document.language, pair)
        for document, found in zip(gold, predicted, strict=True)
        for pair in align(document.spans, found.spans)
    ]
    kinds = Counter(pair.kind for _, pair in pairs)
    look(browser, large, DESKTOP)
    errors = sum(kinds.values()) - kinds["right"]
    assert counted(browser).startswith(f"{errors:,} spans in ")
    choose(browser, "kinds", "wrong type")
    assert counted(browser).startswith(f"{kinds['wrong type']} spans in ")
    choose(browser, "kinds", "missed", "spurious", "wrong type", "wrong boundary", "right")
    choose(browser, "labels", "PRO")
    assert counted(browser).startswith(f"{kinds['spurious']} spans in ")  # only spurious ones are PRO
    choose(browser, "labels", "LOC", "ORG", "PER", "PRO")
    choose(browser, "languages", "ru", "bg")
    in_two = sum(language in ("ru", "bg") for language, _ in pairs)
    assert counted(browser) == f"{in_two:,} spans in 200 documents"
    fill(browser, "low", "0.98")
    assert counted(browser).startswith("1,2")  # the cities, sure as they are, and a few more
    fill(browser, "low", "0")
    fill(browser, "query", "DOC-398")
    assert counted(browser) == "0 spans in 0 documents"  # it is a Polish one
    choose(browser, "languages", "bg", "cs", "pl", "ru")
    assert counted(browser).endswith(" in 1 document")


def test_the_surest_and_the_most_errors_come_first(browser: Any, large: Path) -> None:
    look(browser, large, DESKTOP)
    tallies = "return [...document.querySelectorAll('.doc')].map((d) => d.querySelector('.tally').textContent)"
    fill(browser, "sort", "most")
    shown = ask(browser, tallies)
    errors = [sum(int(n) for n in re.findall(r"(\d+) (?!right)", tally)) for tally in shown]
    assert errors == sorted(errors, reverse=True)
    fill(browser, "sort", "sure")
    first = """const marks = document.querySelector('.doc').querySelectorAll('.side + .side mark:not(.right) i');
      return Math.max(...[...marks].map((i) => Number(i.textContent.replace('>', ''))))"""
    assert ask(browser, first) >= 0.98


def test_a_click_or_a_key_shows_the_readings(browser: Any, large: Path) -> None:
    look(browser, large, PHONE)
    detail = "const d = document.querySelector('.detail'); return d && d.textContent"
    browser.execute_script("document.querySelector('mark.wrong-boundary').click()")
    shown = ask(browser, detail)
    assert "wrong boundary · gold PER “Novák" in shown
    assert "predicted PER “pan Novák" in shown
    assert "readings of the sentence" in shown
    assert ask(browser, "return document.querySelectorAll('.detail tr').length") == 3
    assert ask(browser, "return document.scrollingElement.scrollWidth") <= PHONE[0]
    assert ask(browser, "return document.querySelectorAll('mark.open').length") == 2  # on both sides
    browser.execute_script("document.querySelector('.detail .close').click()")
    assert ask(browser, detail) is None
    key = "document.querySelector('mark.missed').dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter'}))"
    browser.execute_script(key)
    assert "missed · gold PER “Novák" in ask(browser, detail)
    browser.execute_script(key)
    assert ask(browser, detail) is None
