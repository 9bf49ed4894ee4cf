"""``%mr walkthrough`` and the display of a walkthrough: where somebody watches, the records move."""

from __future__ import annotations

import secrets
from typing import Any

from IPython.display import display

from mrkernel.errors import OptionError
from mrkernel.magics.showing import marked, publish_view
from mrkernel.tour import Walkthrough, walkthrough

__all__ = ["live_walkthrough", "walkthrough_command"]


def walkthrough_command(magics: Any, words: list[str]) -> None:
    """Follow the first records of the last cell's input through the last cell's job."""
    if magics.last is None:
        raise OptionError("%mr walkthrough: no cell has run a job yet", hint="run a %%mapreduce cell first")
    options = {}
    if words:
        if not words[0].isdecimal():
            raise OptionError(f"%mr walkthrough: {words[0]!r} is no number of records", hint="%mr walkthrough 20")
        options["records"] = int(words[0])
    display(walkthrough(magics.last.job, magics.last.source, **options))  # type: ignore[no-untyped-call]  # IPython's


def live_walkthrough(walk: Walkthrough) -> dict[str, str]:
    """Publish the widget; the forms to show after it."""
    from mrkernel.widgets.walkthrough import WalkthroughView

    fallback = secrets.token_hex(8)
    publish_view(WalkthroughView(walk.state | {"fallback": fallback}))
    return {"text/plain": repr(walk), "text/html": marked(walk._repr_html_(), fallback)}
