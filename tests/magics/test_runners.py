"""Programs that run notebooks: nbclient, papermill, nbconvert, nbval."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = pytest.mark.cluster

ROOT = str(Path(__file__).parents[2])
WORDS = "def mapper(line):\n    for word in line.split():\n        yield word, 1\n\nreducer = sum\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runners")
    (folder / "words.txt").write_text("the cat and the dog\nthe end\n")
    return folder


@pytest.fixture(scope="module")
def tool(folder, tmp_path_factory):
    home = str(tmp_path_factory.mktemp("home"))

    def run(*words):
        paths = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "MRKERNEL_WORKERS": "1", "PYTHONPATH": paths, "IPYTHONDIR": home}
        return subprocess.run(
            [sys.executable, "-m", *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return run


def notebook(folder, name, *cells):
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel})
    nbformat.write(made, folder / name)
    return name


@pytest.fixture(scope="module")
def executed(folder, tool):
    """A notebook that nbconvert has executed."""
    cells = ("%load_ext mrkernel", f"%%mapreduce -i words.txt -o counts\n{WORDS}", "dict(counts)['the']")
    notebook(folder, "words.ipynb", *cells)
    done = tool("nbconvert", "--execute", "--to", "notebook", "--output", "executed.ipynb", "words.ipynb")
    assert done.returncode == 0, done.stderr
    return nbformat.read(folder / "executed.ipynb", as_version=4)


def test_an_executed_notebook_keeps_plain_outputs_only(executed):
    outputs = executed.cells[1].outputs
    assert [output.output_type for output in outputs] == ["display_data"] * 3
    assert "finished in" in outputs[0].data["text/plain"]
    assert "widgets" not in executed.metadata
    assert executed.cells[2].outputs[0].data["text/plain"] == "3"


def test_markdown_and_html_read_well(executed):
    text, _ = MarkdownExporter().from_notebook_node(executed)
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", text, flags=re.DOTALL)
    assert re.search(r"counts:\s+finished in", words)
    assert re.search(r"the\s+3\s", words)
    page, _ = HTMLExporter().from_notebook_node(executed)
    assert 'class="mrkernel"' in page


def test_nbval_accepts_a_notebook_executed_before(executed, folder, tool):
    (folder / "sanitize.cfg").write_text("[seconds]\nregex: \\d+(\\.\\d+)? s\\b\nreplace: TIME\n")
    done = tool(
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "--nbval",
        "--nbval-current-env",
        "--nbval-sanitize-with",
        "sanitize.cfg",
        "executed.ipynb",
    )
    assert done.returncode == 0, done.stdout[-3000:]


def test_papermill_exits_non_zero_for_a_failing_cell(folder, tool):
    cell = "%%mapreduce -i words.txt\ndef mapper(line):\n    yield line, 1 / 0\n"
    notebook(folder, "raises.ipynb", "%load_ext mrkernel", cell)
    done = tool("papermill", "raises.ipynb", "out.ipynb", "--no-progress-bar")
    assert done.returncode != 0, done.stderr
    outputs = nbformat.read(folder / "out.ipynb", as_version=4).cells[-1].outputs
    assert [output.ename for output in outputs if output.output_type == "error"] == ["TaskFailedError"]
