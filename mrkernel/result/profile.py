"""What a run's time went to: reading, the user's functions, and what the engine does around them."""

from __future__ import annotations

import linecache
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mrkernel.progress import Costs, LineCost
from mrkernel.render import profile_html, profile_text

__all__ = ["Profile"]

_SHOWN_LINES = 10
_ROUNDING_S = 1e-9
_SCHEMA = pa.schema({
    "part": pa.string(), "seconds": pa.float64(), "share": pa.float64(), "file": pa.string(), "line": pa.int64(),
    "function": pa.string(), "text": pa.string(),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """What the workers' time went to in a job with ``profile=True``, and nothing in others.

    Attributes
    ----------
    costs
        Seconds of each part, and of lines of the user's own functions.
    named
        What to call a file; a notebook calls those of its cells ``Cell In[3]``.
    """

    costs: Costs | None
    named: Callable[[str], str] = os.path.basename

    def table(self) -> pa.Table:
        """One row for each part, and for the user's code one for each line; no second is in two rows."""
        costs = self.costs
        if costs is None or not costs.seconds:
            return _SCHEMA.empty_table()
        rows: list[tuple[Any, ...]] = [
            (part, seconds, None, None, None, None) for part, seconds in costs.parts.items() if part != "user code"
        ]
        rows += [("user code", line.seconds, line.filename, line.lineno, line.function, _text(line))
                 for line in costs.lines]  # fmt: skip
        unknown = costs.parts["user code"] - sum(line.seconds for line in costs.lines)
        if unknown > _ROUNDING_S:
            rows.append(("user code", unknown, None, None, None, None))
        rows = [(part, seconds, seconds / costs.seconds, *place) for part, seconds, *place in rows]
        return pa.table([list(column) for column in zip(*rows, strict=True)], schema=_SCHEMA)

    def __bool__(self) -> bool:
        return self.costs is not None

    def __repr__(self) -> str:
        return profile_text(*self._rows()) if self else "no profile: the job ran without profile=True"

    def _repr_html_(self) -> str:
        return profile_html(*self._rows()) if self else f"<p>{self!r}</p>"

    def _rows(self) -> tuple[list[tuple[str, str, str]], list[tuple[str, str, str, str]]]:
        """Parts and lines in words; lines beyond the tenth, and those of less than a hundredth, are left out."""
        assert self.costs is not None
        whole = self.costs.seconds or 1.0
        parts = [(part, f"{seconds:.2f}", f"{seconds / whole:.0%}") for part, seconds in self.costs.parts.items()]
        heavy = [line for line in self.costs.lines[:_SHOWN_LINES] if line.seconds >= whole / 100]
        lines = [
            (f"{self.named(line.filename)}:{line.lineno} in {line.function}", f"{line.seconds:.2f}",
             f"{line.seconds / whole:.0%}", _text(line)) for line in heavy
        ]  # fmt: skip
        return [*parts, ("in all", f"{whole:.2f}", "100%")], lines


def _text(line: LineCost) -> str:
    """The line itself, as this process knows it: it has the cells, and the files that its functions came from."""
    return linecache.getline(line.filename, line.lineno).strip()
