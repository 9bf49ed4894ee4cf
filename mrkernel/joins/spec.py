"""What a user asks of a join, checked as far as it can be before any column is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from mrkernel.errors import OptionError

__all__ = ["HOWS", "Join"]

HOWS = ("inner", "left", "right", "outer", "semi", "anti")


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """How two sources are joined.

    Attributes
    ----------
    left_on, right_on
        The key columns of each side, as many of each.
    how
        One of :data:`HOWS`.
    suffixes
        What is added to the names of other columns that both sides have.
    columns
        Names of the result's columns that are wanted, in this order; None is all.
    broadcast
        True where one side must be sent whole to each worker, False where it must not, None where that is decided.
    worker_bytes
        Memory of one worker, of which a side that is sent whole may take a share.
    """

    left_on: tuple[str, ...]
    right_on: tuple[str, ...]
    how: str = "inner"
    suffixes: tuple[str, str] = ("_x", "_y")
    columns: tuple[str, ...] | None = None
    broadcast: bool | None = None
    worker_bytes: int = 1 << 30

    @classmethod
    def of(cls, *, on: Any = None, left_on: Any = None, right_on: Any = None, how: Any = "inner",
           suffixes: Any = ("_x", "_y"), columns: Any = None, broadcast: Any = None) -> Join:  # fmt: skip
        """The join that these arguments of ``mr.join`` stand for.

        Raises
        ------
        OptionError
            For what cannot be used.

        Examples
        --------
        >>> Join.of(on="id", how="left").left_on
        ('id',)
        """
        if on is not None and (left_on is not None or right_on is not None):
            raise OptionError("the key is named twice: on excludes left_on and right_on",
                              hint="on is for columns that both sides call alike")  # fmt: skip
        if on is None and (left_on is None or right_on is None):
            raise OptionError("the join names no key columns" if left_on is right_on is None
                              else "left_on and right_on go together",
                              hint="say which column both sides have, or what each calls it")  # fmt: skip
        left, right = _names(on if on is not None else left_on), _names(on if on is not None else right_on)
        if len(left) != len(right):
            raise OptionError(f"left_on names {len(left)} columns, right_on {len(right)}",
                              hint="each key column of one side needs its like on the other")  # fmt: skip
        if broadcast is not None and not isinstance(broadcast, bool):
            raise OptionError(f"broadcast = {broadcast!r} cannot be used",
                              hint="it is True, False, or None to decide by size")  # fmt: skip
        how = _how(how)
        if how == "outer" and broadcast:
            raise OptionError("an outer join cannot be broadcast: no worker that sees a part of one side knows which "
                              "rows of the other match nowhere", hint="leave broadcast out")  # fmt: skip
        return cls(left_on=left, right_on=right, how=how, suffixes=_suffixes(suffixes),
                   columns=None if columns is None else _names(columns, "columns"), broadcast=broadcast)  # fmt: skip

    @property
    def keeps_right_columns(self) -> bool:
        """Whether the right side gives columns, and not only says which rows of the left side stay."""
        return self.how not in {"semi", "anti"}


def _names(value: Any, kind: str = "key columns") -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Sequence) else ()
    if not names or not all(isinstance(name, str) for name in names):
        raise OptionError(f"{value!r} names no {kind}", hint='write "column", or ["first", "second"]')
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise OptionError(f"the {kind.removesuffix('s')} {twice!r} is named twice", hint="name it once")
    return names


def _how(value: Any) -> str:
    if value not in HOWS:
        close = get_close_matches(value, HOWS, n=1) if isinstance(value, str) else []
        hint = f"did you mean {close[0]!r}?" if close else f"it is one of {', '.join(HOWS)}"
        raise OptionError(f"how = {value!r} is no kind of join", hint=hint)
    return str(value)


def _suffixes(value: Any) -> tuple[str, str]:
    if (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(isinstance(one, (str, type(None))) for one in value)
    ):
        return value[0] or "", value[1] or ""
    raise OptionError(f"suffixes = {value!r} cannot be used", hint="give two texts, such as _left and _right")
