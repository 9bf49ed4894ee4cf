"""Plots in JupyterLab: with words for who does not see them, in light and dark, and in a notebook nobody trusts yet."""

from __future__ import annotations

import nbformat
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.ui

MADE = """
import mrkernel as mr
from mrkernel.config import use_session

keys = ["the", "and", "<img src=x onerror=alert(1)>", "$x$", "日本"]
words = [word for n, word in enumerate(keys) for _ in range(2**n)]
counts = mr.run(mr.Job(lambda word: (word, 1), sum), words, executor="inline")
days = mr.run(mr.Job(lambda n: ((("JFK", "LGA", "EWR")[n % 3], n % 7), n), sum), range(500), executor="inline")
trend = mr.run(mr.Job(lambda n: (n % 50, n), sum), range(5000), executor="inline", chunk_size=4000)
"""
CELLS = [MADE, "counts.plot()", "use_session(plot_format='svg'); days.plot(title='Sums')", "trend.plot()",
         "trend.report.plot()"]  # fmt: skip


def test_plots_are_seen_and_told_in_every_theme_and_by_an_untrusted_notebook(lab, open_notebook, shots):
    lab.write("plots.ipynb", *CELLS)
    notebook = open_notebook("plots.ipynb", height=2400)
    notebook.command("notebook:run-all-cells")
    bars, heat = notebook.output(1).locator("img"), notebook.output(2).locator("img")
    expect(notebook.output(4).locator("img")).to_be_visible(timeout=120_000)
    notebook.wait_idle()
    assert bars.get_attribute("alt").startswith("Bar chart: value by key; highest values: 日本: 16; $x$: 8; <img src=x")
    assert bars.get_attribute("src").startswith("data:image/png")
    assert heat.get_attribute("alt").startswith("Heat map “Sums”: value by key[0] and key[1]")
    assert heat.get_attribute("src").startswith("data:image/svg+xml")
    assert [bars.evaluate("image => image.naturalWidth"), heat.evaluate("image => image.naturalWidth")] == [1008, 672]
    filters = "[...document.querySelectorAll('.mr-picture')].map(image => getComputedStyle(image).filter)"
    assert notebook.page.evaluate(filters) == ["brightness(0.85)", "none", "brightness(0.85)", "brightness(0.85)"]
    notebook.shoot(shots / "plots")
    notebook.theme("Dark")
    assert notebook.page.evaluate(filters) == [
        "brightness(1.45)",
        "brightness(1.15)",
        "brightness(1.45)",
        "brightness(1.45)",
    ]
    notebook.theme("Light")
    notebook.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")

    changed = nbformat.read(lab.folder / "plots.ipynb", as_version=4)
    changed.metadata["comes_from"] = "somebody else"
    nbformat.write(changed, lab.folder / "untrusted.ipynb")
    untrusted = open_notebook("untrusted.ipynb")
    assert not untrusted.page.evaluate("() => jupyterapp.shell.currentWidget.model.cells.get(1).trusted")
    for cell in (1, 2):
        image = untrusted.output(cell).locator("img")
        expect(image).to_have_attribute("alt", notebook.output(cell).locator("img").get_attribute("alt"))
        assert image.evaluate("image => image.naturalWidth") > 600
