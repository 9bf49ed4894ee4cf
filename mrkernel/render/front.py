"""Where a notebook takes over what is shown."""

from __future__ import annotations

import importlib
import sys
from typing import Any

__all__ = ["notebook_front"]


def notebook_front() -> Any:
    """The module that displays in IPython, with or without the extension loaded; None outside IPython."""
    # By name: what asks for it lies below the notebook's layer, and without IPython there is nothing to import.
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    if get_shell is None or get_shell() is None:
        return None
    return importlib.import_module("mrkernel.magics.front")
