"""Turns a cell that runs a job into one that awaits it, so that the kernel answers its front end meanwhile."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["AwaitTransform"]

_FIRST_LINE = re.compile(r"%%(mapreduce|mrjoin|mapper|reducer)(?:[ \t]+([^\n]*))?\n?$")


class AwaitTransform:
    """A cleanup transform of IPython; the notebook's source keeps its magic."""

    has_side_effects = False

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def __call__(self, lines: list[str]) -> list[str]:
        """The lines that run in place of a cell's."""
        match = _FIRST_LINE.match(lines[0]) if lines else None
        # Active while another magic (%%time, %%capture) runs this cell: there an await is a syntax error.
        if not match or self._shell.display_trap.is_active:
            return lines
        name, line, body = match[1], (match[2] or "").strip(), "".join(lines[1:])
        if name in {"mapreduce", "mrjoin"}:
            # IPython refuses a cell magic without a body, and does so without an error output.
            return [f"await get_ipython().run_cell_magic('{name}_async', {line!r}, {body or chr(10)!r})\n"]
        return lines if body.strip() else [f"get_ipython().run_cell_magic({name!r}, {line!r}, {chr(10)!r})\n"]
