"""What every file of the package looks like: its public names, its size, and things it never does."""

from __future__ import annotations

import ast
import importlib
import io
import json
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import mrkernel

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mrkernel"
MODULES = sorted(PACKAGE.rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 400, 60

# Loading a pickle runs whatever is in it: these read only what a process of the same job wrote, and say so.
UNPICKLES = {
    "batches.py", "engine/dask_executor.py", "engine/sharing.py", "engine/tasks/attempt.py", "io/scratch.py",
    "testing/sinks.py", "testing/sources.py",
}  # fmt: skip
HEAVY = {
    "IPython", "anywidget", "bokeh", "dask", "distributed", "duckdb", "fsspec", "ipywidgets", "matplotlib", "pandas",
    "polars", "pyarrow.dataset",
}  # fmt: skip

each_module = pytest.mark.parametrize("module", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))


def _tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text("utf-8"))


def _dotted(module: Path) -> str:
    parts = module.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _defined(tree: ast.Module) -> set[str]:
    """Public functions, classes and aliases; CONSTANTS may be shared inside the package without being public."""
    names = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_") and not name.isupper()}


@each_module
def test_module_names_what_is_public(module: Path) -> None:
    if module.name == "__main__.py":
        return
    public = getattr(importlib.import_module(_dotted(module)), "__all__", None)
    assert public is not None, "there is no __all__"
    assert len(public) == len(set(public))
    listed = {name for name in public if not name.isupper()}
    if module.name == "__init__.py":
        assert listed >= _defined(_tree(module))
    else:
        assert listed == _defined(_tree(module))


@each_module
def test_every_public_name_resolves(module: Path) -> None:
    if module.name != "__main__.py":
        loaded = importlib.import_module(_dotted(module))
        assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []


@each_module
def test_file_is_one_idea_long(module: Path) -> None:
    assert len(module.read_text("utf-8").splitlines()) <= FILE_LINES


@each_module
def test_functions_are_short(module: Path) -> None:
    def lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        # A long docstring is no fault: examples and units belong there.
        first = node.body[1] if ast.get_docstring(node, clean=False) is not None and node.body[1:] else node.body[0]
        return (node.end_lineno or 0) - first.lineno + 1

    functions = [node for node in ast.walk(_tree(module)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert [(node.name, lines(node)) for node in functions if lines(node) > FUNCTION_LINES] == []


@each_module
def test_module_says_what_it_is_for(module: Path) -> None:
    assert ast.get_docstring(_tree(module))


@each_module
def test_only_the_command_line_prints(module: Path) -> None:
    calls = [node for node in ast.walk(_tree(module)) if isinstance(node, ast.Call)]
    prints = [node.lineno for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert prints == [] or module.relative_to(PACKAGE).parts[0] in {"cli", "cli.py"}


@each_module
def test_pickles_are_read_only_where_their_writer_is_known(module: Path) -> None:
    reads = [
        node.lineno
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Attribute)
        and node.attr in {"load", "loads", "Unpickler"}
        and isinstance(node.value, ast.Name)
        and node.value.id in {"pickle", "cloudpickle", "marshal"}
    ]
    assert reads == [] or module.relative_to(PACKAGE).as_posix() in UNPICKLES


@each_module
def test_nothing_is_left_to_do(module: Path) -> None:
    comments = (
        token.string
        for token in tokenize.generate_tokens(io.StringIO(module.read_text("utf-8")).readline)
        if token.type == tokenize.COMMENT
    )
    assert [text for text in comments if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text)] == []


def test_import_is_light() -> None:
    """`import mrkernel` loads pyarrow and nothing heavier, so that a notebook's first cell is quick."""
    code = "import json, sys, mrkernel; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(done.stdout)) == set()


def test_a_first_word_count_is_light() -> None:
    """Neither planning, running nor showing a plain job loads what it does not use; pandas alone takes 0.3 s."""
    code = """if True:
        import json, sys, mrkernel as mr
        job = mr.Job(lambda line: [(word, 1) for word in line.split()], sum)
        for source in (["to be", "or not to be"], "README.md"):
            result = mr.run(job, source, executor="inline", progress=False)
            assert result["to"] and dict(result) and repr(result) and result._repr_html_() and result.paging.page(0, 9)
        print(json.dumps(sorted(sys.modules)))"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(done.stdout)) == set()


def test_public_names_arrive_when_first_used() -> None:
    """Each name of `mrkernel` resolves in a fresh interpreter, also when it is the first one asked for."""
    for name in mrkernel.__all__:
        getattr(mrkernel, name)
    code = "import mrkernel as m; lacks = [n for n in reversed(m.__all__) if not hasattr(m, n)]; assert not lacks"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(mrkernel.__all__) <= set(dir(mrkernel))
