"""The page at `/`, in a real browser: a question, its samples as chips, who speaks, two plans, a phone, both looks."""

import os
import re
import shutil
from pathlib import Path

import pytest

import slmmux.serve

from .support import Held, app, mux, serving, until

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PAGE = Path(slmmux.serve.__file__).parent / "page"


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        if os.environ.get("SLMMUX_REQUIRE_BROWSER"):
            pytest.fail("Chromium is not here: install it, for example with apt-get install chromium")
        pytest.skip("Chromium is not here")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    contexts = []

    def open_at(url, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.faults = []
        page.on("console", lambda message: message.type == "error" and page.faults.append(message.text))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("request", lambda request: request.url.startswith(url) or page.faults.append(request.url))
        page.goto(url)
        page.wait_for_selector("#model option", state="attached")
        return page

    yield open_at
    for context in contexts:
        context.close()


def ask(page, question="Capital?"):
    page.fill("#question", question)
    page.click("#ask")


def chips(page):
    return page.eval_on_selector_all(".chip", "all => all.map(each => each.textContent)")


def test_samples_arrive_as_chips_and_the_speaker_is_named(open_page):
    """Chips wait, fill member by member, and are coloured by answer; then who speaks, the confidence, the cost."""
    held = Held(script=["Tromsø"])
    own = mux(models={"sure": mux().models["sure"], "slow": held})
    with serving(app(own)) as url:
        page = open_page(url)
        ask(page)
        until(lambda: chips(page) == ["Oslo"] * 3 + ["…"] * 3)
        held.go.set()
        page.wait_for_selector(".speaks")
        assert chips(page) == ["Oslo"] * 3 + ["Tromsø"] * 3
        colours = page.eval_on_selector_all(".chip", "all => all.map(each => getComputedStyle(each).backgroundColor)")
        assert len(set(colours[:3])) == len(set(colours[3:])) == 1
        assert colours[0] != colours[3]
        assert "Oslo, as everybody knows" in page.inner_text(".speech")
        verdict = page.inner_text(".verdict")
        assert re.search(r"sure speaks: confidence 1\.00 .*6 of 6 samples, 72 tokens", verdict)
        assert page.inner_text(".speaks .label") == "sure"
        assert page.faults == []


def test_two_plans_are_compared_and_questions_stay(open_page):
    """Both plans answer side by side, and the questions so far stay below, the newest first."""
    with serving(app(mux(wait="settled"))) as url:
        page = open_page(url)
        ask(page, "First?")
        page.wait_for_selector(".speaks")
        page.check("#compare")
        page.select_option("#other", "cascade")
        ask(page, "<b>Second?</b>")
        page.locator(".speaks").nth(2).wait_for()
        assert page.locator("#questions > li > h3").all_inner_texts() == ["<b>Second?</b>", "First?"]
        newest = page.locator("#questions > li").first
        assert newest.locator(".plan h3").all_inner_texts() == ["Plan: parallel", "Plan: cascade"]
        assert newest.locator(".plan").nth(1).locator(".chip").all_inner_texts() == ["Oslo"] * 3 + ["not needed"] * 3
        assert page.faults == []


def test_a_failure_is_a_sentence_and_a_key_can_be_typed(open_page, browser):
    """Without the key the page says so and shows a field for it."""
    with serving(app(api_key="secret")) as url:
        context = browser.new_context()
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("#key:visible")
        assert "the key is missing" in page.inner_text("#notice")
        page.fill("#key", "secret")
        page.press("#key", "Tab")
        page.wait_for_selector("#model option", state="attached")
        ask(page)
        page.wait_for_selector(".speaks")
        context.close()


@pytest.mark.parametrize("look", ["light", "dark"])
def test_the_page_fits_a_phone_and_can_be_read_in_both_looks(open_page, look):
    """At 360 pixels nothing is wider than the screen, and text has a contrast of 4.5 : 1 or more."""
    with serving(app(mux(lambda *_: "unbroken" * 60))) as url:
        page = open_page(url, viewport={"width": 360, "height": 700}, color_scheme=look)
        page.check("#compare")
        ask(page, "x" * 300)
        page.locator(".speaks").nth(1).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        for selector in ("body", "#ask", ".verdict", ".chip.answer"):
            ratio = page.evaluate(CONTRAST, selector)
            assert ratio >= 4.5, f"{selector}: {ratio:.1f}"


# The contrast of an element's text with the nearest ground below it, as WCAG counts it.
CONTRAST = """selector => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = colour => channels(colour).slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  let element = document.querySelector(selector);
  const text = light(getComputedStyle(element).color);
  const isClear = colour => channels(colour)[3] === 0;
  while (isClear(getComputedStyle(element).backgroundColor)) element = element.parentElement;
  const ground = light(getComputedStyle(element).backgroundColor);
  return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
}"""


def test_the_page_fetches_nothing_from_elsewhere():
    """No file names another address, and no text becomes HTML."""
    for file in PAGE.iterdir():
        text = file.read_text("utf-8")
        assert not re.search(r"https?://|//cdn|innerHTML|insertAdjacentHTML|document\.write", text), file.name
