"""A tuning with sliders: predictions for all points at once, and three presses that come back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import traitlets

from mrkernel.widgets.assets import module, style
from mrkernel.widgets.view import View

__all__ = ["Point", "TunerWidget"]

Point: TypeAlias = tuple[int, int, int, int]


class TunerWidget(View):
    """Shows a tuning's summary, and takes the place of its static form on a page.

    What is displayed, and saved, is the static form inside an element with the attribute ``data-mrkernel-tuner``
    that has ``place`` as its value. A page that runs widgets puts sliders there; every other page shows what is there.

    Parameters
    ----------
    state
        ``mrkernel.tuning.summary`` of the tuning.
    apply, measure
        Called with the point that is shown, as positions on the four axes of the state, when their buttons are
        pressed, in any thread of the kernel. They answer through :meth:`answer`.
    stop
        Called for each press of Cancel, which is there while a measurement runs.
    """

    _esm = module("common.js", "tunercharts.js", "tuner.js")
    _css = style("tuner.css")
    state = traitlets.Dict().tag(sync=True)
    reply = traitlets.Dict().tag(sync=True)
    place = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        state: dict[str, Any],
        *,
        apply: Callable[[Point], None],
        measure: Callable[[Point], None],
        stop: Callable[[], None],
    ) -> None:
        self._commands = {"apply": apply, "measure": measure}
        self._stop = stop
        super().__init__(state=state, place=uuid.uuid4().hex)
        self.on_msg(self._receive)

    def answer(self, text: str, *, runs: Sequence[dict[str, Any]] = (), is_busy: bool = False) -> None:
        """Say what became of a press; ``runs`` are added to those that are shown."""
        known = self.reply.get("runs", [])
        self.reply = {"text": text, "runs": [*known, *runs], "busy": is_busy}

    def _receive(self, _: Any, content: Any, buffers: Any) -> None:
        said: dict[str, Any] = content if isinstance(content, dict) else {}
        if said.get("cmd") == "stop":
            self._stop()
        command, at = self._commands.get(str(said.get("cmd"))), self._point(said.get("at"))
        if command is not None and at is not None:
            command(at)

    def _point(self, at: Any) -> Point | None:
        """The point of the state that a message names; nothing else of a page is believed."""
        axes = [len(self.state[name]) for name in ("chunkSizes", "workers", "reducers", "combine")]
        if not isinstance(at, list) or len(at) != len(axes):
            return None
        if not all(type(n) is int and 0 <= n < length for n, length in zip(at, axes, strict=True)):
            return None
        return (at[0], at[1], at[2], at[3])
