"""Hints as a cell and the command show them: every option by the name that it has there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import mrkernel
from mrkernel.cellspec import OPTIONS, in_words_of, reworded_hint
from mrkernel.cli.command import run
from mrkernel.errors import SourceReadError, TaskFailedError
from mrkernel.events import Failure

FACES = ("cell", "command")
FLAGS = {
    "cell": {flag for option in OPTIONS for flag in option.flags},
    "command": {flag for parameter in run.params for flag in parameter.opts} | {"-h"},
}
# What a file of the user's own holds is Python.
PYTHON = {"name a Job, as in job = mr.Job(mapper=…, reducer=…)"}


def texts(node):
    """What the expression of a hint may be, with X for what is filled in."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "X" for part in node.values)]
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    return [text for child in ast.iter_child_nodes(node) for text in texts(child)] if node else []


def all_hints():
    found = set()
    for file in Path(mrkernel.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            is_assigned = isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "hint"
            if is_assigned or (isinstance(node, ast.keyword) and node.arg == "hint"):
                found.update(texts(node.value))
    return sorted(found - PYTHON)


def test_the_hints_are_found():
    assert len(all_hints()) > 150


@pytest.mark.parametrize("is_writing", [False, True])
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("hint", all_hints())
def test_no_hint_speaks_python(hint, face, is_writing):
    said = reworded_hint(hint.replace("*X", "*.csv").replace('format="X"', 'format="csv"'), face, is_writing=is_writing)
    told = re.sub(r'--format-option ("[^"]*"|\S+)', "", said)
    assert not re.search(r"(?<![\w-])[a-z_]+=(?! )", told), said
    assert not re.search(r"\bmr\.(files|read_\w+|source)\b", told), said
    if face == "command":
        assert "mr.cluster" not in told
    for flag in re.findall(r"(?<!\S)--?[a-z][a-z-]*", said):
        assert flag in FLAGS[face] or flag in hint, said


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("hint", all_hints())
def test_a_hint_is_reworded_once(hint, face):
    once = reworded_hint(hint.replace('format="X"', 'format="csv"'), face)
    assert reworded_hint(once, face) == once


@pytest.mark.parametrize(
    ("hint", "cell", "command"),
    [
        ("say overwrite=True to replace it", "say --overwrite to replace it", None),
        ("say newlines_in_values=True (one split)", "say --format-option newlines_in_values=true (one split)", None),
        ('say encoding="latin-1" (or so), or errors="replace"',
         "say --format-option encoding=latin-1 (or so), or --format-option errors=replace", None),
        ("say types={'a': str} or so", "say --format-option \"types={'a': 'str'}\" or so", None),
        ("say columns=['a']", "say --format-option \"columns=['a']\"", None),
        ('say format="text" or format="csv"', "say --format text or --format csv", None),
        ('write format="jsonl" instead', "write a target that ends in .jsonl instead",
         "write --output-format jsonl instead"),
        ("pass it as reducer=", "call it reducer", "name it with --reducer"),
        ("mr.cluster() starts another", "mr.cluster() starts another", "run the command again"),
    ],
)  # fmt: skip
def test_a_hint_in_the_words_of_a_cell_and_of_the_command(hint, cell, command):
    assert reworded_hint(hint, "cell") == cell
    assert reworded_hint(hint, "command") == (command or cell)


def test_a_format_in_a_hint_is_the_outputs_while_writing():
    hint = 'for example format="parquet"'
    assert reworded_hint(hint, "command", is_writing=True) == "for example --output-format parquet"
    assert reworded_hint(hint, "cell", is_writing=True) == "for example a target that ends in .parquet"


def test_an_error_leaves_the_block_reworded_with_its_failure():
    failure = Failure(stage="map", task=0, function="mapper", error_type="E", error_text="", hint="say header=False")
    said = r"it failed\nHint: say --format-option header=false"
    with pytest.raises(TaskFailedError, match=said) as caught, in_words_of("cell"):
        raise TaskFailedError("it failed", failure=failure, hint=failure.hint)
    assert caught.value.failure.hint == "say --format-option header=false"


def test_an_error_without_a_hint_stays_as_it_is():
    with pytest.raises(SourceReadError, match=r"^it broke$"), in_words_of("command"):
        raise SourceReadError("it broke")
