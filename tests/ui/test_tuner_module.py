"""The tuner's script in a bare page, as one that came over plain HTTP: it has no clipboard of its own."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from mrkernel.widgets.tuner import TunerWidget

pytestmark = pytest.mark.ui

STATE = {
    "v": 1, "name": "count", "source": "words", "size": 100, "advice": "leave it", "reason": "", "notes": [],
    "error": 0.1, "chunkSizes": [10, 20], "labels": ["10 B", "20 B"], "options": ["", '--chunk-size "20 B"'],
    "workers": [1], "reducers": [0], "combine": ["auto"],
    "points": [[[0.0996, 100, 1, 1, 0.0021]], [[2, 100, 1, 1, 1]]],
    "default": [0, 0, 0, 0], "best": [1, 0, 0, 0], "runs": [], "memoryLimit": None,
}  # fmt: skip
PAGE = """<!doctype html><html lang="en"><title>page</title><body><main></main></body></html>"""
OPEN = """async ([code, state]) => {
    const model = {get: name => ({state, reply: {}})[name], send: () => {}, on: () => {}, off: () => {}};
    const {default: {render}} = await import(URL.createObjectURL(new Blob([code], {type: "text/javascript"})));
    render({model, el: document.querySelector("main")});
}"""


@pytest.fixture
def page(chromium):
    context = chromium.new_context()
    page = context.new_page()
    page.set_content(PAGE)
    page.evaluate(OPEN, [TunerWidget._esm, STATE])
    yield page
    context.close()


def test_options_are_copied_without_a_clipboard_of_the_page(page):
    page.evaluate("document.execCommand = what => (window.copied = [what, document.activeElement.value])")
    assert page.evaluate("navigator.clipboard") is None
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("status").last).to_have_text("copied")
    assert page.evaluate("copied") == ["copy", '--chunk-size "20 B"']
    expect(page.get_by_role("button", name="Copy")).to_be_focused()


def test_short_times_are_milliseconds_as_people_write_them(page):
    page.get_by_role("button", name="Show default").click()
    expect(page.get_by_role("row", name="predicted time")).to_contain_text("99.6 ms (90.1 ms to 0.11 s)")
    expect(page.get_by_role("row", name="idle, scheduling")).to_contain_text("2.1 ms of it")
