"""From a join and its two sources to what tasks need to know, and whether a side is to be sent whole."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from mrkernel.config import format_bytes
from mrkernel.errors import OptionError
from mrkernel.io import Source
from mrkernel.io.schemas import outside_schema
from mrkernel.joins.columns import JoinColumns, join_columns
from mrkernel.joins.sides import LEFT, RIGHT, Sides
from mrkernel.joins.spec import Join

__all__ = ["JoinPlan", "plan_join"]

# What a side that is sent whole may take. Places in an index of whole numbers are found at once, however many there are
# (6 M rows joined with 1.5 M, one thread: 1.0 s against 1.5 s by a shuffle); hashes are scattered over more than the
# cache holds (text, with 0.4 M: 1.2 s against 1.4 s, with 0.8 M: 2.1 s against 1.7 s).
_SMALL_BYTES, _SMALL_HASHED_BYTES = 512 << 20, 64 << 20
# The share of a worker's memory that a side may take which is sent whole, and if the user says so; the rest is for
# blocks of the other side.
_SHARE, _MOST_SHARE = 4, 2
# Measured: 4 M rows of 64 MB made a worker grow by 400 MB.
_INDEX_BYTES = 80
# A file's rows take about so many times its size, index included. Where that is wrong nothing is lost but a moment in
# which the other side could have been read as well.
_GROWTH = 4
# A row of one side that matches nowhere is found by whoever sees all of the other side.
_MAY_BE_SENT = {"inner": (RIGHT, LEFT), "left": (RIGHT,), "right": (LEFT,), "outer": (), "semi": (RIGHT,),
                "anti": (RIGHT,)}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinPlan:
    """What every task of a join needs to know.

    Attributes
    ----------
    how
        One of :data:`mrkernel.joins.HOWS`.
    columns
        What is read, compared and given.
    small
        The side that is read first, to be sent whole if it is as small as expected; None if both are shuffled.
    most_bytes
        How much memory of a worker it may take then.
    is_forced
        Whether the user wants it sent whole: it is an error if it is too large.
    reason
        Why, in words.
    """

    how: str
    columns: JoinColumns
    small: str | None
    most_bytes: int
    is_forced: bool
    reason: str

    def bytes_for(self, n_bytes: int, n_rows: int) -> int:
        """About how much memory rows take that are sent whole, with their index."""
        return n_bytes + _INDEX_BYTES * n_rows

    @property
    def large(self) -> str:
        """The other side."""
        return LEFT if self.small == RIGHT else RIGHT

    def schema_of(self, side: str) -> pa.Schema:
        """What is read of one side."""
        return self.columns.left if side == LEFT else self.columns.right

    def key_names(self, side: str) -> list[str]:
        """The key columns of one side."""
        return [key.left if side == LEFT else key.right for key in self.columns.keys]


def plan_join(join: Join, source: Source) -> JoinPlan:
    """Plan a join; of a source that does not know its columns the first rows are read.

    Parameters
    ----------
    source
        Its :class:`~mrkernel.joins.Sides`.

    Raises
    ------
    OptionError, KeyTypeError
        As :func:`mrkernel.joins.join_columns`.
    """
    if not isinstance(source, Sides):
        raise OptionError("a join reads two sources", hint="mr.join hands them over")
    columns = join_columns(join, *(_schema(source.of(side), side) for side in (LEFT, RIGHT)))
    small_bytes = _SMALL_BYTES if [key.form for key in columns.keys] == ["int64"] else _SMALL_HASHED_BYTES
    most = join.worker_bytes // _MOST_SHARE if join.broadcast else min(small_bytes, join.worker_bytes // _SHARE)
    small, reason = _small(join, source, most)
    return JoinPlan(how=join.how, columns=columns, small=small, most_bytes=most, is_forced=bool(join.broadcast),
                    reason=reason)  # fmt: skip


def _small(join: Join, source: Sides, most: int) -> tuple[str | None, str]:
    if join.broadcast is False:
        return None, "both sides shuffled: broadcast is off"
    allowed = _MAY_BE_SENT[join.how]
    if not allowed:
        return None, f"both sides shuffled: an {join.how} join needs all rows of both"
    sizes = {side: source.of(side).size_bytes() for side in allowed}
    known = {side: size for side, size in sizes.items() if size is not None}
    side = min(known, key=lambda one: known[one]) if known else allowed[0]
    if known and known[side] * _GROWTH > most:
        # Of two sides the one whose size is not known may still be small.
        unknown = [one for one in allowed if one not in known]
        if not unknown and not join.broadcast:
            only = "neither side is" if len(allowed) > 1 else f"the {side} side is not"
            return None, f"both sides shuffled: {only} small, with {format_bytes(known[side])}"
        side = unknown[0] if unknown else side
    if join.broadcast:
        return side, f"the {side} side is sent whole to each worker: broadcast is on"
    size = sizes[side]
    told = f"{format_bytes(size)}" if size is not None else "of unknown size"
    return side, f"the {side} side, {told}, is sent whole to each worker if it takes under {format_bytes(most)} there"


def _schema(source: Source, side: str) -> pa.Schema:
    """The columns of one side, of an unknown source those of its first batch."""
    schema = source.schema()
    if schema is None:
        schema = next((batch.schema for split in source.splits(1 << 20) for batch in source.read(split)), None)
    if schema is None:
        raise OptionError(f"the {side} side, {source.name}, has no rows, and so no columns to join on",
                          hint="hand over an empty table with columns")  # fmt: skip
    if not source.has_own_marks:
        schema = outside_schema(schema)
    if len(set(schema.names)) < len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise OptionError(f"the {side} side has two columns {twice!r}", hint="rename one")
    return schema
