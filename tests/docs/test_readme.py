"""README holds what it says: its cells, Python and commands run, and show what stands below them."""

from __future__ import annotations

import ast
import dataclasses
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from mrkernel.config import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
SECONDS = re.compile(r"\d+\.\d s\b")
SIZE = re.compile(r"\d+(\.\d+)? (bytes|kB|MB)\b")
GAP = re.compile(r" {2,}")


def _steady(text: str) -> str:
    """Without times, the sizes of files made on the way, and the widths of columns that follow from them."""
    return GAP.sub(" ", SIZE.sub("SIZE", SECONDS.sub("TIME", text))).strip()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like the repository's, to be written to."""
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _claims(block: str) -> list[tuple[str, object]]:
    """(expression, value) of each line ``expression  # value`` of a block."""
    lines = [re.fullmatch(r"(\S.*?)  # (.+)", line) for line in block.splitlines()]
    return [(found[1], ast.literal_eval(found[2])) for found in lines if found]


@pytest.mark.cluster
def test_python_runs_and_gives_what_stands_beside_it(cluster: object, folder: Path) -> None:
    claims = 0
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in PYTHON:
        exec(compile(block, "README.md", "exec"), namespace)  # noqa: S102  # running it is the test
        for expression, value in _claims(block):
            assert eval(expression, namespace) == value, expression  # noqa: S307  # as above
            claims += 1
    assert claims >= 4


@pytest.mark.cluster
def test_cells_show_what_stands_below_them(folder: Path) -> None:
    pairs = [(BLOCKS[n][1], BLOCKS[n + 1][1]) for n, (language, _) in enumerate(BLOCKS) if language == "ipython"]
    assert len(pairs) == 2
    sources = ["%load_ext mrkernel\nimport os", *(cell.rstrip("\n") for cell, _ in pairs)]
    cells = [new_code_cell(source, metadata={"tags": ["raises-exception"]}) for source in sources]
    notebook = new_notebook(cells=cells)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}}).execute()
    for cell, (_, expected) in zip(notebook.cells[1:], pairs, strict=True):
        shown = [output["data"]["text/plain"] for output in cell.outputs if "data" in output]
        assert _steady("\n".join(shown)) == _steady(expected)


@pytest.mark.cluster
def test_commands_show_what_stands_below_them(folder: Path) -> None:
    [module] = [block for block in PYTHON if block.startswith("# words.py\n")]
    (folder / "words.py").write_text(module)
    [session] = [text for language, text in BLOCKS if language == "console" and "$ mrkernel" in text]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    for part in session.split("$ mrkernel ")[1:]:
        line, _, expected = part.partition("\n")
        command = [sys.executable, "-c", "from mrkernel.cli import main; main()", *shlex.split(line)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        if expected:
            # A slow machine is told every ten seconds how far the job is.
            said = re.sub(r"^words: (?!finished).*\n", "", done.stderr, flags=re.MULTILINE)
            assert _steady(said + done.stdout) == _steady(expected)
    assert (folder / "words.csv").read_text().startswith("key,value\n")


def test_make_knows_the_tasks_that_are_named() -> None:
    named = set(re.findall(r"make ([a-z-]+)`|^\$ make ([a-z-]+)", README, re.MULTILINE))
    tasks = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {one or other for one, other in named} <= tasks


def test_every_setting_is_in_the_table() -> None:
    named = re.findall(
        r"^\| `(\w+)`(?: \\?\*)? \| .* \|$", README.split("## Settings")[1].split("## ")[0], re.MULTILINE
    )
    assert sorted(named) == sorted(field.name for field in dataclasses.fields(Settings))


def test_every_aggregate_is_in_the_table() -> None:
    from mrkernel import agg

    section = README.split("## Aggregates")[1].split("## ")[0]
    known = {name for name in agg.__all__ if name[0].islower()} - {"as_reduction"}
    assert {name for name in known if not re.search(rf"`(mr\.agg\.)?{name}(\(.*?\))?`", section)} == set()


def test_every_format_is_in_the_table() -> None:
    from mrkernel.io.registry import _BUILT_IN

    section = README.split("## Sources and sinks")[1].split("## ")[0]
    assert [item.name for item in _BUILT_IN if f"`{item.name}`" not in section] == []


def _layers(text: str) -> list[list[str]]:
    """The modules of each row of a drawing of the layers."""
    start = text.index(" __main__ ")
    drawing = text[start : text.index("```", start)]
    rows = [re.split(r"\s{2,}", line.strip())[0] for line in drawing.splitlines()]
    return [[name.strip() for name in row.split("|")] for row in rows if row]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_layers_are_drawn_as_they_are_checked(name: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    checked = [[module.strip() for module in row.split("|")] for row in contracts[0]["layers"]]
    assert _layers((ROOT / name).read_text("utf-8")) == checked


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "notebooks/README.md"])
def test_links_lead_to_files(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target]
    assert [target for target in targets if not ((ROOT / name).parent / target).exists()] == []
