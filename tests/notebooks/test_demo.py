"""The demo script: what it shows, and what it does when a cell fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SCRIPT = Path(__file__).parents[2] / "notebooks" / "run_demo.py"


def _run(folder: Path, *cells: nbformat.NotebookNode) -> subprocess.CompletedProcess[str]:
    nbformat.write(new_notebook(cells=list(cells)), folder / "n.ipynb")
    command = [sys.executable, SCRIPT, "n.ipynb", "made/n.ipynb"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_demo_shows_the_tagged_text_and_where_the_notebook_is(tmp_path: Path) -> None:
    demo = new_code_cell("print(6 * 7)", metadata={"tags": ["demo"]})
    done = _run(tmp_path, new_markdown_cell("# Count"), new_code_cell("x = 1"), demo)
    assert done.returncode == 0, done.stderr
    assert "cell  2 of 2: Count" in done.stdout
    assert "\n42\n" in done.stdout
    assert done.stdout.rstrip().endswith("the executed notebook: made/n.ipynb")
    assert (tmp_path / "made" / "n.ipynb").is_file()


def test_demo_fails_with_the_message_of_the_cell_that_failed(tmp_path: Path) -> None:
    done = _run(tmp_path, new_code_cell("raise ValueError('no verse')"), new_code_cell("print('unreached')"))
    assert done.returncode == 1
    assert "ValueError: no verse" in done.stdout
    assert "A cell failed; everything up to it is in made/n.ipynb" in done.stdout


def test_demo_fails_where_nothing_is_to_be_shown(tmp_path: Path) -> None:
    done = _run(tmp_path, new_code_cell("1"))
    assert done.returncode == 1
    assert "no cell tagged 'demo' printed anything" in done.stdout
