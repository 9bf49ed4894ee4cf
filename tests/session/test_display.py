"""What a script's ``mr.run`` shows on a terminal, and that it shows nothing elsewhere."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[2])
SCRIPT = """
import time
import mrkernel as mr

def mapper(number):
    time.sleep(float({pause!r}))
    yield number % 3, 1

# The first job of a process imports what jobs need.
mr.run(mr.Job(lambda number: (number, 1), sum), [1], executor="inline", progress=False)
print(dict(mr.run(mr.Job(mapper, sum, name="thirds"), range(12), executor="inline", {options})))
"""


def script(pause, options=""):
    paths = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    code = SCRIPT.format(pause=pause, options=options)
    return {"args": [sys.executable, "-c", code], "env": {**os.environ, "PYTHONPATH": paths}}


def on_a_terminal(pause, options=""):
    """What the script writes to standard error where that is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(**script(pause, options), stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while piece := _read(ours):
            said += piece
        os.close(ours)
        assert process.stdout.read() == b"{0: 4, 1: 4, 2: 4}\n"
    assert process.returncode == 0, said.decode()
    return said.decode()


def _read(descriptor):
    try:
        return os.read(descriptor, 4096)
    except OSError:
        # Linux says that the other end is closed by an error.
        return b""


def test_a_terminal_shows_one_line_in_place_and_then_the_summary():
    said = on_a_terminal("0.15")
    *lines, summary = said.split("\r")[1:], said[said.rindex("thirds: finished in") :]
    assert any(line.startswith("thirds 0.") and "map" in line for line in lines[0])
    assert summary.split("\r\n")[1].split()[:3] == ["stage", "tasks", "records"]


@pytest.mark.parametrize(("pause", "options"), [("0", ""), ("0.06", "progress=False")])
def test_a_terminal_shows_nothing_for_a_short_job_or_where_it_is_switched_off(pause, options):
    assert on_a_terminal(pause, options) == ""


def test_a_log_gets_nothing():
    done = subprocess.run(**script("0.06"), capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("{0: 4, 1: 4, 2: 4}\n", "")
