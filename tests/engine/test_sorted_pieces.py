"""Sorted runs are put in order piece by piece: the same rows as all at once, no key in two pieces."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.batches import encode_column, make_table, object_column
from mrkernel.engine.tasks import ordering
from mrkernel.engine.tasks.ordering import sorted_pieces

KEYS = {
    "text": [f"{n % 997:04d}{'é😀'[n % 2] * (n % 3)}" for n in range(20_000)],
    "bytes": [bytes([n % 251, n % 7]) for n in range(20_000)],
    "numbers": [(n * 7919) % 5003 - 2500 for n in range(20_000)],
    "one heavy key": ["a"] * 15_000 + [f"b{n}" for n in range(5_000)],
    "one key": ["a"] * 20_000,
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_pieces_follow_each_other_and_share_no_key(keys: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "_PIECE_BYTES", 10_000)
    tables = [make_table([encode_column(sorted(keys[n::3]), "key"), encode_column(keys[n::3], "value")])
              for n in range(3)]  # fmt: skip
    pieces = [[key for table in piece for key in table.column(0).to_pylist()] for piece in sorted_pieces(tables)]
    assert sorted(key for piece in pieces for key in piece) == sorted(keys)
    assert all(max(one) < min(other) for one, other in pairwise(pieces))
    assert len(pieces) > 1 or len(set(keys)) == 1


@pytest.mark.parametrize(
    "column",
    [object_column([(n,) for n in range(5_000)], "key"), encode_column([float(n) for n in range(5_000)], "key"),
     encode_column([None, *range(5_000)], "key")],
    ids=["objects", "floats", "with none"],
)  # fmt: skip
def test_other_keys_are_one_piece(column: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "_PIECE_BYTES", 1_000)
    table = make_table([column, encode_column(list(range(len(column[0]))), "value")])
    assert list(sorted_pieces([table, table])) == [[table, table]]


def test_the_whole_result_is_in_order(inline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "_PIECE_BYTES", 10_000)
    words = [f"w{n}" for n in range(5_000)] * 2
    random.Random(7).shuffle(words)
    rows = inline(mr.Job(lambda word: [(word, len(word))], sort="key"), words, chunk_size=20_000, reducers=2).to_arrow()
    assert rows["key"].to_pylist() == sorted(words)
    assert rows["value"].to_pylist() == [len(word) for word in sorted(words)]


def test_records_of_equal_keys_keep_their_order(inline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "_PIECE_BYTES", 1_000)

    def mapper(batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.record_batch([batch.column(0), batch.column(1)], names=["key", "n"])

    table = pa.table({"key": [f"k{n % 50}" for n in range(5_000)], "n": range(5_000)})
    rows = inline(mr.Job(mapper, sort="key"), table, chunk_size=20_000, reducers=3).to_arrow()
    expected = sorted(range(5_000), key=lambda n: f"k{n % 50}")
    assert rows["value"].to_pylist() == expected
