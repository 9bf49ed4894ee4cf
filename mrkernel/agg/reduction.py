"""How a job's values are reduced: one aggregate or several by name, over plain values or the fields of dicts.

Rows travel as one of three tables. *Raw*: ``key, value``. *State*: ``key`` and Arrow columns named
``target:column``. *Accumulators*: ``key`` and pickled Python accumulators, for whatever the columns cannot hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from mrkernel.agg.base import Aggregate, State
from mrkernel.batches import (
    Column,
    as_arrow,
    concat_columns,
    decode_column,
    encode_column,
    kind_of,
    make_table,
    object_column,
    struct_child,
    value_columns,
)
from mrkernel.errors import ValueTypeError
from mrkernel.grouping import Groups, group

__all__ = ["ACCUMULATOR", "Reduction"]

ACCUMULATOR = "mrkernel:accumulator"
_KEY, _VALUE = "key", "value"


@dataclass(frozen=True)
class Reduction:
    """One aggregate (``is_named`` false, its name empty) or several by name."""

    aggregates: tuple[tuple[str, Aggregate], ...]
    is_named: bool

    @property
    def is_algebraic(self) -> bool:
        """True if map tasks can combine values into states."""
        return all(aggregate.is_algebraic for _, aggregate in self.aggregates)

    @property
    def is_own(self) -> bool:
        """True if no code of the user's runs in it, where values are plain."""
        return all(
            type(one).__module__.startswith("mrkernel.agg.")
            and not any(callable(given) for given in vars(one).values())
            for _, one in self.aggregates
        )

    @property
    def label(self) -> str:
        """What messages and plans call it."""
        return ", ".join(f"{name}={one.label}" if name else one.label for name, one in self.aggregates)

    def combine(self, tables: Sequence[pa.Table], *, ordered: bool = False) -> pa.Table:
        """One table of fewer rows that stands for the given ones, which hold rows of any form in input order.

        Its rows are in key order where ``ordered`` asks for it.
        """
        if not self.is_algebraic:
            return self._kept(tables)
        if all(_is_raw(table) for table in tables):
            key, value = _joined(tables, 0), _joined(tables, 1)
            return self._from_values(group(key, ordered=ordered), value) or self._accumulated(tables)
        states = self._aligned(tables)
        if states is not None:
            groups = group(_joined(states, 0), ordered=ordered)
            merged = self._merged(groups, pa.concat_tables([table.drop_columns([_KEY]) for table in states]))
            if merged is not None:
                return merged
        return self._accumulated(tables)

    def empty(self) -> pa.Table:
        """The result of no rows: its columns, with the types that are known without values."""
        # pyarrow imports pandas to make an array of a list, and with it the first job would end half a second later.
        columns: list[Column] = [(pa.nulls(0), pa.field(_KEY, pa.null()))]
        for name, aggregate in self.aggregates:
            kind = aggregate.result_type
            columns.append((pa.nulls(0, kind), pa.field(name or _VALUE, kind)))
        return make_table(columns)

    def check(self, value: Any) -> None:
        """Raise ValueTypeError if a value cannot be aggregated."""
        self._add(None, value)

    def finish(self, tables: Sequence[pa.Table]) -> pa.Table:
        """The result: ``key`` and ``value``, or the columns that names or dict fields give; sorted by key."""
        if not tables:
            return self.empty()
        if not self.is_algebraic:
            return self._reduced(tables)
        table = self.combine(tables, ordered=True)
        key = (_one(table.column(0)), table.schema.field(0))
        if table.schema.names[1:] == [ACCUMULATOR]:
            return _with_values(key, encode_column(self._results(table), _VALUE))
        columns = [(aggregate.finish(state), target) for target, aggregate, state in self._states(table)]
        named = [(array, field.with_name(target or _VALUE)) for (array, field), target in columns]
        return make_table([key, *named])

    # -- columns -----------------------------------------------------------------------------------------------

    def _targets(self, value: Column) -> list[tuple[str, Aggregate, Column]] | None:
        """What is aggregated: (name in the result, aggregate, column); None where the Python path must look."""
        array, field = value
        if kind_of(field) == "object":
            return None
        if kind_of(field) != "dict":
            return [(name, aggregate, value) for name, aggregate in self.aggregates]
        fields = {child.name: (struct_child(array, n), child) for n, child in enumerate(field.type)}
        if self.is_named:
            return [(name, one, _field(fields, name) if one.is_by_field else value) for name, one in self.aggregates]
        aggregate = self.aggregates[0][1]
        return (
            [(name, aggregate, column) for name, column in fields.items()]
            if aggregate.is_by_field
            else [("", aggregate, value)]
        )

    def _from_values(self, groups: Groups, value: Column) -> pa.Table | None:
        targets = self._targets(value)
        if not targets:
            return None
        states = []
        for target, aggregate, column in targets:
            state = aggregate.from_values(column, groups.codes, groups.n_groups)
            if not state:
                return None
            states.append((target, state))
        return _state_table(groups, states)

    def _merged(self, groups: Groups, table: pa.Table) -> pa.Table | None:
        states = []
        for target, aggregate, state in self._states(table):
            merged = aggregate.merge(state, groups.codes, groups.n_groups)
            if not merged:
                return None
            states.append((target, merged))
        return _state_table(groups, states)

    def _states(self, table: pa.Table) -> list[tuple[str, Aggregate, State]]:
        targets: dict[str, State] = {}
        for name in table.schema.names:
            if name != _KEY:
                target, _, column = name.rpartition(":")
                targets.setdefault(target, {})[column] = _one(table.column(name))
        return [(target, self._aggregate(target), state) for target, state in targets.items()]

    def _aggregate(self, target: str) -> Aggregate:
        return dict(self.aggregates)[target] if self.is_named else self.aggregates[0][1]

    def _aligned(self, tables: Sequence[pa.Table]) -> list[pa.Table] | None:
        """The tables with the same state columns, or None where they cannot be given them."""
        if any(table.schema.names[1:] == [ACCUMULATOR] for table in tables):
            return None
        states = [self._as_states(table) if _is_raw(table) else table for table in tables]
        if any(table.schema.names[1:] == [ACCUMULATOR] for table in states):
            return None
        types: dict[str, pa.DataType] = {}
        for table in states:
            for field in list(table.schema)[1:]:
                known = types.setdefault(field.name, field.type)
                if pa.types.is_null(known):
                    types[field.name] = field.type
                elif known != field.type and not pa.types.is_null(field.type):
                    return None
        aligned = [self._filled(table, types) for table in states]
        return None if any(table is None for table in aligned) else aligned

    def _as_states(self, table: pa.Table) -> pa.Table:
        if pa.types.is_integer(table.schema.field(1).type):
            # The state of an integer is small: grouping such rows before the others would only be done twice.
            key, value = ((_one(table.column(n)), table.schema.field(n)) for n in range(2))
            rows = Groups(np.arange(table.num_rows), key)
            return self._from_values(rows, value) or self.combine([table])
        return self.combine([table])

    def _filled(self, table: pa.Table, types: dict[str, pa.DataType]) -> pa.Table | None:
        columns = [table.column(0)]
        for name, kind in types.items():
            if name in table.schema.names:
                columns.append(table.column(name).cast(kind))
                continue
            target, _, column = name.rpartition(":")
            filler = self._aggregate(target).fill(column, table.num_rows)
            has_target = any(other.rpartition(":")[0] == target for other in table.schema.names[1:])
            if filler is None or not has_target:
                return None
            columns.append(filler)
        fields = [table.schema.field(0), *(pa.field(name, kind) for name, kind in types.items())]
        return pa.Table.from_arrays(columns, schema=pa.schema(fields))

    # -- Python accumulators -----------------------------------------------------------------------------------

    def _accumulated(self, tables: Sequence[pa.Table]) -> pa.Table:
        groups = group(_joined(tables, 0))
        found: list[Any] = [None] * groups.n_groups
        codes = iter(groups.codes.tolist())
        code = 0
        try:
            for table in tables:
                if _is_raw(table):
                    for value in decode_column(table.column(1), table.schema.field(1)):
                        code = next(codes)
                        found[code] = self._add(found[code], value)
                else:
                    for accumulator in self._loaded(table):
                        code = next(codes)
                        found[code] = self._join(found[code], accumulator)
        except ValueTypeError as error:
            raise _of_key(error, groups.keys, code) from None
        array, field = object_column(found, ACCUMULATOR)
        return make_table([groups.keys, (array, field)])

    def _loaded(self, table: pa.Table) -> list[Any]:
        if table.schema.names[1:] == [ACCUMULATOR]:
            return decode_column(table.column(1), table.schema.field(1))
        loaded: list[dict[str, Any]] = [{} for _ in range(table.num_rows)]
        for target, aggregate, state in self._states(table):
            columns = [decode_column(column, pa.field("", column.type)) for column in state.values()]
            rows = zip(*columns, strict=True)
            for one, row in zip(loaded, rows, strict=True):
                one[target] = aggregate.load(dict(zip(state, row, strict=True)))
        return loaded

    # An accumulator is a dict from the result's column ("" for the value itself) to the aggregate's own one.

    def _parts(self, value: Any) -> list[tuple[str, Aggregate, Any]]:
        by_field = isinstance(value, dict)
        if self.is_named:
            return [(name, one, _field(value, name) if by_field and one.is_by_field else value)
                    for name, one in self.aggregates]  # fmt: skip
        aggregate = self.aggregates[0][1]
        if by_field and aggregate.is_by_field:
            return [(name, aggregate, item) for name, item in value.items()]
        return [("", aggregate, value)]

    def _add(self, accumulator: dict[str, Any] | None, value: Any) -> dict[str, Any]:
        accumulator = {} if accumulator is None else accumulator
        for name, aggregate, item in self._parts(value):
            known = accumulator[name] if name in accumulator else aggregate.start()
            accumulator[name] = aggregate.add(known, item)
        return accumulator

    def _join(self, left: dict[str, Any] | None, right: dict[str, Any]) -> dict[str, Any]:
        if left is None:
            return right
        for name, accumulator in right.items():
            left[name] = self._aggregate(name).join(left[name], accumulator) if name in left else accumulator
        return left

    def _results(self, table: pa.Table) -> list[Any]:
        results: list[Any] = []
        for accumulator in decode_column(table.column(1), table.schema.field(1)):
            try:
                results.append(self._result(accumulator))
            except ValueTypeError as error:
                raise _of_key(error, (table.column(0), table.schema.field(0)), len(results)) from None
        return results

    def _result(self, accumulator: dict[str, Any]) -> Any:
        if self._mixes_fields(accumulator) and not self._aggregate("").is_empty(accumulator.pop("")):
            raise self._mixed(accumulator)
        results = {name: self._aggregate(name).result(one) for name, one in accumulator.items()}
        return results[""] if list(results) == [""] else results

    def _mixes_fields(self, parts: dict[str, Any]) -> bool:
        """Whether a key has dicts and other values, which is fine where those are all None: no values at all."""
        return not self.is_named and len(parts) > 1 and "" in parts

    def _mixed(self, fields: Iterable[str]) -> ValueTypeError:
        return ValueTypeError(
            f"{self.label} found dicts (with {', '.join(map(repr, islice(fields, 5)))}) and values that are no dicts",
            hint="yield dicts for all records of a key, or for none",
        )

    # -- all values of a key -----------------------------------------------------------------------------------

    def _kept(self, tables: Sequence[pa.Table]) -> pa.Table:
        key, value = _joined(tables, 0), _joined(tables, 1)
        table = make_table([key, value])
        if self.is_named:
            return table
        groups = group(key)
        rows = self.aggregates[0][1].keep(value, groups.codes, groups.n_groups)
        if rows is None:
            return table
        # A dropped row may hold the widest of equal keys, so the rows that stay take the key that is shown.
        shown = groups.keys[0].take(pa.array(groups.codes[rows]))
        return make_table([(shown, groups.keys[1]), (value[0].take(pa.array(rows)), value[1])])

    def _reduced(self, tables: Sequence[pa.Table]) -> pa.Table:
        key, value = _joined(tables, 0), _joined(tables, 1)
        groups = group(key)
        starts = groups.starts()
        ordered = (value[0].take(as_arrow(groups.order())), value[1])
        gathered = None if self.is_named else self.aggregates[0][1].gather(ordered, starts)
        if gathered is not None:
            return _with_values(groups.keys, (gathered[0], gathered[1].with_name(_VALUE)))
        values = decode_column(*ordered)
        results: list[Any] = []
        for start, stop in pairwise(starts.tolist()):
            try:
                results.append(self._reduce(values[start:stop]))
            except ValueTypeError as error:
                raise _of_key(error, groups.keys, len(results)) from None
        return _with_values(groups.keys, encode_column(results, _VALUE))

    def _reduce(self, values: list[Any]) -> Any:
        if not any(isinstance(value, dict) for value in values):
            results = {name: aggregate.reduce(values) for name, aggregate in self.aggregates}
            return results if self.is_named else results[""]
        columns: dict[str, tuple[Aggregate, list[Any]]] = {}
        for value in values:
            for name, aggregate, item in self._parts(value):
                columns.setdefault(name, (aggregate, []))[1].append(item)
        if self._mixes_fields(columns) and any(item is not None for item in columns.pop("")[1]):
            raise self._mixed(columns)
        results = {name: aggregate.reduce(items) for name, (aggregate, items) in columns.items()}
        return results[""] if list(results) == [""] else results


def _of_key(error: ValueTypeError, keys: Column, row: int) -> ValueTypeError:
    (key,) = decode_column(keys[0].slice(row, 1), keys[1])
    return ValueTypeError(f"key {key!r:.60}: {error.message}", hint=error.hint)


def _field(fields: dict[str, Any], name: str) -> Any:
    if name not in fields:
        raise ValueTypeError(
            f"the reducer aggregates the field {name!r}, the values have {', '.join(map(str, fields))}",
            hint="name the reducer's entries after the fields of the dicts",
        )
    return fields[name]


def _is_raw(table: pa.Table) -> bool:
    return list(table.schema.names) == [_KEY, _VALUE]


def _one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column


def _joined(tables: Sequence[pa.Table], index: int) -> Column:
    columns = [(piece, table.schema.field(index)) for table in tables for piece in table.column(index).chunks]
    if not columns:
        return pa.array([], tables[0].schema.field(index).type), tables[0].schema.field(index)
    return concat_columns(columns, tables[0].schema.field(index).name)


def _state_table(groups: Groups, states: list[tuple[str, State]]) -> pa.Table:
    columns = [groups.keys]
    for target, state in states:
        columns += [(array, pa.field(f"{target}:{name}", array.type)) for name, array in state.items()]
    return make_table(columns)


def _with_values(key: Column, value: Column) -> pa.Table:
    return make_table([key, *value_columns(value)])
