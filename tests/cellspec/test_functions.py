"""The functions of a cell's body, and the Job they make."""

from __future__ import annotations

import pytest

import mrkernel.job
from mrkernel import agg
from mrkernel.cellspec import aggregate_names, bound_names, build_job, cell_functions, parse
from mrkernel.errors import JobSpecError, OptionError

KEPT = {"mapper": {"words": lambda line: [(line, 1)]}, "reducer": {"total": sum}}


def job_of(body, line="", kept=KEPT):
    namespace = {"mr": mrkernel.job}
    exec(body, namespace)  # noqa: S102  # as the shell does with a cell
    names = bound_names(body)
    return build_job(parse(line, {}), cell_functions(names, namespace), kept, names)


def test_names_are_those_bound_at_the_top_level():
    body = """
import os.path, re as regex
from math import sqrt as root
x, (y, *z) = 1, (2, 3)
if x:
    mapper = lambda line: (inner := 1)
for n in []: pass
with open("f") as file:
    pass
try: pass
except ValueError: failed = True
class C:
    attribute = 1
def f(a):
    local = [k for k in a]
[k for k in z]
"""
    names = ["os", "regex", "root", "x", "y", "z", "mapper", "n", "file", "failed", "C", "f"]
    assert list(bound_names(body)) == names


def test_functions_of_the_body_make_the_job():
    job = job_of(
        "def mapper(line):\n    yield line, 1\nreducer = combiner = sum\nsort_values = True", "--sort key -o n"
    )
    assert (job.reducer, job.combiner, job.sort_values, job.sort, job.name) == (sum, sum, True, "key", "n")


def test_names_of_earlier_cells_do_not_count():
    namespace = {"mapper": len, "reducer": sum}
    assert cell_functions(("reducer",), namespace) == {"reducer": sum}


def test_classes_stand_for_their_role_and_bases_are_left_out():
    body = "class Base(mr.Mapper):\n    pass\nclass Words(Base):\n    pass\nclass Total(mr.Reducer):\n    pass"
    job = job_of(body)
    assert (job.mapper.__name__, job.reducer.__name__) == ("Words", "Total")


def test_two_mapper_classes_need_a_choice():
    body = "class A(mr.Mapper):\n    pass\nclass B(mr.Mapper):\n    pass"
    with pytest.raises(OptionError, match="more than one mapper: A and B\nHint: say which one: mapper = A"):
        job_of(body)
    assert job_of(body + "\nmapper = B").mapper.__name__ == "B"


def test_kept_functions_are_found_by_name():
    job = job_of("", "--mapper words --reducer total --combiner total")
    assert (job.mapper, job.reducer, job.combiner) == (KEPT["mapper"]["words"], sum, sum)


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("x = 1", "", r"the cell defines no mapper\nHint: define mapper\(record\)"),
        ("def maper(x):\n    pass", "", "defines no mapper\nHint: rename maper to mapper"),
        ("", "--mapper wrods", r"no mapper is kept under the name 'wrods'\nHint: did you mean words\?"),
        (
            "",
            "--mapper words --reducer x",
            "no reducer is kept .*\nHint: define it in a cell that begins with %%reducer",
        ),
        ("def mapper(x):\n    pass", "--mapper words", "--mapper words is given, and the cell defines a mapper too"),
    ],
)
def test_what_is_missing_or_double_is_said(body, line, message):
    with pytest.raises(OptionError, match=message):
        job_of(body, line)


@pytest.mark.parametrize(
    ("name", "reducer"),
    [("sum", sum), ("len", len), ("count", agg.count), ("mean", agg.mean), ("top", agg.top()), ("max", max)],
)
def test_an_aggregate_is_found_by_its_name(name, reducer):
    job = job_of("", f"--mapper words --reducer {name}")
    assert job.reducer == reducer
    assert job.reduction is not None


def test_a_kept_function_beats_an_aggregate_of_its_name():
    kept = {**KEPT, "reducer": {"sum": max}}
    spec = parse("-i a.txt --mapper words --reducer sum --combiner min", {})
    job = build_job(spec, {}, kept)
    assert (job.reducer, job.combiner) == (max, min)


def test_a_misspelt_aggregate_earns_a_hint():
    with pytest.raises(OptionError, match=r"'maen', and no aggregate has it\nHint: did you mean mean\?"):
        job_of("", "--mapper words --reducer maen")


@pytest.mark.parametrize("name", aggregate_names())
def test_every_aggregate_makes_a_job(name):
    assert job_of("", f"--mapper words --reducer {name}").reduction is not None


def test_a_line_magic_without_a_mapper_asks_for_its_name():
    with pytest.raises(OptionError, match=r"^%mapreduce: no mapper is named\nHint: add --mapper NAME"):
        build_job(parse("-i a.txt", {}, is_line=True), {}, KEPT)


def test_functions_that_do_not_fit_are_refused_by_the_job():
    with pytest.raises(JobSpecError, match="the reducer reducer takes"):
        job_of("def mapper(x):\n    pass\ndef reducer(values):\n    pass")


@pytest.mark.parametrize(
    ("line", "name"), [("", "mapreduce"), ("-o counts", "counts"), ("-o n --name 'my job'", "my job")]
)
def test_the_job_is_called_after_its_output(line, name):
    assert job_of("def mapper(x):\n    pass", line).name == name
