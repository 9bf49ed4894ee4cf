"""``%config MapReduce.chunk_size = "16 MiB"``: settings for this session."""

from __future__ import annotations

from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Bunch, observe
from traitlets.config import Configurable

from mrkernel.config import session_values, use_session
from mrkernel.errors import OptionError

__all__ = ["MapReduce"]


def _setting(text: str) -> Any:
    return AnyTrait(None, allow_none=True, help=text).tag(config=True)


class MapReduce(Configurable):
    """Settings of mrkernel for this session; None takes a value back. A cell's own options beat them."""

    chunk_size = _setting('Target bytes of a map task: a number or "16 MiB".')
    reducers = _setting("Number of result partitions, or auto.")
    workers = _setting("Worker processes of the embedded cluster.")
    combine = _setting("Whether to combine pairs inside map tasks: on, off, or None to decide while running.")
    attempts = _setting("How often a task may be tried.")
    limit = _setting("Rows of a result to show.")
    scratch = _setting("Folder for shuffle files and results.")
    prestart = _setting("Whether loading the extension starts the embedded cluster.")
    idle_timeout = _setting('Time after which an embedded cluster without clients leaves: seconds or "5 min".')
    memory_limit = _setting('Bytes for each worker process: a number or "2 GiB".')
    plot = _setting("Whether a result is followed by a plot.")
    plot_format = _setting("What plots are shown as: png or svg.")
    progress = _setting("Whether a job that a cell waits for shows how far it is, and its summary.")

    on_error = _setting("What a record that fails does: raise, skip or collect.")
    error_limit = _setting('How many records may be set aside: a number, a share such as "1%", or "none".')
    profile = _setting("Whether a job is followed by a table of what its time went to.")

    _NAMES = ("chunk_size", "reducers", "workers", "combine", "attempts", "limit", "scratch", "prestart",
              "idle_timeout", "memory_limit", "plot", "plot_format", "progress", "on_error", "error_limit",
              "profile")  # fmt: skip

    @observe(*_NAMES)
    def _apply(self, change: Bunch) -> None:
        try:
            use_session(**{change["name"]: change["new"]})
        except OptionError:
            self.set_trait(change["name"], change["old"])
            raise

    def take_over(self, *_: Any) -> None:
        """Know of values that were set elsewhere, such as by a tuning's Apply."""
        values = session_values()
        for name in self._NAMES:
            if getattr(self, name) != values.get(name):
                setattr(self, name, values.get(name))

    def reset(self) -> None:
        """Take every value back."""
        for name in self._NAMES:
            setattr(self, name, None)
