"""The live view of one job: one model, one trait, and the presses that come back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import traitlets

from mrkernel.widgets.assets import module, style
from mrkernel.widgets.view import View

__all__ = ["ProgressWidget", "packed"]


def packed(cells: str) -> str:
    """A lane with each run of equal cells as one cell and its length: most of what a state says is lanes.

    >>> packed("mmmmwrr..")
    'm4wr2.2'
    """
    runs = ((kind, len(list(same))) for kind, same in groupby(cells))
    return "".join(kind if length == 1 else f"{kind}{length}" for kind, length in runs)


class ProgressWidget(View):
    """Shows what ``progress_state`` says, with a Cancel button.

    Presses may arrive in any thread of the kernel: what they call must only set flags.

    Parameters
    ----------
    state
        The first state.
    stop
        Called for each press of Cancel; the second one asks for force.
    leave
        Called for "Continue in background"; None shows no such button.
    """

    _esm = module("common.js", "stages.js", "lanes.js", "progress.js")
    _css = style("progress.css")
    state = traitlets.Dict().tag(sync=True)

    def __init__(
        self, state: dict[str, Any], *, stop: Callable[[], None], leave: Callable[[], None] | None = None
    ) -> None:
        self._stop: Callable[[], None] | None = stop
        self._leave = leave
        self.presses = 0
        self.is_heard = False
        super().__init__(state=self._full(state))
        self.on_msg(self._receive)

    def end_wait(self) -> None:
        """Take "Continue in background" away, with the next state."""
        self._leave = None

    def let_go(self) -> None:
        """Press nothing any more: what the presses call holds the job, and the page may keep this widget for long."""
        self._stop = self._leave = None

    def show(self, state: dict[str, Any]) -> None:
        """Send this state, where it differs from what was sent."""
        self.state = self._full(state)

    @property
    def has_news(self) -> bool:
        """Whether a press has not been answered yet."""
        return bool(self.presses != self.state["asked"])

    def _full(self, state: dict[str, Any]) -> dict[str, Any]:
        lanes = state["lanes"]
        rows = [[name, packed(cells)] for name, cells in lanes["rows"]]
        told = {text for _, _, text in state["log"]}
        notes = [note for note in state["notes"] if note not in told]
        # A stage that waits is all zeros.
        stages = [{name: value for name, value in stage.items() if value != 0} for stage in state["stages"]]
        own = {"asked": self.presses, "leave": self._leave is not None}
        return {**state, **own, "stages": stages, "lanes": {**lanes, "rows": rows}, "notes": notes}

    def _receive(self, _: Any, content: Any, buffers: Any) -> None:
        self.is_heard = True
        command = content.get("cmd") if isinstance(content, dict) else None
        if command == "cancel" and self._stop is not None:
            self.presses += 1
            self._stop()
        elif command == "leave" and self._leave is not None:
            self._leave()
