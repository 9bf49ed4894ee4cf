"""The script and style of a result in a bare page that answers when the test says so, as no kernel would."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

import mrkernel as mr
from mrkernel.magics.results import Answers, _state
from mrkernel.widgets.results import ResultsView

pytestmark = pytest.mark.ui

WAITING = "Waiting for the kernel"
PAGE = """<!doctype html><html lang="en"><title>page</title><body><main></main></body></html>"""
OPEN = """async ([code, css, state, first]) => {
    document.head.append(Object.assign(document.createElement("style"), {textContent: css}));
    const view = bytes => new DataView(Uint8Array.from(bytes).buffer);
    const listeners = new Set();
    window.sent = [];
    window.answer = (said, buffers) => listeners.forEach(call => call(said, buffers.map(view)));
    const model = {get: name => (name === "state" ? state : view(first)), send: message => window.sent.push(message),
        on: (_, call) => listeners.add(call), off: (_, call) => listeners.delete(call)};
    const {default: {render}} = await import(URL.createObjectURL(new Blob([code], {type: "text/javascript"})));
    render({model, el: document.querySelector("main")});
}"""


class Shown:
    """A result on a page; its questions are answered one by one."""

    def __init__(self, page, result):
        self.page, self.answers, self.n_answered = page, Answers(result), 0
        first = result.paging.page(0, 10)
        own = {"tab": "table", "size": 10, "cut": first.cut, "fallback": "none"}
        state = _state(self.answers, result.preview()) | own
        page.set_content(PAGE)
        page.evaluate(OPEN, [ResultsView._esm, ResultsView._css, state, list(first.ipc)])

    @property
    def asked(self):
        """What was asked and not answered."""
        return self.page.evaluate("n => sent.slice(n)", self.n_answered)

    def answer(self, *, error=None):
        """Answer the oldest question."""
        question = self.asked[0]
        self.n_answered += 1
        said, buffers = ({"error": error}, []) if error else self.answers(question)
        sent = [{**said, "id": question["id"]}, [list(one) for one in buffers]]
        self.page.evaluate("([said, buffers]) => answer(said, buffers)", sent)
        return question

    def click(self, role, name):
        self.page.get_by_role(role, name=name, exact=True).click()

    def choose_size(self, rows):
        self.page.get_by_role("combobox", name="rows on a page").select_option(f"{rows} rows")


@pytest.fixture(scope="module")
def result():
    return mr.run(mr.Job(lambda n: (n, -n), name="rows"), range(203), executor="inline", reducers=1)


@pytest.fixture
def shown(chromium, result):
    context = chromium.new_context(viewport={"width": 900, "height": 640})
    page = context.new_page()
    page.clock.install()
    yield Shown(page, result)
    context.close()


def test_waiting_is_said_until_nothing_is_waited_for(shown):
    waiting = shown.page.get_by_text(WAITING)
    shown.click("button", "next page")
    shown.click("tab", "plan")
    shown.page.clock.fast_forward(2_500)
    expect(waiting).to_be_visible()
    shown.answer()
    expect(shown.page.get_by_role("tabpanel")).to_contain_text("loading")
    expect(waiting).to_be_visible()
    shown.answer()
    expect(waiting).to_be_hidden()
    shown.click("tab", "stages")
    shown.answer()
    shown.page.clock.fast_forward(2_500)
    expect(waiting).to_be_hidden()


def test_tab_that_failed_is_asked_for_again_when_it_is_chosen_again(shown):
    panel = shown.page.get_by_role("tabpanel")
    shown.click("tab", "plan")
    shown.answer(error="the disk was away")
    expect(panel).to_have_text("the disk was away")
    shown.click("tab", "table")
    shown.click("tab", "plan")
    shown.answer()
    expect(panel).to_contain_text("chunk size")
    shown.click("tab", "table")
    shown.click("tab", "plan")
    expect(panel).to_contain_text("chunk size")
    assert shown.asked == []


def test_page_of_another_size_begins_with_the_same_row(shown):
    where = shown.page.locator(".mr-where")
    assert shown.page.locator("main").inner_text().count("rows 1 to 10 of 203") == 1
    expect(shown.page.get_by_role("table")).to_have_accessible_name("rows 1 to 10 of 203")
    shown.click("button", "next page")
    shown.answer()
    shown.click("button", "next page")
    shown.answer()
    shown.choose_size(25)
    shown.answer()
    expect(where).to_have_text("rows 21 to 45 of 203")
    expect(shown.page.locator("tbody tr")).to_have_count(25)
    shown.click("button", "previous page")
    shown.answer()
    expect(where).to_have_text("rows 1 to 25 of 203")
    shown.click("button", "last page")
    shown.answer()
    expect(where).to_have_text("rows 201 to 203 of 203")
    # Nobody wants a page of three rows who asks for fifty.
    shown.choose_size(50)
    shown.answer()
    expect(where).to_have_text("rows 154 to 203 of 203")
    shown.choose_size(10)
    shown.answer(error="the disk was away")
    expect(where).to_have_text("rows 154 to 203 of 203")
    expect(shown.page.get_by_role("combobox", name="rows on a page")).to_have_value("50")


def colours(page):
    """A colour that is ours, one that a page may set, and what the browser's own controls follow."""
    return page.evaluate("""() => {
        const root = document.querySelector(".mrkernel"), node = document.createElement("i");
        node.style.background = "var(--mr-track)";
        root.append(node);
        const found = [getComputedStyle(node).backgroundColor, getComputedStyle(root).color,
            getComputedStyle(root.querySelector("select")).colorScheme];
        node.remove();
        return found; }""")


def test_colours_are_those_of_the_pages_theme_else_of_the_system(shown):
    light = ["rgb(223, 227, 232)", "rgb(31, 35, 40)"]
    dark = ["rgb(58, 63, 69)", "rgb(230, 230, 230)"]
    page = shown.page
    for system, expected in (("light", light), ("dark", dark)):
        page.emulate_media(color_scheme=system)
        assert colours(page)[:2] == expected
        for node, name, values in (("body", "data-jp-theme-light", ("true", "false")),
                                   ("body", "class", ("vscode-light", "vscode-dark")),
                                   ("html", "theme", ("light", "dark"))):  # fmt: skip
            for value, wanted, scheme in zip(values, (light, dark), ("light", "dark"), strict=True):
                page.locator(node).evaluate("(node, [name, value]) => node.setAttribute(name, value)", [name, value])
                assert colours(page) == [*wanted, scheme], (system, name, value)
            page.locator(node).evaluate("(node, name) => node.removeAttribute(name)", name)
