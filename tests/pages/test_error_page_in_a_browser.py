"""`errors.html` in a real Chromium, in windows of the size of a desktop and a phone."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from ner_head.corpus.documents import Reading, Span
from ner_head.pages.alignment import align
from ner_head.pages.error_page import page
from tests.pages.pages import EVIL, corpus, html, made

DESKTOP, PHONE = (1360, 900), (375, 812)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium of its own, driven by selenium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs Chromium and its driver (in Debian: apt-get install chromium chromium-driver)")
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
        yield found


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 400 documents."""
    path = tmp_path_factory.mktemp("page") / "errors.html"
    path.write_text(html(*corpus(400)), encoding="utf-8")
    return path


def look(browser: Any, path: Path, size: tuple[int, int]) -> None:
    """Open a page in a window of a given size, and wait until it is rendered."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get(path.as_uri())
    ask(browser, "")


def until(browser: Any, code: str) -> None:
    """Wait until JavaScript code returns a true value, for at most a minute."""
    WebDriverWait(browser, 60, poll_frequency=0.05).until(lambda page: page.execute_script(code))


def ask(browser: Any, code: str, *arguments: object) -> Any:
    """Run JavaScript code after the list has been updated to the filters."""
    until(browser, "return document.getElementById('list').getAttribute('aria-busy') === 'false'")
    return browser.execute_script(code, *arguments)


def choose(browser: Any, facet: str, *wanted: str) -> None:
    """Select exactly these values of a facet."""
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
    assert 0 < drawn < 300  # the others are rendered when they are near the visible part
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
    last = "const last = [...document.querySelectorAll('.doc')].pop();"
    until(browser, f"{last} last.scrollIntoView(); return last.querySelector('mark')")
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
    assert counted(browser).startswith("1,2")  # the cities, which are certain, and a few more
    fill(browser, "low", "0")
    fill(browser, "query", "DOC-398")
    assert counted(browser) == "0 spans in 0 documents"  # the document is Polish
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


def test_documents_can_be_filtered_by_split(browser: Any, tmp_path: Path) -> None:
    gold, predicted = corpus(9)
    path = tmp_path / "errors.html"
    path.write_text(html(gold, predicted, ["dev"] * 5 + ["test"] * 4), encoding="utf-8")
    look(browser, path, DESKTOP)
    choose(browser, "kinds", "missed", "spurious", "wrong type", "wrong boundary", "right")
    choose(browser, "splits", "test")
    ids = "return [...document.querySelectorAll('.doc')].map((each) => each.dataset.id)"
    assert ask(browser, ids) == [document.id for document in gold[5:]]
    path.write_text(html(gold, predicted), encoding="utf-8")
    look(browser, path, DESKTOP)
    assert ask(browser, "return document.getElementById('splits').offsetHeight") == 0


def test_on_a_phone_nothing_covers_the_filters_and_ranks_do_not_wrap(browser: Any, tmp_path: Path) -> None:
    gold, predicted = corpus(2)
    readings = [[[Reading(0.09 - i / 1000, d.spans[i:]) for i in range(11)] for _ in d.sentences] for d in predicted]
    path = tmp_path / "errors.html"
    path.write_text(page("Errors on dev", "summary", gold, predicted, readings), encoding="utf-8")
    look(browser, path, PHONE)
    browser.execute_script("document.getElementById('count').textContent = '123,456 spans in 12,345 documents'")
    for state in ("false", "true"):
        browser.execute_script(f"document.getElementById('filters').open = {state}")
        overlaps = """const b = document.getElementById('count').getClientRects()[0];
          const c = document.getElementById('form').getClientRects()[0];
          const hit = (r) => r && r.width && Math.min(r.bottom, b.bottom) - Math.max(r.top, b.top) > 1
            && Math.min(r.right, b.right) - Math.max(r.left, b.left) > 1;
          const range = document.createRange(); range.selectNodeContents(document.querySelector('summary'));
          return Boolean(hit(range.getBoundingClientRect()) || hit(c));"""
        assert browser.execute_script(overlaps) is False
    browser.execute_script("document.querySelector('mark:not(.right)').click()")
    heights = (
        "return [...document.querySelectorAll('.detail td:nth-child(1)')].map((td) => td.firstChild).map((text) => "
    )
    heights += "{ const r = document.createRange(); r.selectNodeContents(text); return r.getClientRects().length; })"
    assert ask(browser, heights) == [1] * 11
