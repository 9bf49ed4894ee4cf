"""Finding jobs and functions by name."""

from __future__ import annotations

import sys

import pytest

from mrkernel import agg
from mrkernel.cli.loading import load_job, load_object
from mrkernel.errors import OptionError
from mrkernel.job import Job

CODE = """
from mrkernel.job import Job

def words(line):
    for word in line.split():
        yield word, 1

job = Job(words, sum, name="words")
number = 3
"""


@pytest.fixture(autouse=True)
def jobs_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    (tmp_path / "wordjobs.py").write_text(CODE)
    (tmp_path / "broken.py").write_text("x = 1\ny = 1 / 0\n")
    (tmp_path / "unfinished.py").write_text("def f(:\n")
    yield
    for name in set(sys.modules) - before:
        if name in {"wordjobs", "broken", "unfinished"} or name.startswith("mrkernel_job_"):
            del sys.modules[name]


@pytest.mark.parametrize("where", ["wordjobs.py:job", "wordjobs:job", "./wordjobs.py:job"])
def test_a_job_is_loaded_from_a_file_or_a_module(where):
    assert isinstance(load_job(where), Job)
    assert load_job(where).name == "words"


def test_a_mapper_and_an_aggregate_make_a_job():
    assert load_job("wordjobs.py:words", "len").reducer is len
    assert load_job("wordjobs.py:words", "mean").reducer is agg.mean


@pytest.mark.parametrize(
    ("where", "reducer", "message"),
    [
        ("wordjobs", None, "'wordjobs' does not name a job\nHint: write it as module:name"),
        ("wordjobs.py:jbo", None, r"wordjobs.py has no jbo\nHint: did you mean job\?"),
        ("nofile.py:job", None, "there is no file nofile.py"),
        ("nomodule:job", None, "there is no module nomodule\nHint: a file is named with its .py"),
        ("wordjobs.py:number", None, "is a int, neither a Job nor a mapper function"),
        ("wordjobs.py:words", "summ", r"there is no aggregate 'summ'\nHint: did you mean sum\?"),
        ("wordjobs.py:job", "sum", "is a whole job, so --reducer and --combiner do not fit"),
        ("broken.py:job", None, r"cannot load broken.py: ZeroDivisionError: division by zero \(.*broken.py, line 2\)"),
        ("unfinished.py:job", None, r"cannot load unfinished.py: SyntaxError: .*unfinished.py, line 1\)"),
    ],
)
def test_what_cannot_be_loaded_is_one_clear_error(where, reducer, message):
    with pytest.raises(OptionError, match=message):
        load_job(where, reducer)


def test_functions_of_a_file_can_be_found_again_by_name():
    assert load_object("wordjobs.py:words") is sys.modules["wordjobs"].words
