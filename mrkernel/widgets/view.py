"""What all live views have in common."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

__all__ = ["View"]


class View(anywidget.AnyWidget):
    """A widget that is one comm, and answers whatever the kernel does meanwhile."""

    # A layout would be a model, and a comm, of its own.
    layout = traitlets.Any(default_value=None, allow_none=True).tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        # ipykernel 7.4 answers on the (sub)shell that last sent on this comm: often the main one, which is busy with
        # the very cell that waits. The front end's own choice is the right one.
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda data, default: default  # noqa: SLF001  # there is no public way
