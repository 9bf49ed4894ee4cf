"""IPython in a terminal: a line that moves, text instead of pictures, Ctrl-C."""

from __future__ import annotations

import re
import sys

import nbformat
import pexpect
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.magics.kernels import environment

pytestmark = pytest.mark.cluster

SLOW = """%%mapreduce -i numbers -o slow --chunk-size 100
import time
def mapper(number):
    time.sleep(0.1)
    yield number % 3, 1
reducer = sum
"""
FAILS = """%%mapreduce -i numbers
def mapper(number):
    yield number, 1 / (number - 5)
"""
ENDLESS = """%%mapreduce -i numbers -o endless
import time
def mapper(number):
    time.sleep(60)
    yield number, 1
"""
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def terminal(tmp_path):
    """An interactive IPython in which ``%run NAME.ipynb`` runs a cell of its own."""
    for name, cell in (("slow", SLOW), ("fails", FAILS), ("endless", ENDLESS)):
        nbformat.write(new_notebook(cells=[new_code_cell(cell)]), tmp_path / f"{name}.ipynb")
    words = ["-m", "IPython", "--no-banner", "--simple-prompt", "--no-confirm-exit"]
    env = {**environment(tmp_path / "ipython"), "COLUMNS": "200", "PYTHON_BASIC_REPL": "1"}
    child = pexpect.spawn(
        sys.executable, words, cwd=str(tmp_path), env=env, encoding="utf-8", timeout=60, dimensions=(40, 200)
    )
    child.expect_exact("In [1]: ")
    yield child
    child.sendline("exit")
    child.expect(pexpect.EOF)
    child.wait()


def _said(terminal, line):
    """What the terminal shows until its next prompt."""
    terminal.sendline(line)
    terminal.expect(r"In \[\d+\]: ")
    return ESCAPES.sub("", terminal.before)


def test_cells_in_a_terminal_are_text_and_ctrl_c_stops_them(terminal):
    _said(terminal, "%load_ext mrkernel")
    _said(terminal, "numbers = range(12)")
    shown = _said(terminal, "%run -i slow.ipynb")
    assert len(set(re.findall(r"\rslow [^\r]*map █*░* \d+/\d+", shown))) >= 2
    assert "slow: finished in" in shown
    assert re.search(r"0 +4\r\n +1 +4\r\n +2 +4\r\n3 rows, 2 columns", shown)
    card = _said(terminal, "%run -i fails.ipynb")
    assert "mapper raised ZeroDivisionError: division by zero" in card
    assert "→    3     yield number, 1 / (number - 5)" in card
    assert "record: 5" in card
    assert "try it here: list(mapper(5))" in card
    assert not re.search(r"mrkernel/|distributed/|<div|<p>", shown + card)
    terminal.sendline("%run -i endless.ipynb")
    terminal.expect(r"endless [^\r]*map")
    terminal.sendintr()
    terminal.expect(r"JobInterruptedError: endless was interrupted after")
    terminal.expect(r"In \[\d+\]: ")
    assert "81" in _said(terminal, "9 * 9")
