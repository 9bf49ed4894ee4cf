"""What makes a Job, and what it refuses before anything runs."""

from __future__ import annotations

import dataclasses

import pytest

import mrkernel as mr
from mrkernel.errors import JobSpecError, OptionError


def mapper(record):
    yield record, 1


def reducer(key, values):
    return len(values)


def test_job_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        mr.Job(mapper, sum).reducer = max


@pytest.mark.parametrize(
    ("job", "name"),
    [
        (mr.Job(mapper, sum), "mapper"), (mr.Job(None, reducer), "reducer"), (mr.Job(None, sum), "sum"),
        (mr.Job(lambda record: record, reducer), "reducer"), (mr.Job(lambda record: record), "job"),
        (mr.Job(mapper, sum, name="words"), "words"),
    ],
)  # fmt: skip
def test_job_is_called_after_its_functions(job, name):
    assert job.name == name


@pytest.mark.parametrize("role", ["mapper", "reducer", "combiner", "partitioner", "setup", "teardown"])
def test_function_that_cannot_be_called_is_refused(role):
    with pytest.raises(
        JobSpecError, match=f"the {role} is 'count', a str, which cannot be called(.|\n)*Hint: pass the function itself"
    ):
        mr.Job(**{"mapper": mapper, "reducer": reducer, role: "count"})


@pytest.mark.parametrize("function", [lambda: None, lambda a, b, c: None])
def test_mapper_with_the_wrong_arity_is_refused(function):
    with pytest.raises(JobSpecError, match=r"it is called with one record(.|\n)*Hint: a mapper is def mapper"):
        mr.Job(function, sum)


@pytest.mark.parametrize("function", [lambda values: None, lambda: None, lambda a, b, c: None])
@pytest.mark.parametrize("role", ["reducer", "combiner"])
def test_reducer_with_the_wrong_arity_is_refused(role, function):
    with pytest.raises(JobSpecError, match=f"the {role} .*takes .*; it is called with 2: a key and its values"):
        mr.Job(**{"mapper": mapper, "reducer": reducer, role: function})


def test_partitioner_with_the_wrong_arity_is_refused():
    with pytest.raises(JobSpecError, match=r"the partitioner .*it is called with 2: key and the number of partitions"):
        mr.Job(mapper, sum, partitioner=lambda key: 0)


def test_functions_with_defaults_and_varargs_fit():
    mr.Job(lambda record, factor=2: (record, factor), lambda key, values, *, start=0: start)
    mr.Job(lambda *record: record, lambda *arguments: None)


def test_classes_in_each_others_place_are_refused():
    class Words(mr.Mapper):
        pass

    class Counts(mr.Reducer):
        pass

    with pytest.raises(JobSpecError, match=r"the mapper Counts is a Reducer(.|\n)*Hint: pass it as reducer="):
        mr.Job(Counts)
    with pytest.raises(JobSpecError, match=r"the reducer Words is a Mapper(.|\n)*Hint: pass it as mapper="):
        mr.Job(mapper, Words)


def test_dict_of_reducers_must_hold_aggregates():
    with pytest.raises(JobSpecError, match="the reducer's entry 'n' is no aggregate"):
        mr.Job(mapper, {"n": lambda key, values: 1})
    with pytest.raises(JobSpecError, match="the reducer is an empty dict"):
        mr.Job(mapper, {})


def test_sort_is_by_key_or_not_at_all():
    with pytest.raises(JobSpecError, match=r"sort = 'value' cannot be used(.|\n)*orders the whole result by key"):
        mr.Job(mapper, sum, sort="value")


def test_sort_and_partitioner_exclude_each_other():
    with pytest.raises(JobSpecError, match='a partitioner and sort="key" exclude each other'):
        mr.Job(mapper, sum, sort="key", partitioner=lambda key, n: 0)


def test_sort_values_is_true_or_a_function():
    with pytest.raises(JobSpecError, match="sort_values = 'desc' cannot be used: it is True, or a function of a value"):
        mr.Job(mapper, reducer, sort_values="desc")


def test_then_makes_steps():
    job = mr.Job(mapper, sum, name="one").then(mr.Job(None, max, name="two")).then(mr.Job(mapper, name="three"))
    assert [step.name for step in job.steps] == ["one", "two", "three"]
    assert job.n_steps == 3


def test_then_of_a_chain_appends_all_its_steps():
    tail = mr.Job(None, max, name="two").then(mr.Job(mapper, name="three"))
    assert [step.name for step in mr.Job(mapper, sum, name="one").then(tail).steps] == ["one", "two", "three"]


def test_then_needs_a_job():
    with pytest.raises(JobSpecError, match=r"then\(\) takes a Job, not function"):
        mr.Job(mapper, sum).then(reducer)


@pytest.mark.parametrize("make", [lambda: mr.agg.top(0), lambda: mr.agg.top(True), lambda: mr.agg.top(2.5)])
def test_top_needs_a_number(make):
    with pytest.raises(OptionError, match="it takes a whole number of at least 1"):
        make()


@pytest.mark.parametrize("q", [-0.1, 1.1, "half"])
def test_quantile_needs_a_share(q):
    with pytest.raises(OptionError, match="it takes a number from 0 to 1"):
        mr.agg.quantile(q)


def test_variance_needs_known_degrees_of_freedom():
    with pytest.raises(OptionError, match="ddof = 2 cannot be used: it is 0 or 1"):
        mr.agg.var(ddof=2)
