"""What goes wrong in the user's own functions: one clear error that names record and line, and nothing else breaks."""

from __future__ import annotations

import os
import sys
import threading

import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.errors import KeyTypeError, NotPicklableError, TaskFailedError
from mrkernel.events import TaskFailed, TaskRetried

WORDS = mr.Job(lambda line: [(word, 1) for word in line.split()], sum)


@pytest.fixture
def failing(run):
    """Runs a job that must fail; gives its Failure, and asserts that the next job works and nothing was retried."""

    def start(job, source, **options):
        events = []
        with pytest.raises(TaskFailedError) as caught:
            run(job, source, listeners=[events.append], **options)
        failures = [event.failure for event in events if isinstance(event, TaskFailed)]
        # Another task may fail at the same moment; the first one is the job's.
        assert failures[0] == caught.value.failure
        assert not [event for event in events if isinstance(event, TaskRetried)]
        assert events[-1].state == "failed"
        assert dict(run(WORDS, ["a b a"])) == {"a": 2, "b": 1}
        return failures[0], str(caught.value)

    return start


# -- the record that raises ----------------------------------------------------------------------------------------


def parse(line):
    number = int(line.split(",")[1])
    yield number, 1


@pytest.mark.parametrize("chunk_size", [1, 9, 1000])
def test_line_that_raises_is_named_with_file_and_number(failing, tmp_path, chunk_size):
    (tmp_path / "good.txt").write_text("a,1\n")
    (tmp_path / "numbers.txt").write_text("a,1\nb,2\nc,three\nd,4\n")
    failure, message = failing(
        mr.Job(parse, sum), mr.files(tmp_path / "good.txt", tmp_path / "numbers.txt"), chunk_size=chunk_size
    )
    assert (os.path.basename(failure.source), failure.location, failure.offset) == ("numbers.txt", "line 3", 8)
    assert (failure.stage, failure.function, failure.record) == ("map", "mapper", "'c,three'")
    assert (failure.error_type, failure.is_user_error) == ("ValueError", True)
    assert message.startswith("mapper failed at line 3 of ")
    assert "ValueError: invalid literal for int() with base 10: 'three', in line" in message


def test_failing_line_of_the_users_own_code_is_in_frames_and_message(failing):
    failure, message = failing(mr.Job(parse, sum), ["a,1", "b"])
    frame = failure.frames[-1]
    assert (frame.function, frame.text) == ("parse", 'number = int(line.split(",")[1])')
    assert os.path.basename(frame.filename) == "test_user_errors.py"
    assert f"in line {frame.lineno} of parse: {frame.text}" in message


def deeper(record):
    yield first(record), 1


def first(record):
    return record[0]


def test_frames_go_from_the_mapper_to_where_it_raised(failing):
    failure, _ = failing(mr.Job(deeper, sum), ["a", ""])
    assert [frame.function for frame in failure.frames] == ["deeper", "first"]


def test_error_inside_a_library_still_shows_the_users_line(failing):
    import json

    failure, _ = failing(mr.Job(lambda line: (json.loads(line)["a"], 1), sum), ['{"a": 1}', "{"])
    assert (failure.error_type, failure.location) == ("JSONDecodeError", "record 2")
    assert all(os.path.basename(frame.filename) == "test_user_errors.py" for frame in failure.frames)


def test_whole_traceback_is_kept_beside_the_users_frames(failing):
    failure, _ = failing(mr.Job(parse, sum), ["1", "x"])
    assert failure.traceback.startswith("Traceback (most recent call last):")
    assert "map_pairs" in failure.traceback or "calling.py" in failure.traceback
    assert failure.traceback.rstrip().split("\n")[-1].startswith(failure.error_type)
    assert all("mrkernel" + os.sep not in frame.filename for frame in failure.frames)


def test_partition_of_a_failing_key_is_named(failing):
    def reducer(key, values):
        return 1 / 0

    job = mr.Job(lambda line: [(line, 1)], reducer)
    failure, _ = failing(job, ["a"], reducers=3)
    assert failure.partition in {0, 1, 2}


def test_tasks_that_fail_at_the_same_moment_are_all_reported(cluster, tmp_path):
    meeting = str(tmp_path / "meeting")
    os.mkfifo(meeting)

    def fails_together(number):
        # Opening a pipe waits for the other end.
        open(meeting, "r" if number else "w").close()
        raise ValueError(number)

    events = []
    with pytest.raises(TaskFailedError):
        mr.run(mr.Job(fails_together, sum), range(2), chunk_size=1, workers=2, listeners=[events.append])
    failures = [event.failure for event in events if isinstance(event, TaskFailed)]
    assert sorted(failure.error_text for failure in failures) == ["0", "1"]


def test_row_that_raises_is_named(failing, tmp_path):
    (tmp_path / "table.csv").write_text("name,n\na,1\nb,0\nc,2\n")
    failure, _ = failing(mr.Job(lambda row: (1 // row["n"], 1), sum), tmp_path / "table.csv")
    assert failure.record == "{'n': 0, 'name': 'b'}"
    assert (os.path.basename(failure.source), failure.location) == ("table.csv", "row 2")


def test_record_of_a_later_split_is_named(failing):
    failure, _ = failing(mr.Job(lambda n: (1 // (n - 77), 1), sum), range(100), chunk_size=10)
    assert (failure.record, failure.location, failure.task > 0) == ("77", "record 78", True)


def test_returned_list_that_raises_names_its_record(failing):
    failure, _ = failing(mr.Job(lambda n: [(n, 1), (1 // n, 1)], sum), [2, 1, 0, 3])
    assert (failure.record, failure.location) == ("0", "record 3")


def test_long_record_is_shortened(failing):
    failure, _ = failing(mr.Job(lambda text: (1 // 0, 1), sum), ["x" * 100_000])
    assert len(failure.record) < 500


def test_record_whose_repr_raises_is_still_named(failing):
    class Shy:
        def __repr__(self):
            raise RuntimeError("no")

    failure, _ = failing(mr.Job(lambda record: (1 // 0, 1), sum), [Shy()])
    assert failure.record.startswith("<Shy instance at")


def test_key_whose_reduction_raises_is_named(failing):
    failure, message = failing(
        mr.Job(lambda word: (word, 1), lambda key, values: 1 // (len(key) - 2)), ["a", "bb", "ccc"]
    )
    assert (failure.stage, failure.function, failure.location) == ("reduce", "reducer", "key 'bb'")
    assert message.startswith("reducer failed at key 'bb': ZeroDivisionError")


def test_batch_that_raises_is_named_by_its_rows(failing):
    def mapper(batch: pa.RecordBatch):
        raise LookupError("empty")

    failure, _ = failing(mr.Job(mapper, sum), pa.table({"a": [1, 2, 3]}))
    assert failure.location == "rows 1 to 3 of this split"


def test_combiner_partitioner_and_sort_key_are_named(failing):
    def broken(*arguments):
        raise LookupError("broken")

    failure, _ = failing(mr.Job(lambda word: (word, 1), lambda key, values: 1, combiner=broken), ["a"], combine=True)
    assert failure.function == "combiner"
    failure, message = failing(mr.Job(lambda word: (word, 1), sum, partitioner=broken), ["a"], reducers=2)
    assert "LookupError: broken" in message
    failure, message = failing(
        mr.Job(lambda word: (word, 1), lambda key, values: 1, sort_values=lambda value: broken()), ["a"]
    )
    assert "LookupError: broken" in message


def test_error_without_a_text_reads_well(failing):
    def mapper(record):
        assert record != "b"
        yield record, 1

    _, message = failing(mr.Job(mapper, sum), ["a", "b"])
    assert "failed at record 2 of list: AssertionError, in line" in message or "AssertionError: assert" in message


# -- what is no pair -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reducer", [None, sum, len, lambda key, values: 1], ids=["map only", "sum", "len", "function"])
@pytest.mark.parametrize(
    ("item", "what"),
    [
        ("ab", "'ab', of type str"), (["a", 1, 2], r"\['a', 1, 2\], of type list"), (("a",), r"\('a',\), a tuple of 1"),
        (("a", 1, 2), r"\('a', 1, 2\), a tuple of 3"), ((), r"\(\), a tuple of 0"), (7, "7, of type int"),
        (None, "None, of type NoneType"), (b"ab", "b'ab', of type bytes"),
        ({"a": 1, "b": 2}, r"\{'a': 1, 'b': 2\}, of type dict"),
        ({1, 2}, r"\{1, 2\}, of type set"),
    ],
    ids=repr,
)  # fmt: skip
def test_yielded_item_that_is_no_pair_is_refused(inline, item, what, reducer):
    def mapper(record):
        yield record, 1
        if record == "b":
            yield item

    with pytest.raises(
        TaskFailedError,
        match=rf"record 2 of list: ValueTypeError: the mapper gave {what}, where a .key, value. pair belongs",
    ):
        inline(mr.Job(mapper, reducer), ["a", "b", "c"])


@pytest.mark.parametrize("output", ["text", b"text", 7, 2.5, True, object], ids=repr)
def test_returned_output_that_holds_no_pairs_is_refused(inline, output):
    with pytest.raises(
        TaskFailedError,
        match=r"record 1 of list: ValueTypeError: the mapper gave .*, where a .key, value. pair belongs",
    ):
        inline(mr.Job(lambda record: output, sum), ["a"])


def test_tuple_of_three_returned_is_no_pair(inline):
    with pytest.raises(TaskFailedError, match=r"the mapper gave 'a', of type str, where a .key, value. pair belongs"):
        inline(mr.Job(lambda record: (record, 1, 2), sum), ["a"])


@pytest.mark.parametrize("item", ["ab", ["a", 1], ("a",), 7, None], ids=repr)
def test_reducer_that_yields_no_pair_is_refused(failing, item):
    def reducer(key, values):
        yield item

    _, message = failing(mr.Job(lambda word: (word, 1), reducer), ["a"])
    assert "reducer failed at key 'a': ValueTypeError: the reducer gave" in message
    assert "where a (key, value) pair belongs" in message
    assert "Hint: yield pairs, such as: yield word, 1" in message


# -- keys that cannot be hashed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reducer", [None, sum, list, lambda key, values: 1], ids=["map only", "sum", "list", "function"]
)
@pytest.mark.parametrize("key", [[1], {"a": 1}, {1}, bytearray(b"a"), ("a", [1]), ("a", ("b", {"c": 1}))], ids=repr)
def test_unhashable_key_is_refused_at_its_record(inline, key, reducer):
    def mapper(record):
        yield (key if record == "b" else record), 1

    with pytest.raises(
        TaskFailedError, match=r"record 2 of list: KeyTypeError: the key .* cannot be hashed(.|\n)*Hint: use a tuple"
    ):
        inline(mr.Job(mapper, reducer), ["a", "b", "c"])


def test_unhashable_key_of_a_reducer_is_refused(failing):
    def reducer(key, values):
        yield [key], 1

    _, message = failing(mr.Job(lambda word: (word, 1), reducer), ["a"])
    assert "KeyTypeError: the key ['a'] is a list, which cannot be hashed" in message
    assert "Hint: use a tuple" in message


def test_list_column_as_key_of_a_batch_mapper_is_refused(inline):
    def mapper(batch: pa.RecordBatch):
        return batch

    with pytest.raises(TaskFailedError, match="a list cannot be a key"):
        inline(mr.Job(mapper, len), pa.table({"a": [[1], [2]], "b": [1, 2]}))


# -- exceptions that break their surroundings -----------------------------------------------------------------------


class Unpicklable(Exception):
    def __init__(self, text):
        super().__init__(text)
        self.lock = threading.Lock()


class TwoArguments(Exception):
    def __init__(self, one, *, two):
        super().__init__(one)
        self.two = two


class Mute(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def raising(error):
    def mapper(record):
        raise error(record)
        yield

    return mapper


def test_exception_that_cannot_be_pickled(failing):
    failure, _ = failing(mr.Job(raising(lambda record: Unpicklable("has a lock")), sum), ["a"])
    assert (failure.error_type, failure.error_text) == ("Unpicklable", "has a lock")


def test_exception_that_cannot_be_unpickled(failing):
    failure, _ = failing(mr.Job(raising(lambda record: TwoArguments("one", two=2)), sum), ["a"])
    assert (failure.error_type, failure.error_text) == ("TwoArguments", "one")


def test_exception_whose_text_raises(failing):
    failure, _ = failing(mr.Job(raising(lambda record: Mute()), sum), ["a"])
    assert (failure.error_type, failure.error_text) == ("Mute", "(its text raised RuntimeError)")


def test_exception_with_a_huge_text_is_shortened(failing):
    failure, _ = failing(mr.Job(raising(lambda record: ValueError("x" * 10_000_000)), sum), ["a"])
    assert len(failure.error_text) == 2_000


def endless(record):
    return endless(record)


def test_endless_recursion_in_a_mapper(failing):
    failure, _ = failing(mr.Job(endless, sum), ["a"])
    assert (failure.error_type, failure.location) == ("RecursionError", "record 1")
    assert 1 <= len(failure.frames) <= 20


def test_endless_recursion_in_a_reducer(failing):
    failure, _ = failing(mr.Job(lambda word: (word, 1), lambda key, values: endless(key)), ["a"])
    assert (failure.error_type, failure.location) == ("RecursionError", "key 'a'")


@pytest.mark.parametrize("leave", [sys.exit, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_leaving_the_interpreter_in_a_mapper_is_an_error_of_the_task(failing, leave):
    def mapper(record):
        raise leave(3)

    failure, _ = failing(mr.Job(mapper, sum), ["a"])
    assert failure.error_type == ("SystemExit" if leave is sys.exit else leave.__name__)


def test_leaving_the_interpreter_in_a_reducer_is_an_error_of_the_task(failing):
    failure, _ = failing(mr.Job(lambda word: (word, 1), lambda key, values: sys.exit("stop")), ["a"])
    assert (failure.error_type, failure.error_text) == ("SystemExit", "stop")


@pytest.mark.parametrize("reducer", [None, sum], ids=["map only", "sum"])
def test_stop_iteration_in_a_mapper_loses_no_records(failing, reducer):
    failure, _ = failing(mr.Job(lambda line: (next(iter(line.split())), 1), reducer), ["a", "", "b"])
    assert (failure.error_type, failure.location) == ("StopIteration", "record 2")


def test_value_that_cannot_be_pickled_is_named(failing):
    _, message = failing(mr.Job(lambda word: (word, threading.Lock()), list), ["a"])
    assert "cannot pickle '_thread.lock' object" in message


def test_result_of_a_reducer_that_cannot_be_pickled_is_named(failing):
    _, message = failing(mr.Job(lambda word: (word, 1), lambda key, values: threading.Lock()), ["a"])
    assert "cannot pickle '_thread.lock' object" in message


# -- what cannot travel ---------------------------------------------------------------------------------------------


def test_closure_that_cannot_be_pickled_is_refused_by_name_before_anything_runs(run, tmp_path):
    lock = threading.Lock()

    def mapper(line):
        with lock:
            yield line, 1

    events = []
    with pytest.raises(
        NotPicklableError, match="the mapper cannot be sent to workers: its variable 'lock' holds a lock"
    ):
        run(mr.Job(mapper, sum), ["a"], listeners=[events.append])
    assert events == []


def test_unhashable_key_error_is_catchable_as_what_it_is():
    assert issubclass(KeyTypeError, TypeError)
