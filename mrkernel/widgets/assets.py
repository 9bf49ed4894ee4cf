"""The widgets' scripts and styles, as the texts that travel to a page: no page of ours loads anything by address."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

__all__ = ["module", "style"]

_COMMENT = re.compile(r"^[ \t]*(//[ \t].*|/\*\*(?:[^*]|\*(?!/))*\*/[ \t]*)$", re.MULTILINE)
_BLANK = re.compile(r"^[ \t]*\n|^[ \t]+", re.MULTILINE)


@cache
def module(*names: str) -> str:
    """One ES module made of these files of ``static``, in this order.

    The files share one scope: a later one uses what an earlier one declares, without import or export. Only the last
    one has an ``export default``. Comments that fill their lines are left out, for the text travels with every widget.

    Examples
    --------
    >>> module("common.js").startswith("function make")
    True
    """
    # A vendored file travels as it is, with its licence.
    return "".join(_read(name) if "/" in name else _without_comments(_read(name)) for name in names)


@cache
def style(*names: str) -> str:
    """The style sheet that all widgets share, and further ones after it.

    Examples
    --------
    >>> ".mrkernel" in style()
    True
    """
    return "".join(_read(name) for name in ("style.css", *names))


def _read(name: str) -> str:
    return files("mrkernel.widgets").joinpath("static", *name.split("/")).read_text("utf-8")


def _without_comments(text: str) -> str:
    return _BLANK.sub("", _COMMENT.sub("", text))
