"""Who may import what: our own layers, and which file owns which third-party package."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "mrkernel"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Files (or folders) that may import a package, at any depth of the code. What is not here may not be imported.
ANYWHERE = ("",)
OWNERS = {
    "numpy": ANYWHERE,
    "pyarrow": ANYWHERE,
    "IPython": ("magics",),
    "anywidget": ("widgets",),
    "click": ("cli",),
    "cloudpickle": ("batches.py", "engine/tasks", "io/scratch.py", "shipping.py", "testing"),
    "cryptography": ("cluster/keys.py",),
    "dask": ("cluster",),
    "distributed": ("cluster", "engine/dask_executor.py", "engine/dask_worker.py"),
    "fsspec": ("io",),
    "matplotlib": ("plots",),
    "pandas": ("engine/tasks", "io/memory.py", "result"),
    "polars": ("engine/tasks", "io/quick_parquet.py", "io/registry.py", "ordering.py", "partition.py", "result"),
    "psutil": ("cluster",),
    "tornado": ("cluster",),
    "traitlets": ("magics", "widgets"),
}
# Not declared by the project, because another dependency's own interface is made of it.
COMES_WITH = {"tornado": "distributed", "traitlets": "ipython"}


def _imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Top-level package and line of each import that runs; ``if TYPE_CHECKING`` is for the type checker only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "mrkernel").split(".")[0], node.lineno
        yield from _imports(node)


def _is_owner(file: str, owners: tuple[str, ...]) -> bool:
    return any(owner == "" or file in {owner, f"{owner}.py"} or file.startswith(f"{owner}/") for owner in owners)


@pytest.mark.parametrize("module", MODULES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_module_imports_only_packages_it_owns(module: Path) -> None:
    file = module.relative_to(PACKAGE).as_posix()
    foreign = [
        f"{file}:{line} imports {name}"
        for name, line in _imports(ast.parse(module.read_text("utf-8")))
        if name not in sys.stdlib_module_names and name != "mrkernel" and not _is_owner(file, OWNERS.get(name, ()))
    ]
    assert foreign == []


def test_every_owner_in_the_table_uses_its_package() -> None:
    used = {
        (name, module.relative_to(PACKAGE).as_posix())
        for module in MODULES
        for name, _ in _imports(ast.parse(module.read_text("utf-8")))
    }
    idle = [
        (package, owner)
        for package, owners in OWNERS.items()
        for owner in owners
        if not any(name == package and _is_owner(file, (owner,)) for name, file in used)
    ]
    assert idle == []


def test_every_package_in_the_table_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.split(r"[\s<>=!~\[;]", line)[0].lower() for line in project["dependencies"]}
    assert {COMES_WITH.get(name, name).lower() for name in OWNERS} <= declared


def test_modules_import_only_from_layers_below() -> None:
    """The layers in pyproject.toml hold, and every module has a place in them."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
