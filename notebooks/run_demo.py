"""Execute a notebook from top to bottom, tell what it does meanwhile, and show the lines it counted.

    python notebooks/run_demo.py NOTEBOOK EXECUTED_COPY

Each cell is announced by the last heading above it. What is shown at the end is the text output of the cell tagged
``demo``, as it stands in the executed copy. A failed cell is an error: its message is shown and the exit code is 1.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

__all__ = ["execute", "main", "output_text", "tagged_text"]

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def execute(source: Path, target: Path) -> nbformat.NotebookNode:
    """Run every cell of ``source`` in a new kernel, saying what runs, and save the result as ``target``.

    The copy is saved also when a cell fails, up to and including its error.
    """
    notebook = nbformat.read(source, as_version=4)
    titles = _titles(notebook)
    total = len(titles)

    def announce(cell: nbformat.NotebookNode, cell_index: int) -> None:
        if cell_index in titles:
            number = list(titles).index(cell_index) + 1
            _say(f"  cell {number:2} of {total}: {titles[cell_index]}")

    # Cells use paths relative to the notebook, as they do when a person opens it.
    # The kernel's remark that its loopback sockets are not encrypted would be the first thing a newcomer reads.
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", on_cell_execute=announce,
                            resources={"metadata": {"path": str(source.parent)}},
                            extra_arguments=["--log-level=ERROR"])  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        client.execute()
    finally:
        nbformat.write(notebook, target)
    return notebook


def output_text(cell: nbformat.NotebookNode) -> str:
    """All that a cell has printed or displayed, as plain text."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", [])]
    return "\n".join(text.strip("\n") for text in texts if text)


def tagged_text(notebook: nbformat.NotebookNode, tag: str) -> str:
    """Text output of the cells with this tag, in order."""
    cells = [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]
    return "\n".join(text for text in map(output_text, cells) if text)


def main(source: Path, target: Path) -> int:
    """Run the demo and return the process's exit code."""
    started = time.monotonic()
    _say(f"==> executing {source} on an embedded cluster of worker processes")
    try:
        notebook = execute(source, target)
    except CellExecutionError as error:
        _say(f"\n{ANSI.sub('', str(error)).strip()}\n\nA cell failed; everything up to it is in {target}")
        return 1
    shown = tagged_text(notebook, "demo")
    if not shown:
        _say(f"{source} ran, but no cell tagged 'demo' printed anything; see {target}")
        return 1
    _say(f"\n{shown}\n\n==> done in {time.monotonic() - started:.0f} s; the executed notebook: {target}")
    return 0


def _titles(notebook: nbformat.NotebookNode) -> dict[int, str]:
    """What to call each code cell that has code, by its place in the notebook."""
    titles, heading = {}, ""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            found = re.findall(r"^#+ +(.+?)\s*$", cell.source, re.MULTILINE)
            heading = found[-1] if found else heading
        elif cell.cell_type == "code" and cell.source.strip():
            titles[index] = heading or cell.source.strip().splitlines()[0]
    return titles


def _say(text: str) -> None:
    # Flushed line by line, so that a log shows where a run is.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    # A kernel on a machine without a home of its own must not stop at a missing or unwritable history file.
    os.environ.setdefault("IPYTHONDIR", str(Path(sys.argv[2]).resolve().parent / "ipython"))
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
