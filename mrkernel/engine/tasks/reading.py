"""What map tasks share: reading block by block, what was read so far, and where the record at hand is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mrkernel.engine.phases import phase
from mrkernel.engine.tasks.attempt import AttemptCancelled, MapCall, Progress, Runtime
from mrkernel.engine.tasks.calling import not_a_pair
from mrkernel.engine.tasks.collecting import RunCollector
from mrkernel.engine.tasks.parts import PartCollector
from mrkernel.engine.tasks.weighing import sampled_bytes
from mrkernel.grouping import check_keys
from mrkernel.io import RecordBlock, Source, Split
from mrkernel.job import Job
from mrkernel.taskcontext import TaskContext

__all__ = ["MapAttempt", "Meter", "Place", "blocks_of", "collect", "reading", "split_pairs"]

# Pairs are checked and handed on in pieces that stay in the cache.
_PIECE, _PIECE_BYTES = 1 << 9, 16 << 20


class Meter:
    """Counts what was mapped, reports it now and then if it ``tells``, and leaves when the attempt is cancelled."""

    def __init__(self, runtime: Runtime, *, tells: bool = True) -> None:
        self._runtime, self._tells = runtime, tells
        self.records = self.n_bytes = 0

    def count(self, records: int, n_bytes: int) -> None:
        """So much more was read and mapped."""
        self.records += records
        self.n_bytes += n_bytes
        self._tell(0, 0)

    def within(self, block: RecordBlock, records: int) -> None:
        """So many records of a block were mapped, which is counted when all of it is."""
        self._tell(records, block.n_bytes * records // len(block.records))

    def _tell(self, records: int, n_bytes: int) -> None:
        if self._runtime.is_cancelled():
            raise AttemptCancelled
        if self._tells:
            self._runtime.tell(self.records + records, self.n_bytes + n_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class MapAttempt:
    """What every way of mapping a split needs.

    Attributes
    ----------
    call, step
        What to do, as the driver and the user say.
    function
        The mapper, between its setup and teardown.
    collector, meter
        What takes the pairs, and what counts records.
    task, at
        Where the attempt is, for the user's functions and for messages.
    """

    call: MapCall
    step: Job
    function: Any
    collector: RunCollector | PartCollector
    meter: Meter
    task: TaskContext
    at: Progress


def blocks_of(source: Source, split: Split, step: Job) -> Iterator[RecordBlock]:
    """The records of a split, as (key, value) pairs for a mapper that takes those."""
    return source.read_pairs(split) if step.takes_pairs and source.is_keyed else source.read_records(split)


def reading(items: Iterator[Any], at: Progress) -> Iterator[Any]:
    """The items, with the reader named as the one at work while it is."""
    while True:
        at.function = "reader"
        with phase("read"):
            item = next(items, None)
        if item is None:
            return
        yield item


class Place:
    """The record that the mapper is at, worked out from how much of the block is left: free until it is asked."""

    def __init__(self, source: Source, split: Split, block: RecordBlock, records: Any) -> None:
        self._source, self._split, self._block, self._records = source, split, block, records
        self.found: int | None = None

    def index(self) -> int:
        """The record's number in the block, from 0."""
        if self.found is not None:
            return self.found
        return max(0, len(self._block.records) - int(self._records.__length_hint__()) - 1)

    def record(self) -> Any:
        """The record itself."""
        return self._block.records[self.index()] if self._block.records else None

    def source(self) -> str:
        """The file it is from."""
        return self._source.source_of(self._split, self._block)

    def origin(self) -> Any:
        """Where in its file it is."""
        return self._source.locate(self._split, self._block, self.index())


def collect(pairs: Iterator[Any], collector: RunCollector | PartCollector) -> None:
    """Hand pairs to the collector, in the quickest way that they allow."""
    while piece := list(islice(pairs, collector.n_at_once)):
        if set(map(type, piece)) != {tuple}:
            # A named tuple or a list of two is a pair as well; a string of two characters is not.
            for pair in piece:
                if not isinstance(pair, (tuple, list)):
                    raise not_a_pair("mapper", pair)
        try:
            if collector.count(piece):
                collector.n_at_once = _PIECE
                collector.stream(pairs)
                continue
        except (IndexError, TypeError, ValueError):
            split_pairs(piece)
            raise
        keys, values = split_pairs(piece)
        collector.n_at_once = max(1, min(_PIECE, _PIECE_BYTES * len(piece) // max(1, sampled_bytes(values))))
        collector.add(keys, values)


def split_pairs(pairs: list[Any]) -> tuple[list[Any], list[Any]]:
    """Keys and values of pairs, or the error for what is no pair with a key that can be hashed."""
    try:
        keys = [key for key, _ in pairs]
    except ValueError:
        raise not_a_pair("mapper", next(pair for pair in pairs if len(pair) != 2)) from None
    check_keys(keys)
    return keys, [value for _, value in pairs]
