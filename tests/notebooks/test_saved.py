"""What must hold for every notebook as it is committed: nbval compares outputs, this looks at what is saved."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
MACHINE_PATH = re.compile(r"(?<![\w.~}<])/(?:home|root|Users|tmp|work|var|usr|opt)/[\w.-]")


def _cells(notebook: nbformat.NotebookNode, tag: str = "") -> list[nbformat.NotebookNode]:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [cell for cell in cells if tag in cell.metadata.get("tags", [])] if tag else cells


def _text(output: nbformat.NotebookNode) -> str:
    data = output.get("data", {})
    said = [data.get(kind, "") for kind in ("text/plain", "text/html")]
    return "\n".join([output.get("text", ""), *output.get("traceback", []), *said])


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def notebook(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    return nbformat.read(request.param, as_version=4)


def test_there_is_a_quickstart() -> None:
    assert NOTEBOOKS[0].name == "01-quickstart.ipynb"


def test_every_cell_was_run_once_from_top_to_bottom(notebook: nbformat.NotebookNode) -> None:
    counts = [cell.execution_count for cell in _cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_only_cells_that_show_an_error_hold_one(notebook: nbformat.NotebookNode) -> None:
    for cell in _cells(notebook):
        has_error = any(output.output_type == "error" for output in cell.outputs)
        assert has_error == ("raises-exception" in cell.metadata.get("tags", [])), cell.source


def test_outputs_name_no_path_of_a_machine_and_no_address(notebook: nbformat.NotebookNode) -> None:
    shown = "\n".join(_text(output) for cell in _cells(notebook) for output in cell.outputs)
    assert MACHINE_PATH.findall(shown) == []
    assert re.findall(r"(?:tcp|tls)://\S+", shown) == []


def test_nothing_was_printed_to_stderr(notebook: nbformat.NotebookNode) -> None:
    outputs = [output for cell in _cells(notebook) for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


def test_outputs_are_readable_without_a_kernel_or_widgets(notebook: nbformat.NotebookNode) -> None:
    assert "widgets" not in notebook.metadata
    kinds = [set(output.get("data", {"text/plain": ""})) for cell in _cells(notebook) for output in cell.outputs]
    assert all("text/plain" in kind for kind in kinds)
    assert not any("widget" in name for kind in kinds for name in kind)


def test_a_job_that_ran_shows_its_answer(notebook: nbformat.NotebookNode) -> None:
    runs = [cell for cell in _cells(notebook) if cell.source.startswith(("%%mapreduce", "%mapreduce"))]
    assert [cell.source for cell in runs if not cell.outputs] == []


def test_the_quickstart_counts_right() -> None:
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    [demo] = _cells(notebook, "demo")
    assert demo.outputs[0].text == "the 63,919\nand 51,696\nof 34,618\n"
    shown = "\n".join(_text(output) for cell in _cells(notebook) for output in cell.outputs)
    for answer in (
        "789,684 words, 12,824 of them different",
        "stands in 3,877 verses",
        "52,606",
        "John11:35 Jesus wept.",
    ):
        assert answer in shown
