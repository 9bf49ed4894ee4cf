"""What -i names."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mrkernel.cellspec import is_input, parse, resolve_source
from mrkernel.errors import OptionError
from mrkernel.io import Source


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def source(line, **namespace):
    return resolve_source(parse(line, namespace), namespace)


def test_one_location_is_handed_on_as_it_is():
    assert source("-i books/*.txt") == "books/*.txt"


def test_a_variable_is_its_value():
    words = ["a", "b"]
    assert source("-i words", words=words) is words


def test_a_variable_may_hold_a_location():
    assert source("-i place", place=Path("a.txt")) == "a.txt"


def test_a_file_without_a_suffix_is_found_where_no_variable_has_its_name(tmp_path):
    (tmp_path / "words").write_text("a\n")
    assert source("-i words") == "words"
    assert source("-i ./words", words=[1]) == "./words"


def test_several_locations_and_formats_become_one_source(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("x\n")
    assert isinstance(source("-i a.txt b.txt"), Source)
    assert isinstance(source("-i a.txt -f text"), Source)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "no input is given\nHint: add -i with a path"),
        ("-i wrods", r"-i wrods is neither a variable nor a file here\nHint: did you mean words\?"),
        ("-i qqq", "-i qqq is neither a variable nor a file here\nHint: the folder is"),
        ("-i math", r"-i math is a variable that holds a module, which is no input\nHint: write ./math"),
        ("-i nothing", "holds nothing, which is no input"),
        ("-i words -f csv", "-f describes files, and words is a variable that holds a list"),
        ("-i a.txt words", "several inputs must all be locations, and words holds a list"),
    ],
)
def test_what_cannot_be_read_is_said(line, message):
    with pytest.raises(OptionError, match=message):
        source(line, words=["a"], math=math, nothing=None)


def test_functions_modules_and_numbers_are_no_input():
    assert [is_input(v) for v in ([1], "a.txt", range(3), len, math, 3, None)] == [True, True, True, *[False] * 4]
