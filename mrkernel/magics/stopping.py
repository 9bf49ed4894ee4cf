"""What a click on Cancel can do while a cell runs, in words: that depends on the kernel's version."""

from __future__ import annotations

import sys

__all__ = ["cancel_words", "kernel_words"]

_WITH_SUBSHELLS = "while the cell runs in front ends that use subshells, as JupyterLab does; elsewhere use Interrupt"


def kernel_words(*, is_awaiting: bool) -> str:
    """How Cancel works in this process's kernel; empty where there is none.

    Parameters
    ----------
    is_awaiting
        Whether the cell awaits its job; else it blocks the kernel until the job has ended.
    """
    version = getattr(sys.modules.get("ipykernel"), "__version__", "")
    return cancel_words(version, is_awaiting=is_awaiting) if version else ""


def cancel_words(version: str, *, is_awaiting: bool) -> str:
    """The same for a version of ipykernel.

    >>> cancel_words("7.4.0", is_awaiting=True)
    'ipykernel 7.4.0: Cancel works while the cell runs'
    >>> cancel_words("6.31.0", is_awaiting=True)
    'ipykernel 6.31.0: Cancel is heard only when the cell has ended; use Interrupt'
    """
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if numbers < [7]:
        said = "is heard only when the cell has ended; use Interrupt"
    elif numbers >= [7, 4] and is_awaiting:
        # From 7.4 on the main shell answers comm messages while a cell awaits.
        said = "works while the cell runs"
    else:
        said = f"works {_WITH_SUBSHELLS}"
    return f"ipykernel {version}: Cancel {said}"
