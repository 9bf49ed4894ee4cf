"""Mappers as classes."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

import mrkernel as mr
from mrkernel.errors import TaskFailedError

FRAME = pd.DataFrame({"name": ["b", "a", "b"], "n": [1, 2, 3], "x": [0.5, 1.5, 2.5]})


class Words(mr.Mapper):
    def map(self, record):
        for word in record.split():
            yield word, 1


class Swap(mr.Mapper):
    def map(self, key, value):
        return value, key


class Columns(mr.Mapper):
    def map(self, frame: pl.DataFrame):
        return frame.select("name", "n")


def test_mapper_class(run):
    assert dict(run(mr.Job(Words, sum), ["a b", "a"])) == {"a": 2, "b": 1}


def test_mapper_class_of_two_parameters(run):
    assert dict(run(mr.Job(Swap), [("a", 1)])) == {1: "a"}


def test_mapper_class_of_batches(run):
    assert dict(run(mr.Job(Columns, sum), FRAME)) == {"a": 2, "b": 4}


def test_mapper_class_without_map_says_so(inline):
    class Nothing(mr.Mapper):
        pass

    with pytest.raises(TaskFailedError, match=r"Nothing does not define map\(self, record\)"):
        inline(mr.Job(Nothing, sum), ["a"])
