"""Records followed through a job: by the job's own functions, with the answer of a real run."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import mrkernel as mr
from mrkernel.errors import OptionError

LINES = ["to be or not to be", "", "that is the <b>question</b>", "日本 be"]


def words(line):
    for word in line.split():
        yield word, 1


def results(state):
    return {key: value for group in state["groups"] for key, value in group["results"]}


@pytest.mark.parametrize("reducer", [sum, len, lambda key, values: sum(values)], ids=["sum", "len", "function"])
def test_groups_reduce_to_what_a_run_gives(reducer):
    job = mr.Job(words, reducer)
    state = mr.walkthrough(job, LINES).state
    expected = dict(mr.run(job, LINES, executor="inline"))
    assert results(state) == {key: str(value) for key, value in expected.items()}
    assert json.loads(json.dumps(state)) == state


def test_each_pair_knows_its_record_and_its_partition():
    state = mr.walkthrough(mr.Job(words, sum), LINES, partitions=4).state
    pairs = state["pairs"]
    assert [(pair["record"], pair["key"]) for pair in pairs[:3]] == [(0, "to"), (0, "be"), (0, "or")]
    assert {pair["partition"] for pair in pairs if pair["key"] == "be"} == {
        group["partition"] for group in state["groups"] if group["key"] == "be"
    }
    assert all(0 <= pair["partition"] < 4 for pair in pairs)
    for number in range(4):
        keys = [group["key"] for group in state["groups"] if group["partition"] == number]
        assert keys == sorted(keys)


def test_a_partitioner_of_ones_own_places_keys():
    job = mr.Job(words, sum, partitioner=lambda key, partitions: len(key) % partitions)
    state = mr.walkthrough(job, LINES, partitions=2).state
    assert {(pair["key"], pair["partition"]) for pair in state["pairs"]} >= {("to", 0), ("not", 1)}


def test_what_raises_is_shown_beside_the_others():
    def mapper(number):
        yield number % 2, 6 // number

    def reducer(key, values):
        if key:
            raise KeyError("odd")
        return sum(values)

    state = mr.walkthrough(mr.Job(mapper, reducer), [1, 0, 2]).state
    assert [record["error"] for record in state["records"]] == [
        "", "ZeroDivisionError: integer division or modulo by zero", ""
    ]  # fmt: skip
    assert [(group["key"], group["error"], group["results"]) for group in state["groups"]] == [
        ("0", "", [["0", "3"]]), ("1", "KeyError: 'odd'", []),
    ]  # fmt: skip
    assert "raised: ZeroDivisionError" in repr(mr.walkthrough(mr.Job(mapper, reducer), [1, 0, 2]))


def test_only_the_first_records_are_read(tmp_path):
    path = tmp_path / "numbers.txt"
    path.write_text("\n".join(map(str, range(100_000))))
    state = mr.walkthrough(mr.Job(words, sum), str(path), records=5).state
    assert [record["text"] for record in state["records"]] == ["0", "1", "2", "3", "4"]
    assert state["records"][4]["origin"].endswith("numbers.txt, line 5")


def test_batch_mapper_gives_pairs_of_the_batch():
    def mapper(frame: pd.DataFrame):
        return frame[["name", "n"]]

    frame = pd.DataFrame({"name": ["a", "b", "a"], "n": [1, 2, 3], "x": [0, 0, 0]})
    state = mr.walkthrough(mr.Job(mapper, sum), frame).state
    assert results(state) == {"a": "4", "b": "2"}
    assert {pair["record"] for pair in state["pairs"]} == {None}
    assert "the mapper takes whole batches, so a pair belongs to no one record" in state["notes"]


def test_job_without_a_reducer_ends_with_its_pairs():
    walk = mr.walkthrough(mr.Job(words), LINES)
    assert walk.state["groups"] == []
    assert "the job has no reducer, so its pairs are its result" in repr(walk)


def test_nothing_to_follow_is_no_error():
    state = mr.walkthrough(mr.Job(words, sum), []).state
    assert (state["title"], state["pairs"], state["groups"]) == ("0 records through words", [], [])


def test_html_says_all_and_runs_nothing():
    html = mr.walkthrough(mr.Job(words, sum), LINES)._repr_html_()
    assert "&lt;b&gt;question&lt;/b&gt;" in html
    assert "<b>" not in html
    assert html.count("<table") == 2


@pytest.mark.parametrize(("options", "message"), [
    ({"records": 0}, r"records = 0 cannot be shown\nHint: from 1 to 50"),
    ({"partitions": 9}, r"partitions = 9 cannot be shown\nHint: from 1 to 8"),
])  # fmt: skip
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        mr.walkthrough(mr.Job(words, sum), LINES, **options)
