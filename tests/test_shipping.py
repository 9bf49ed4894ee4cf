"""What travels to workers: functions and the user's own modules by value; what cannot is named before anything runs."""

from __future__ import annotations

import importlib
import json
import sys
import threading
from functools import partial

import cloudpickle
import pytest

import mrkernel as mr
from mrkernel import shipping
from mrkernel.errors import JobSpecError, NotPicklableError
from mrkernel.shipping import pack_job

LOCK = threading.Lock()


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes and imports a module beside the user's notebook; a second call edits it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names = []

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        names.append(name)
        return importlib.reload(sys.modules[name]) if name in sys.modules else importlib.import_module(name)

    yield write
    for name in names:
        sys.modules.pop(name, None)


def test_module_beside_the_notebook_travels_by_value(run, module):
    scale = module("own_scale", "FACTOR = 3\ndef scaled(n):\n    return n * FACTOR\n")
    assert dict(run(mr.Job(lambda n: (n, scale.scaled(n))), [1, 2])) == {1: 3, 2: 6}


def test_module_that_was_edited_gives_the_new_answer_on_the_same_cluster(run, module):
    for factor in (3, 5):
        scale = module("own_edited", f"def scaled(n):\n    return n * {factor}\n")
        assert dict(run(mr.Job(lambda n: (n, scale.scaled(n))), [1])) == {1: factor}  # noqa: B023  # runs at once


def test_function_of_an_own_module_may_be_the_mapper_itself(run, module):
    for text in ("yield word, 1", "yield word, 2"):
        own = module("own_mapper", f"def mapper(word):\n    {text}\n")
        assert dict(run(mr.Job(own.mapper, sum), ["a"])) == {"a": int(text[-1])}


def test_module_that_imports_another_own_module(run, module):
    module("own_inner", "def inner(n):\n    return n + 1\n")
    outer = module("own_outer", "import own_inner\ndef outer(n):\n    return own_inner.inner(n) * 2\n")
    assert dict(run(mr.Job(lambda n: (n, outer.outer(n))), [1])) == {1: 4}


def test_name_imported_from_an_own_module(run, module):
    module("own_source", "class Doubler:\n    def __call__(self, n):\n        yield n, n * 2\n")
    from own_source import Doubler

    assert dict(run(mr.Job(Doubler()), [2])) == {2: 4}


def test_installed_modules_travel_by_name():
    job = mr.Job(lambda line: (json.loads(line), 1))
    assert len(pack_job(job)) < 5_000


def test_packing_leaves_cloudpickles_registry_as_it_was(module):
    before = set(cloudpickle.list_registry_pickle_by_value())
    own = module("own_registry", "def mapper(word):\n    yield word, 1\n")
    pack_job(mr.Job(own.mapper, sum))
    assert set(cloudpickle.list_registry_pickle_by_value()) == before


def test_modules_are_looked_at_again_only_after_an_import(module, monkeypatch):
    looked, is_own = [], shipping._is_own
    monkeypatch.setattr(shipping, "_is_own", lambda module: looked.append(module) or is_own(module))
    for name in ("own_first", "own_second"):
        own = module(name, "def mapper(word):\n    yield word, 1\n")
        packed = [pack_job(mr.Job(own.mapper, sum)) for _ in range(3)]
        assert all(b"co_code" in one or b"_make_function" in one for one in packed)
        assert (looked.count(own), looked.count(json)) == (1, 1)
        looked.clear()


def test_global_variables_travel_as_they_are_now(run):
    namespace = {}
    exec("factor = 2\ndef mapper(n):\n    yield n, n * factor\n", namespace)  # noqa: S102  # what a notebook cell does
    assert dict(run(mr.Job(namespace["mapper"]), [1])) == {1: 2}
    namespace["factor"] = 7
    assert dict(run(mr.Job(namespace["mapper"]), [1])) == {1: 7}


def test_class_of_a_cell_travels_as_key_and_value(run):
    class Point:
        def __init__(self, x):
            self.x = x

        def __eq__(self, other):
            return self.x == other.x

        def __hash__(self):
            return hash(self.x)

    found = list(run(mr.Job(lambda n: (Point(n % 2), Point(n)), len), range(4), chunk_size=1))
    assert sorted((key.x, n) for key, n in found) == [(0, 2), (1, 2)]


# -- what cannot travel --------------------------------------------------------------------------------------------


def uses_global(record):
    with LOCK:
        yield record, 1


def by_default(record, lock=LOCK):
    yield record, 1


class Holder:
    def __init__(self):
        self.connection = threading.Lock()

    def __call__(self, record):
        yield record, 1

    def method(self, record):
        yield record, 1


def closing_over(value):
    def inner(record):
        return [(record, value)]

    def mapper(record):
        return inner(record)

    return mapper


class Opened(mr.Mapper):
    lock = LOCK

    def map(self, record):
        yield record, 1


@pytest.mark.parametrize(
    ("mapper", "name", "kind"),
    [
        (uses_global, "LOCK", "lock"),
        (by_default, "lock", "lock"),
        (Holder(), "connection", "lock"),
        (closing_over(threading.Lock()), "value", "lock"),
        (closing_over(n for n in range(3)), "value", "generator"),
        (Holder().method, "connection", "lock"),
        (partial(by_default, lock=LOCK), "lock", "lock"),
        (partial(lambda lock, record: (record, 1), LOCK), "argument 1", "lock"),
        (Opened, "lock", "lock"),
    ],
    ids=[
        "global",
        "default",
        "attribute",
        "inner closure",
        "generator",
        "method",
        "partial by name",
        "partial",
        "class",
    ],
)
def test_variable_that_cannot_travel_is_named(mapper, name, kind):
    with pytest.raises(
        NotPicklableError,
        match=f"the mapper cannot be sent to workers: its variable '{name}' holds a {kind}, which cannot be",
    ):
        pack_job(mr.Job(mapper, sum))


@pytest.mark.parametrize("role", ["reducer", "combiner", "partitioner", "setup", "teardown", "sort_values"])
def test_role_of_what_cannot_travel_is_named(role):
    lock = threading.Lock()
    functions = {
        "reducer": lambda key, values: lock, "combiner": lambda key, values: lock, "partitioner": lambda key, n: lock,
        "setup": lambda: lock, "teardown": lambda: lock, "sort_values": lambda value: lock,
    }  # fmt: skip
    options = {"reducer": lambda key, values: 1, role: functions[role]}
    with pytest.raises(
        NotPicklableError, match=f"the {role} cannot be sent to workers: its variable 'lock' holds a lock"
    ):
        pack_job(mr.Job(lambda record: (record, 1), **options))


def test_later_step_that_cannot_travel_is_named():
    lock = threading.Lock()
    job = mr.Job(lambda record: (record, 1), sum).then(mr.Job(lambda key, value: (key, lock)))
    with pytest.raises(
        NotPicklableError, match="the mapper cannot be sent to workers: its variable 'lock' holds a lock"
    ):
        pack_job(job)


def test_refusal_says_what_to_do():
    with pytest.raises(JobSpecError, match=r"Hint: create it in setup\(\), or inside the function"):
        pack_job(mr.Job(uses_global, sum))
