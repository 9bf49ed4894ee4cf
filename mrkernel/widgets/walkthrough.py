"""The widget of a walkthrough: records that move from step to step."""

from __future__ import annotations

from typing import Any, ClassVar

import traitlets

from mrkernel.widgets.assets import module, style
from mrkernel.widgets.view import View

__all__ = ["WalkthroughView"]


class WalkthroughView(View):
    """Records on their way through a job; ``state`` is :attr:`mrkernel.tour.Walkthrough.state`."""

    _esm: ClassVar[str] = module("common.js", "walkthrough.js")
    _css: ClassVar[str] = style("walkthrough.css")
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__(state=state)
