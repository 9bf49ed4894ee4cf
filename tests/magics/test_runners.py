"""Programs that run notebooks: nbclient, papermill, nbconvert, nbval."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter, MarkdownExporter
from nbformat.v4 import new_code_cell, new_notebook

pytestmark = pytest.mark.cluster

ROOT = str(Path(__file__).parents[2])
WORDS = """import mrkernel as mr
def mapper(line):
    mr.counter("lines_seen")
    for word in line.split():
        yield word, 1

reducer = sum
"""
FAILS = "%%mapreduce -i words.txt\ndef mapper(line):\n    yield line, 1 / 0\n"


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
    assert [output.output_type for output in outputs] == ["display_data"] * 4
    assert "finished in" in outputs[0].data["text/plain"]
    assert "widgets" not in executed.metadata
    assert executed.cells[2].outputs[0].data["text/plain"] == "3"


class _Reader(HTMLParser):
    """A page as one line of words for each block and table row, with scripts, styles and attributes gone."""

    _BLOCKS = frozenset("p div tr pre li h1 h2 h3 summary".split())

    def __init__(self, page):
        super().__init__()
        self._lines, self._hidden, self.images = [""], 0, []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self._hidden += tag in {"script", "style"}
        self._lines += [""] * (tag in self._BLOCKS)
        if tag == "img":
            self.images.append(dict(attributes).get("src", "")[:15])

    def handle_endtag(self, tag):
        self._hidden -= tag in {"script", "style"}
        self._lines += [""] * (tag in self._BLOCKS)

    def handle_data(self, data):
        self._lines[-1] += "" if self._hidden else f" {data} "

    @property
    def lines(self):
        return [" ".join(line.split()) for line in self._lines if line.strip()]


def test_an_exported_page_says_everything_without_scripts_and_styles(executed):
    page, _ = HTMLExporter().from_notebook_node(executed)
    reader = _Reader(page)
    shown = "\n".join(reader.lines)
    assert re.search(r"^counts: finished in [\d.]+ m?s$", shown, re.MULTILINE)
    assert re.search(r"^map 1/1 2 28 bytes [\d.]+ m?s$", shown, re.MULTILINE)
    assert re.search(r"^reduce 1/1 5 .*s$", shown, re.MULTILINE)
    assert "the 3\n5 rows, 2 columns" in shown
    assert "lines_seen 2" in reader.lines
    assert reader.images == ["data:image/png;"]


def test_markdown_reads_well_where_only_text_is_left(executed):
    text, _ = MarkdownExporter().from_notebook_node(executed)
    shown = "\n".join(_Reader(text).lines)
    assert re.search(r"^counts: finished in", shown, re.MULTILINE)
    assert "the 3\n5 rows, 2 columns" in shown
    assert re.search(r"!\[png\]\(|<img [^>]*alt=\"[^\"]*value by key", text)


@pytest.fixture(scope="module")
def failed(folder, tool):
    """A notebook whose cell fails, papermill's exit and what it has written."""
    notebook(folder, "raises.ipynb", "%load_ext mrkernel", FAILS)
    done = tool("papermill", "raises.ipynb", "out.ipynb", "--no-progress-bar")
    return done, nbformat.read(folder / "out.ipynb", as_version=4)


def test_papermill_exits_non_zero_with_the_cards_text(failed):
    done, written = failed
    assert done.returncode != 0, done.stderr
    card = (
        "mapper raised ZeroDivisionError",
        "→    3     yield line, 1 / 0",
        "input: words.txt, line 1",
        "record: 'the cat",
    )
    for said in (*card, "TaskFailedError"):
        assert said in done.stderr
    assert not re.search(r"mrkernel/|distributed|dask", done.stderr.split("mapper raised")[1])
    errors = [output for output in written.cells[-1].outputs if output.output_type == "error"]
    assert [output.ename for output in errors] == ["TaskFailedError"]


def test_the_card_of_an_exported_page_says_everything_without_scripts_and_styles(failed):
    page, _ = HTMLExporter().from_notebook_node(failed[1])
    shown = "\n".join(_Reader(page).lines)
    assert "mapper raised ZeroDivisionError: division by zero\nCell In[2], line 3, in mapper" in shown
    assert "record: 'the cat and the dog'" in shown
    assert "try it here: list(mapper('the cat and the dog'))" in shown


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
