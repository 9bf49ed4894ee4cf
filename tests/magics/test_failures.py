"""The failure card in the notebook's own words."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from mrkernel.errors import OptionError
from mrkernel.events import Failure, Frame
from mrkernel.magics.body import as_written
from mrkernel.magics.failures import failing_call, whole_traceback


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("# %%mapreduce -i a.txt\n", "%%mapreduce -i a.txt\n"),
        ("# %%mapper words\n", "%%mapper words\n"),
        ("# a comment\n", "# a comment\n"),
        ("# %% a cell of an editor\n", "# %% a cell of an editor\n"),
        ("x = 1\n", "x = 1\n"),
    ],
)
def test_a_cells_first_line_is_shown_as_the_user_wrote_it(line, shown):
    assert as_written(line) == shown


def generator(record):
    yield record, 1


def returning(record):
    return [(record, 1)]


def of_pairs(key, value):
    yield key, value


def with_option(record, *, option=1):
    yield record, option


def failure(name, record, **fields):
    frame = Frame(filename=__file__, lineno=1, function=name, text="")
    plain = {"stage": "map", "task": 0, "function": "mapper", "error_type": "KeyError", "error_text": ""}
    return Failure(**{**plain, "frames": (frame,), "record": record, **fields})


@pytest.mark.parametrize(
    ("function", "record", "call"),
    [
        ("generator", "'a b'", "list(generator('a b'))"),
        ("returning", "5", "returning(5)"),
        ("of_pairs", "('a', 5)", "list(of_pairs('a', 5))"),
        ("of_pairs", "'ab'", ""),
        ("with_option", "5", ""),
        ("nowhere", "5", ""),
        ("generator", "'xxx...xxx'", ""),
        ("generator", "<Row 5>", ""),
        ("generator", "{'a': datetime.date(2020, 1, 1)}", ""),
        ("generator", "", ""),
    ],
)
def test_a_call_that_fails_here_too_is_offered_where_there_is_one(function, record, call):
    assert failing_call(globals(), failure(function, record)) == call


def test_no_call_is_offered_for_a_reducer_or_for_a_function_that_another_has_replaced():
    elsewhere = Frame(filename="elsewhere.py", lineno=1, function="generator", text="")
    assert failing_call(globals(), failure("generator", "5", function="reducer")) == ""
    assert failing_call(globals(), failure("generator", "5", frames=(elsewhere,))) == ""
    assert failing_call(globals(), failure("generator", "5", frames=())) == ""


def test_whole_traceback_names_cells_as_the_notebook_does():
    names = {__file__: ("Cell", "In[3]")}
    shell = SimpleNamespace(compile=SimpleNamespace(format_code_name=names.get))
    text = (
        f'Traceback (most recent call last):\n  File "lib.py", line 7, in call\n  File "{__file__}", line 1, in f\nE: x'
    )
    assert whole_traceback(shell, failure("f", "5", traceback=text)).split("\n") == [
        "Traceback (most recent call last):",
        '  File "lib.py", line 7, in call',
        "  Cell In[3], line 1, in f",
        '    """The failure card in the notebook\'s own words."""',
        "E: x",
    ]


@pytest.mark.cluster
def test_traceback_command_shows_every_frame_of_the_last_failure(shell, capsys, monkeypatch):
    monkeypatch.delattr("sys.last_value", raising=False)
    with pytest.raises(OptionError, match=re.escape("%mr traceback: no job has failed in a function of yours")):
        shell.run_line_magic("mr", "traceback")
    shell.run_cell("numbers = [1]\n")
    handle = shell.run_cell_magic("mapreduce", "-i numbers -b -o broken", "def mapper(number):\n    yield 1 / 0, 1")
    assert handle.wait(60)
    shell.run_line_magic("mr", "traceback")
    said = capsys.readouterr().out
    assert "Traceback (most recent call last):" in said
    assert "engine/tasks/mapping.py" in said
    assert said.rstrip().endswith("ZeroDivisionError: division by zero")
