"""A result in JupyterLab: pages and sorts over all rows, copies, is used by keyboard, and outlives its kernel."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.ui, pytest.mark.cluster]

EVIL = "<img src=x onerror=alert(1)>"
DEFINE = f"""import mrkernel as mr
FLOATS = [0.1, 1.0, 1e16, 123456789012345680.0, 1.5e-7, 0.00012, 1e22, float("nan"), float("inf"), -0.0, 2.5]

def mapper(n):
    yield f"key {{n * 7919 % 2000:04d}}", {{
        "n": n * 7919 % 2000, "float": FLOATS[n % 11], "maybe": None if n % 3 else n, "pair": (n % 5, "{EVIL}"),
        "{EVIL}": "short" if n % 50 else "long " * 1000}}

def count(n):
    mr.counter("seen {EVIL}")
    yield n % 4, 1

rows = mr.run(mr.Job(mapper, name="rows"), range(2000), progress=False)
rows"""
COUNT = "counts = mr.run(mr.Job(count, sum), range(100), progress=False)\ncounts"
SLEEP = "import time; time.sleep(3)"
# Widgets are kept by ipywidgets until they are closed, and with them the files of their results.
OPEN = """from ipywidgets.widgets import widget
sum(type(one).__name__ == "ResultsView" for one in widget._instances.values())"""


@pytest.fixture
def notebook(lab, open_notebook):
    lab.write("rows.ipynb", "%load_ext mrkernel", DEFINE, COUNT, SLEEP, OPEN)
    opened = open_notebook("rows.ipynb", height=1100)
    for cell in range(3):
        opened.run(cell)
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return opened


def live(notebook, cell):
    return notebook.output(cell).locator(".mr-live")


def column(result, index):
    """What a column of the page that shows says."""
    return result.locator("tbody tr").evaluate_all(
        "(rows, n) => rows.map(row => row.children[n].textContent)", index
    )  # fmt: skip


def test_a_result_pages_sorts_copies_and_is_used_by_keyboard(notebook, shots):
    result = live(notebook, 1)
    where = result.locator(".mr-where")
    expect(where).to_have_text("rows 1 to 10 of 2,000")
    expect(result).to_contain_text("2,000 rows, 6 columns")
    floats = [0.1, 1.0, 1e16, 123456789012345680.0, 1.5e-7, 0.00012, 1e22, float("nan"), float("inf"), -0.0]
    assert column(result, 2) == list(map(repr, floats)), "as Python writes them"
    assert column(result, 4)[0] == f"(0, '{EVIL}')"
    assert column(result, 3)[:2] == ["0", "None"]
    result.get_by_role("button", name="n int64").click()
    expect(result.get_by_role("columnheader", name="n int64")).to_have_attribute("aria-sort", "ascending")
    assert column(result, 1) == [str(n) for n in range(10)]
    result.get_by_role("button", name="n int64").click()
    expect(result.get_by_role("columnheader", name="n int64")).to_have_attribute("aria-sort", "descending")
    assert column(result, 1)[:2] == ["1999", "1998"]
    result.get_by_role("button", name="next page").dblclick()
    expect(where).to_have_text("rows 21 to 30 of 2,000")
    assert column(result, 1)[0] == "1979"
    result.get_by_role("button", name="last page").click()
    expect(where).to_have_text("rows 1,991 to 2,000 of 2,000")
    expect(result.get_by_role("button", name="next page")).to_be_disabled()
    assert column(result, 0)[-1] == "key 0000"
    result.get_by_role("combobox", name="rows on a page").select_option("50 rows")
    expect(where).to_have_text("rows 1,951 to 2,000 of 2,000")
    result.get_by_role("button", name="Copy as CSV").click()
    expect(result.get_by_role("status").filter(has_text="copied 2,000 rows as CSV")).to_be_visible()
    copied = list(csv.reader(io.StringIO(notebook.page.evaluate("navigator.clipboard.readText()"))))
    assert (len(copied), copied[0][0], copied[1][0], copied[-1][0]) == (2001, "key", "key 1999", "key 0000")
    assert result.locator("img").count() == 0
    result.get_by_role("combobox", name="rows on a page").select_option("10 rows")
    result.get_by_role("button", name="n int64").click()
    result.locator("summary").first.click()
    result.get_by_role("button", name="show all 5,000 characters").first.click()
    expect(result.locator("details .mr-whole").first).to_have_text("long " * 1000)
    assert notebook.faults(result) == []
    result.scroll_into_view_if_needed()
    notebook.shoot(shots / "result")
    check_views(notebook, shots)
    check_keyboard(notebook)


def check_views(notebook, shots):
    result, page = live(notebook, 2), notebook.page
    result.get_by_role("tab", name="table").focus()
    page.keyboard.press("ArrowRight")
    plot = result.get_by_role("tab", name="plot")
    expect(plot).to_be_focused()
    expect(plot).to_have_attribute("aria-selected", "true")
    image = result.get_by_role("img")
    # The first plot of a kernel imports matplotlib.
    expect(image).to_be_visible(timeout=30_000)
    assert len(image.get_attribute("alt")) > 20
    assert notebook.faults(result) == []
    result.scroll_into_view_if_needed()
    notebook.shoot(shots / "result-plot")
    page.keyboard.press("ArrowRight")
    expect(result.get_by_role("row", name=f"seen {EVIL} 100")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(result.get_by_role("rowheader", name="reduce")).to_be_visible(timeout=15_000)
    page.keyboard.press("End")
    expect(result.get_by_role("rowheader", name="chunk size")).to_be_visible()
    assert notebook.faults(result) == []
    notebook.theme("Dark")
    assert notebook.faults(result) + notebook.faults(live(notebook, 1)) == []
    notebook.theme("Light")
    result.get_by_role("tab", name="plan").focus()
    page.keyboard.press("Home")
    expect(result.get_by_role("tab", name="table")).to_be_focused()


def check_keyboard(notebook):
    page = notebook.page
    live(notebook, 1).get_by_role("button", name="n int64").click()
    expect(live(notebook, 1).get_by_role("columnheader", name="n int64")).to_have_attribute("aria-sort", "ascending")
    table = live(notebook, 1).get_by_role("region", name="rows of the result")
    table.focus()
    where = live(notebook, 1).locator(".mr-where")
    for key, says in (("PageDown", "rows 11 to 20"), ("Control+End", "rows 1,991 to"), ("PageUp", "rows 1,981 to"),
                      ("Control+Home", "rows 1 to 10")):  # fmt: skip
        page.keyboard.press(key)
        expect(where).to_contain_text(says)
    expect(live(notebook, 1).get_by_role("table")).to_have_accessible_name(
        "sorted by n, upwards: rows 1 to 10 of 2,000"
    )
    live(notebook, 1).get_by_role("button", name="key string").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(live(notebook, 1).get_by_role("status").filter(has_text="sorted by key, downwards")).to_have_count(1)
    assert column(live(notebook, 1), 0)[0] == "key 1999"
    assert page.evaluate("jupyterapp.shell.currentWidget.content.mode") == "command"


def test_a_result_shows_again_after_a_reload_and_stays_readable_without_its_kernel(lab, notebook, shots):
    page = notebook.page
    notebook.run(4)
    shown = notebook.output(4).inner_text().split()[-1]
    notebook.run(2)
    notebook.run(4)
    assert notebook.output(4).inner_text().split()[-1] == shown, (
        "a cell that ran again holds on to its last result only"
    )
    expect(notebook.output(1).locator("[data-mr-fallback]")).to_be_hidden()
    notebook.run(3, wait=False)
    live(notebook, 1).get_by_role("button", name="next page").click()
    expect(live(notebook, 1).locator(".mr-where")).to_contain_text("rows 11 to 20", timeout=8_000)
    notebook.wait_idle()
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    saved = json.loads((lab.folder / "rows.ipynb").read_text())
    assert "2,000 rows, 6 columns" in "".join(saved["cells"][1]["outputs"][-1]["data"]["text/plain"])
    page.reload()
    expect(live(notebook, 1)).to_be_visible(timeout=30_000)
    live(notebook, 1).get_by_role("button", name="next page").click()
    expect(live(notebook, 1).locator(".mr-where")).to_contain_text("rows 11 to 20")
    expect(notebook.output(1).locator("[data-mr-fallback]")).to_be_hidden()
    notebook.wait_idle()
    # A reload breaks off what the page was just asking.
    assert [error for error in notebook.errors if "/api/" not in error] == []
    page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
    page.reload()
    static = notebook.output(1).locator("[data-mr-fallback]")
    expect(static).to_be_visible(timeout=30_000)
    expect(static).to_contain_text("10 of 2,000 rows, 6 columns")
    lost = notebook.output(1).locator(".jp-OutputArea-child").first
    expect(lost).to_have_text(re.compile("Loading widget|model not found"))
    expect(lost).to_be_hidden()
    notebook.shoot(shots / "result-reopened")
    # What JupyterLab says of a kernel and widgets that are gone.
    notebook.errors.clear()
