"""Follows records through a job's own functions, by the engine's own ways: nothing is imitated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import Any

import pyarrow as pa

from mrkernel.errors import MrkernelError
from mrkernel.grouping import encode_keys, group
from mrkernel.io import Source, as_source
from mrkernel.job import Job
from mrkernel.partition import partition_ids
from mrkernel.session import run

__all__ = ["MOST_PAIRS", "Group", "Pair", "Path", "Record", "follow"]

# What a page can show, and what is worth running the reducer for.
MOST_PAIRS = 200
_SPLIT_BYTES = 1 << 20


@dataclass(frozen=True)
class Record:
    """A record, where it is from, and what its mapper raised ("" if nothing)."""

    value: Any
    origin: str
    error: str = ""


@dataclass(frozen=True)
class Pair:
    """A pair that a mapper gave: ``record`` is the place of its record, None for a batch mapper's."""

    record: int | None
    key: Any
    value: Any
    partition: int


@dataclass(frozen=True)
class Group:
    """The pairs (by place) of one key, and what the reducer made of them: (key, value) rows, or its error."""

    partition: int
    key: Any
    pairs: tuple[int, ...]
    results: tuple[tuple[Any, Any], ...]
    error: str = ""


@dataclass(frozen=True)
class Path:
    """All of it: pairs in the order in which mappers gave them, groups by partition and key."""

    job: Job
    partitions: int
    records: tuple[Record, ...]
    pairs: tuple[Pair, ...]
    groups: tuple[Group, ...]


def follow(job: Job, source: Any, *, records: int, partitions: int) -> Path:
    """Follow the first ``records`` records through the first step of ``job``."""
    first = replace(job.steps[0], previous=None)
    taken = list(islice(_records(first, as_source(source)), records))
    mapping = replace(first, reducer=None, combiner=None, partitioner=None, sort=None, sort_values=False)
    if first.batch_kind:
        shown = tuple(Record(value, origin) for value, origin in taken)
        mapped: list[tuple[int | None, Any, Any]] = [
            (None, key, _alone(value)) for key, value in _rows(mapping, _table(taken))
        ]
    else:
        shown, mapped = _mapped(mapping, taken)
    ids = _placed(first, [key for _, key, _ in mapped], partitions)
    pairs = tuple(Pair(*pair, number) for pair, number in zip(mapped, ids, strict=True))
    return Path(first, partitions, shown, pairs, tuple(_groups(first, pairs)))


def _records(job: Job, source: Source) -> Iterator[tuple[Any, str]]:
    for split in source.splits(_SPLIT_BYTES):
        blocks = source.read_pairs(split) if job.takes_pairs and source.is_keyed else source.read_records(split)
        for block in blocks:
            for index, record in enumerate(block.records):
                origin = source.locate(split, block, index)
                yield record, f"{origin.source}, {origin.location}"


def _table(taken: list[tuple[Any, str]]) -> pa.Table:
    rows = [value if isinstance(value, dict) else {"line": value} for value, _ in taken]
    return pa.Table.from_pylist(rows)


def _alone(value: Any) -> Any:
    """The value that a reducer gets of a batch mapper's row: of one column beside the key, what is in it."""
    return next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else value


def _mapped(job: Job, taken: list[tuple[Any, str]]) -> tuple[tuple[Record, ...], list[tuple[int | None, Any, Any]]]:
    shown: list[Record] = []
    mapped: list[tuple[int | None, Any, Any]] = []
    for place, (value, origin) in enumerate(taken):
        error = ""
        try:
            mapped += [(place, key, one) for key, one in _rows(job, [value])]
        except MrkernelError as raised:
            error = _said(raised)
        shown.append(Record(value, origin, error))
    return tuple(shown), mapped


def _rows(job: Job, source: Any) -> list[tuple[Any, Any]]:
    return list(run(job, source, executor="inline", progress=False, on_error="raise"))


def _placed(job: Job, keys: list[Any], partitions: int) -> list[int]:
    if not keys:
        return []
    numbers: list[int] = partition_ids(encode_keys(keys), partitions, job.partitioner).tolist()
    return numbers


def _groups(job: Job, pairs: tuple[Pair, ...]) -> Iterator[Group]:
    """Each partition's keys in their order, reduced one by one; a job without a reducer has no groups."""
    if job.reducer is None or not pairs:
        return
    groups = group(encode_keys([pair.key for pair in pairs]))
    starts, order = groups.starts().tolist(), groups.order().tolist()
    members = [tuple(order[start:stop]) for start, stop in pairwise(starts)]
    reducing = replace(job, mapper=_as_it_is, partitioner=None, sort=None, key=None)
    shown = (places for places in members if places[0] < MOST_PAIRS)
    for places in sorted(shown, key=lambda places: pairs[places[0]].partition):
        given = [(pairs[place].key, pairs[place].value) for place in places]
        results: list[tuple[Any, Any]] = []
        error = ""
        try:
            results = _rows(reducing, given)
        except MrkernelError as raised:
            error = _said(raised)
        yield Group(pairs[places[0]].partition, given[0][0], places, tuple(results), error)


def _said(error: MrkernelError) -> str:
    failure = getattr(error, "failure", None)
    return error.message if failure is None else f"{failure.error_type}: {failure.error_text}"


def _as_it_is(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    return pair
