"""Batches of somebody else's as records: what they claim to be is not believed."""

from __future__ import annotations

import pickle
from pathlib import Path

import pyarrow as pa

import mrkernel as mr


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_batches_of_a_custom_source_are_never_unpickled(tmp_path: Path) -> None:
    content = pickle.dumps(Trap(tmp_path / "sprung"))
    field = pa.field("value", pa.large_binary(), metadata={"mrkernel:kind": "object"})
    batch = pa.record_batch([pa.array([content], pa.large_binary())], schema=pa.schema([field]))
    source = mr.custom(lambda: [0], lambda _: [batch])
    records = [record for split in source.splits(1) for block in source.read_records(split) for record in block.records]
    assert records == [{"value": content}]
    assert not (tmp_path / "sprung").exists()
