"""The widget of a walkthrough: records that move from step to step."""

from __future__ import annotations

from typing import Any, ClassVar

import anywidget
import traitlets

from mrkernel.widgets.assets import module, style

__all__ = ["WalkthroughView"]


class WalkthroughView(anywidget.AnyWidget):
    """Records on their way through a job; ``state`` is :attr:`mrkernel.walkthrough.Walkthrough.state`."""

    _esm: ClassVar[str] = module("common.js", "walkthrough.js")
    _css: ClassVar[str] = style("walkthrough.css")
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__(state=state)
