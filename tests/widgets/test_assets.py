"""The texts that travel to a page: complete, without addresses, and without markup made of values."""

from __future__ import annotations

from pathlib import Path

import pytest

import mrkernel.widgets
from mrkernel.widgets import module, style

STATIC = Path(mrkernel.widgets.__file__).parent / "static"
OURS = sorted([*STATIC.glob("*.js"), *STATIC.glob("*.css")])


def test_module_joins_files_in_their_order():
    text = module("common.js", "progress.js")
    assert 0 <= text.index("function make(") < text.index("export default")


def test_module_leaves_comment_lines_out():
    assert "// @ts-check" not in module("common.js")


def test_style_begins_with_what_all_share():
    assert style().index(".mrkernel.mr-widget") < 200


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_file_loads_nothing_and_writes_no_markup(file):
    text = file.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    for forbidden in ("http:", "https:", "//cdn", "@import", "import(", "innerHTML", "outerHTML", "insertAdjacent",
                      "document.write", "eval(", "fetch("):  # fmt: skip
        assert forbidden not in text
