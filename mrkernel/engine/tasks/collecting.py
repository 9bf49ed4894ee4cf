"""What a map task does with its pairs: combine them, sort them by partition, write runs; in bounded memory."""

from __future__ import annotations

import itertools
import operator
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from mrkernel.agg import Aggregate
from mrkernel.agg.totals import Count, Sum
from mrkernel.batches import as_arrow, as_numpy, encode_column, encode_plain, make_table
from mrkernel.engine.shuffle import Run, SmallRuns, write_run
from mrkernel.engine.tasks.calling import encode_pairs, pair_table
from mrkernel.engine.tasks.combining import combiner_of, n_different, raw_table, same_form, whole
from mrkernel.engine.tasks.failures import raised_in
from mrkernel.engine.tasks.key_sketch import KeySketch
from mrkernel.engine.tasks.tallying import KeyTally
from mrkernel.engine.tasks.weighing import FIRST_PAIRS, sampled_bytes
from mrkernel.errors import ValueTypeError
from mrkernel.grouping import check_keys, encode_keys, key_order
from mrkernel.job import Job
from mrkernel.partition import partition_ids

__all__ = ["RunCollector"]

# Pairs are turned into Arrow in blocks of this size: 185 ns a pair for word counts against 250 in one large dict,
# whose look-ups miss the cache (benchmark wordcount, 520 k distinct words).
_PAIRS = 1 << 16
_DICT_KEYS = 1 << 16
# A run is written when the task holds this much.
_RUN_BYTES = 64 << 20
# Above this share of distinct keys, combining costs more than the rows it saves (20 M pairs, 10 M keys: 2 x).
_USELESS = 0.5
_ROUND = 1 << 14
_LARGE_ROWS = 1 << 15
# Small integers are one object in CPython, so identity is the quickest test there is.
_ONE = 1
_SAMPLE = 256
_INTS = {int, bool}


class RunCollector:
    """Pairs on their way to reduce tasks."""

    def __init__(
        self,
        step: Job,
        *,
        task: int,
        worker: str,
        folder: str,
        small: SmallRuns,
        n_partitions: int,
        combine: bool | None,
        is_tolerant: bool = False,
    ) -> None:
        self._step = step
        self._write_run = partial(write_run, task=task, worker=worker, folder=folder, small=small)
        self._n_partitions = n_partitions
        self._reduction = step.reduction
        self._combiner = combiner_of(step) if combine is not False else None
        self._is_forced, self._is_useful = combine is True, False
        self._is_tolerant = is_tolerant
        self._keys: list[Any] = []
        self._values: list[Any] = []
        self._held, self.n_at_once = 0, FIRST_PAIRS
        self._counts: Counter[Any] = Counter()
        self._are_ones = False
        self._counts_kind: type = object
        self._counted = 0
        self._tables: list[pa.Table] = []
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self._bytes = 0
        self.runs: list[Run] = []
        self.n_pairs = 0
        self.notes: list[str] = []
        single = self._reduction.aggregates[0][1] if self._reduction and not self._reduction.is_named else None
        is_default = self._combiner is not None and step.combiner is None
        self._counter: Aggregate | None = single if is_default and type(single) in (Count, Sum) else None
        self.sketch = KeySketch()
        # Whether the dict's sums are how often its keys came.
        self._counts_pairs = True
        self._tally = KeyTally(needs_ones=type(self._counter) is Sum)

    def add(self, keys: list[Any], values: list[Any]) -> None:
        """Take some pairs, in order."""
        self.n_pairs += len(keys)
        if self._counts:
            self._flush_counts()
        self._keys += keys
        self._values += values
        self._held += sampled_bytes(values)
        if len(self._keys) >= _PAIRS or self._held > _RUN_BYTES // 4:
            self._flush_pairs()

    def add_table(self, table: pa.Table) -> None:
        """Take a batch mapper's table."""
        if self._counter is not None and self._tally.take(table, self._step.key):
            self.n_pairs += table.num_rows
            sample = self._tally.sample()
            if sample is not None:
                self._judge(*sample)
            if self._tally.is_full or self._counter is None:
                self._flush_tally()
            return
        pairs = pair_table(table, self._step.key)
        self.n_pairs += pairs.num_rows
        self._pending.append(pairs)
        self._pending_rows += pairs.num_rows
        if self._pending_rows >= 4 * _PAIRS:
            self._flush_tables()

    def finish(self) -> list[Run]:
        """Write what is left and return all runs."""
        if self._counts:
            self._flush_counts()
        self._flush_pairs()
        self._flush_tally()
        self._flush_tables()
        # Large tables hold mostly different keys: reduce tasks merge those as cheaply, partition by partition.
        if any(table.num_rows < _LARGE_ROWS for table in self._tables[:-1]):
            self._compact()
        self._write()
        return self.runs

    def count(self, pairs: list[tuple[Any, Any]]) -> bool:
        """Count or sum ints in a dict, the quickest way Python has; False where keys or values need more care.

        What equals text or bytes is text or bytes too, if of a subclass, so a dict may take them for one; int keys are
        looked at one by one.
        """
        if self._counter is None or not self._is_countable(pairs):
            return False
        counts, n_before = self._counts, len(self._counts)
        get = counts.get
        if type(self._counter) is Count:
            for key, _ in pairs:
                counts[key] = get(key, 0) + 1
        else:
            for key, value in pairs:
                counts[key] = get(key, 0) + value
        self._are_ones = type(self._counter) is Count or all(value is _ONE for _, value in pairs)
        if not self._are_ones:
            self._counts_pairs = False
            self.sketch.spot(pairs, self.n_pairs)
        self.n_pairs += len(pairs)
        self._counted += len(pairs)
        odd = self._odd_keys(n_before)
        if odd:
            self._take_back(odd, [pair for pair in pairs if pair[0] in odd])
        if len(counts) >= _DICT_KEYS:
            self._judge(len(counts), self._counted)
            self._flush_counts()
        return True

    def stream(self, pairs: Iterator[Any]) -> None:
        """Count on from where :meth:`count` stopped, as fast as a plain loop, up to a pair that needs more care.

        Building lists of pairs to look at them first costs about a quarter more (benchmark wordcount).
        """
        while self._counts and self._counts_kind in (str, bytes):
            n_pairs, strange = self._ones_round(pairs) if self._are_ones else self._stream_round(pairs)
            self.n_pairs += n_pairs - len(strange)
            self._counted += n_pairs - len(strange)
            if len(self._counts) >= _DICT_KEYS:
                self._judge(len(self._counts), self._counted)
                self._flush_counts()
            if strange:
                check_keys([key for key, _ in strange])
                self.add([key for key, _ in strange], [value for _, value in strange])
            if n_pairs < _ROUND or strange or self._counter is None:
                return

    def _ones_round(self, pairs: Iterator[Any]) -> tuple[int, list[tuple[Any, Any]]]:
        """The same where every value was 1 so far: the keys are counted in C, a seventh quicker than in a loop."""
        counts, n_before = self._counts, len(self._counts)
        others: list[tuple[Any, Any]] = []
        taken = itertools.islice(pairs, _ROUND)
        try:
            if type(self._counter) is Count:
                pairs_taken = list(taken)
                if not all(issubclass(kind, (tuple, list)) for kind in set(map(type, pairs_taken))):
                    raise ValueTypeError("the mapper gave something that is no (key, value) pair")
                keys = [key for key, _ in pairs_taken]
            else:
                keys = [key for key, value in taken if value is _ONE or others.append((key, value))]  # type: ignore[func-returns-value]  # append returns None on purpose: a pair goes to one list or the other
        except (TypeError, ValueError) as error:
            if raised_in(error) == __file__:
                raise ValueTypeError("the mapper gave something that is no (key, value) pair") from None
            raise
        n_pairs = len(keys) + len(others)
        try:
            counts.update(keys)
        except TypeError:
            check_keys(keys)
            raise
        odd = self._odd_keys(n_before)
        if odd:
            for key in odd:
                del counts[key]
            others += [(key, 1) for key in keys if key in odd]
        return n_pairs, others

    def _stream_round(self, pairs: Iterator[Any]) -> tuple[int, list[tuple[Any, Any]]]:
        """How many pairs were taken from the stream, and those of them that were not counted."""
        counts, get, kind = self._counts, self._counts.get, self._counts_kind
        is_count, as_int = type(self._counter) is Count, operator.index
        self._counts_pairs &= is_count
        strange: list[tuple[Any, Any]] = []
        number, key, value = -1, None, None
        try:
            numbered = zip(itertools.count(), itertools.islice(pairs, _ROUND), strict=False)
            for number, (key, value) in numbered:  # noqa: B007  # read after the loop
                known = get(key)
                if known is not None:
                    # NumPy's integers become Python's, which cannot overflow; all else stops before it is added.
                    counts[key] = known + (1 if is_count else as_int(value))
                elif type(key) is kind:
                    # A bool becomes an int.
                    counts[key] = 1 if is_count else as_int(value) + 0
                else:
                    strange.append((key, value))
        except (TypeError, ValueError) as error:
            trace = error.__traceback__
            if trace is None or trace.tb_next is not None or number < 0:
                raise
            if self._fits(key, value):
                raise ValueTypeError("the mapper gave something that is no (key, value) pair") from None
            strange.append((key, value))
        return number + 1, strange

    def _fits(self, key: Any, value: Any) -> bool:
        """Whether a pair could be counted, so that it was not what an error was about."""
        try:
            hash(key), operator.index(value)
        except (TypeError, ValueError):
            return False
        return True

    def _is_countable(self, pairs: list[tuple[Any, Any]]) -> bool:
        if not self._counts:
            if self._keys:
                return False
            self._counts_kind = type(pairs[0][0])
        if self._counts_kind is int and {type(key) for key, _ in pairs} != {int}:
            return False
        if self._counts_kind not in (str, bytes, int):
            return False
        # NumPy's integers would overflow.
        return type(self._counter) is Count or {type(value) for _, value in pairs} <= _INTS

    def _odd_keys(self, n_before: int) -> set[Any]:
        """The new keys of the dict that are of another kind: what is new stands last, so this costs next to nothing.

        Keys that equal one which is there already are not new, whatever their class.
        """
        new = itertools.islice(reversed(self._counts), len(self._counts) - n_before)
        return {key for key in new if type(key) is not self._counts_kind}

    def _take_back(self, odd: set[Any], strange: list[tuple[Any, Any]]) -> None:
        """Undo the counting of new keys of another kind, and take their pairs with more care."""
        for key in odd:
            del self._counts[key]
        self.n_pairs -= len(strange)
        self._counted -= len(strange)
        self.add([key for key, _ in strange], [value for _, value in strange])

    def _judge(self, n_after: int, n_before: int) -> bool:
        """Whether combining goes on, which makes so few rows of so many."""
        if not self._is_forced and n_before >= _PAIRS and n_after > _USELESS * n_before:
            self._combiner = self._counter = None
            share = min(1.0, n_after / n_before)
            self.notes.append(f"combining was switched off: {share:.0%} of {n_before:,} keys were different")
        return self._combiner is not None

    def _flush_tally(self) -> None:
        n_rows = self._tally.n_rows
        if n_rows and self._counter is not None:
            table = self._tally.counts(self._count_column)
            self.sketch.add_counts(table.column(0), as_numpy(table.column(1).chunk(0)), n_rows)
            self._take(table)
        elif n_rows:
            table = self._tally.pairs()
            self.sketch.add_column(table)
            self._take(table)

    def _flush_counts(self) -> None:
        if not self._counts:
            return
        keys, sums = list(self._counts), list(self._counts.values())
        n_counted, counts_pairs, self._counts_pairs = self._counted, self._counts_pairs, True
        self._counts, self._counted = Counter(), 0
        # The keys' class is known, so a look at each of them, scattered in memory as they are, is saved: a tenth.
        key = encode_plain(keys, self._counts_kind, "key")
        array, field = encode_column(sums)
        if pa.types.is_int64(array.type):
            if counts_pairs:
                self.sketch.add_counts(keys, as_numpy(array), n_counted)
            self._take(make_table([key, (array, field.with_name(self._count_column))]))
        else:
            assert self._reduction is not None
            self._take(self._reduction.combine([make_table([key, (array, field.with_name("value"))])]))

    @property
    def _count_column(self) -> str:
        assert self._reduction is not None
        return ":n" if type(self._reduction.aggregates[0][1]) is Count else ":i"

    def _flush_pairs(self) -> None:
        if not self._keys:
            return
        self.sketch.add_keys(self._keys)
        table = encode_pairs(self._keys, self._values, encode_keys)
        self._keys, self._values, self._held = [], [], 0
        self._take(self._combined([table]))

    def _flush_tables(self) -> None:
        if not self._pending:
            return
        tables, self._pending, self._pending_rows = self._pending, [], 0
        for table in same_form(tables):
            self.sketch.add_column(table)
        self._take(self._combined(tables))

    def _combined(self, tables: list[pa.Table]) -> pa.Table:
        if self._combiner is None:
            return tables[0] if len(tables) == 1 else raw_table(tables)
        n_before = sum(table.num_rows for table in tables)
        is_open = n_before >= _PAIRS and not self._is_forced and not self._is_useful
        expected = n_different(tables) if is_open else None
        if expected is not None and not self._judge(expected, n_before):
            return raw_table(tables)
        table = self._tried(self._combiner, tables)
        if table is None:
            return raw_table(tables)
        self._judge(table.num_rows, n_before)
        # To look at each block's keys beforehand is a tenth of combining them.
        self._is_useful = table.num_rows < _USELESS / 4 * n_before
        return table

    def _tried(self, combiner: Callable[[list[pa.Table]], pa.Table], tables: list[pa.Table]) -> pa.Table | None:
        """What the combiner makes of tables; None where it raises and bad records are set aside.

        Which pairs meet in a combiner depends on the splits. What they are as a whole is the reducer's to judge, and
        the answer is the same without a combiner.
        """
        try:
            return combiner(tables)
        except Exception as error:
            if not self._is_tolerant or isinstance(error, MemoryError):
                raise
            note = f"the combiner raised {type(error).__name__}: what it was given went on uncombined"
            if note not in self.notes:
                self.notes.append(note)
            return None

    def _take(self, table: pa.Table) -> None:
        self._tables.append(table)
        self._bytes += table.nbytes
        if self._bytes > _RUN_BYTES:
            self._compact()
            if self._bytes > _RUN_BYTES // 2:
                self._write()

    def _compact(self) -> None:
        if len(self._tables) > 1 and self._combiner is not None:
            table = self._tried(self._combiner, self._tables)
            if table is not None:
                self._tables, self._bytes = [table], table.nbytes

    def _write(self) -> None:
        for table in same_form(self._tables):
            if self._step.sort == "key":
                self.runs.append(self._sorted_run(table))
            else:
                column = (table.column(0), table.schema.field(0))
                ids = partition_ids(whole(column), self._n_partitions, self._step.partitioner)
                self.runs.append(self._write_run(table, ids, self._n_partitions))
        self._tables, self._bytes = [], 0

    def _sorted_run(self, table: pa.Table) -> Run:
        """A run sorted by key, with evenly spaced keys of it from which the driver chooses the ranges."""
        order = key_order(whole((table.column(0), table.schema.field(0))))
        # To gather from many chunks takes three times as long as from one.
        ordered = table.combine_chunks().take(as_arrow(order))
        run = self._write_run(ordered, np.zeros(len(order), np.uint8), 1)
        places = np.unique(np.linspace(0, len(order) - 1, min(_SAMPLE, len(order))).astype(np.int64))
        sample = ordered.select([0]).take(as_arrow(places)).combine_chunks()
        return replace(run, sample=sample)
