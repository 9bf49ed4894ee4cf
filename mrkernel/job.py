"""Job: what to do with records, as a frozen and validated value; nothing here runs anything."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from mrkernel import agg
from mrkernel.errors import JobSpecError
from mrkernel.joins import Join

__all__ = ["Job", "Mapper", "Reducer"]

_BATCH_KINDS = {
    ("pyarrow", "RecordBatch"): "arrow", ("pyarrow", "Table"): "arrow table",
    ("pandas", "DataFrame"): "pandas", ("polars", "DataFrame"): "polars",
}  # fmt: skip
_VALUE_KINDS = {
    ("pyarrow", "Array"): "arrow", ("numpy", "ndarray"): "numpy", ("pandas", "Series"): "pandas",
    ("polars", "Series"): "polars",
}  # fmt: skip
_ALIASES = {"pa": "pyarrow", "pd": "pandas", "pl": "polars", "np": "numpy"}


class Mapper:
    """Base class for mappers that prefer to be classes: one instance for each map task.

    >>> class Words(Mapper):
    ...     def map(self, record):
    ...         for word in record.split():
    ...             yield word, 1
    """

    def setup(self) -> None:
        """Called once before the task's first record: open a model or a connection here."""

    def map(self, record: Any) -> Any:
        """Yield or return the (key, value) pairs of one record."""
        raise TypeError(f"{type(self).__name__} does not define map(self, record)")

    def teardown(self) -> None:
        """Called once after the task's last record, also when the task failed."""


class Reducer:
    """Base class for reducers that prefer to be classes: one instance for each reduce task."""

    def setup(self) -> None:
        """Called once before the task's first key."""

    def reduce(self, key: Any, values: Any) -> Any:
        """Return the key's value, or yield (key, value) pairs."""
        raise TypeError(f"{type(self).__name__} does not define reduce(self, key, values)")

    def teardown(self) -> None:
        """Called once after the task's last key, also when the task failed."""


@dataclass(frozen=True)
class Job:
    """A MapReduce job: what to do, not where.

    Parameters
    ----------
    mapper
        Called with each record (or with ``(key, value)`` if it has two positional parameters and follows a step or
        a Result); yields or returns (key, value) pairs, None for none. A first parameter annotated
        ``pa.RecordBatch``, ``pd.DataFrame`` or ``pl.DataFrame`` makes it a batch mapper: a batch in, a batch or frame
        out, whose first column (or ``key``) is the key. A :class:`Mapper` subclass works as well. None hands on the
        pairs of the step before.
    reducer
        An aggregate (``sum``, ``min``, ``max``, ``len``, ``list``, ``set``, one of ``mr.agg``), a dict of them by
        name, or a function ``(key, values)`` or a :class:`Reducer` subclass. None makes a map-only job.
    combiner
        Run inside map tasks on the pairs of one key, as ``(key, values)``. Aggregates bring their own.
    partitioner
        ``(key, partitions) -> int``: which result partition a key belongs to.
    sort_values
        True sorts the values that a reducer function gets; a function gives the sort key of a value.
    sort
        ``"key"`` orders the whole result by key; otherwise rows are sorted within each partition.
    setup, teardown
        Called once in each task, before and after its work. What ``setup`` returns is ``mr.context().state``, and the
        argument of ``teardown`` if that takes one.
    key
        For a batch mapper: the name of the key column, or names for a key that is a tuple.
    name
        What displays call the job.
    join
        Instead of functions: how two sources are joined. It is what :func:`mrkernel.join` makes.

    Raises
    ------
    JobSpecError
        If the functions do not fit together.

    Examples
    --------
    >>> job = Job(lambda line: [(word, 1) for word in line.split()], sum, name="words")
    >>> job.then(Job(lambda word, count: (count, word), list)).n_steps
    2
    """

    mapper: Any = None
    reducer: Any = None
    combiner: Any = field(default=None, kw_only=True)
    partitioner: Callable[[Any, int], int] | None = field(default=None, kw_only=True)
    sort_values: bool | Callable[[Any], Any] = field(default=False, kw_only=True)
    sort: str | None = field(default=None, kw_only=True)
    setup: Callable[[], Any] | None = field(default=None, kw_only=True)
    teardown: Callable[..., None] | None = field(default=None, kw_only=True)
    key: str | tuple[str, ...] | None = field(default=None, kw_only=True)
    name: str = field(default="", kw_only=True)
    join: Join | None = field(default=None, kw_only=True)
    previous: Job | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        for role in ("mapper", "combiner", "partitioner", "setup", "teardown"):
            _check_callable(role, getattr(self, role))
        _check_mapper(self.mapper)
        if self.reduction is None:
            _check_callable("reducer", self.reducer)
            _check_arity("reducer", self.reducer, Reducer)
        if self.combiner is not None and agg.as_reduction(self.combiner) is None:
            _check_arity("combiner", self.combiner, Reducer)
        _check_two("partitioner", self.partitioner, "key and the number of partitions")
        if self.sort not in (None, "key"):
            raise JobSpecError(f"sort = {self.sort!r} cannot be used", hint='sort="key" orders the whole result by key')
        if self.sort and self.partitioner is not None:
            raise JobSpecError('a partitioner and sort="key" exclude each other: the sort decides the partitions')
        if isinstance(self.key, list):
            object.__setattr__(self, "key", tuple(self.key))
        if not (isinstance(self.sort_values, bool) or callable(self.sort_values)):
            raise JobSpecError(
                f"sort_values = {self.sort_values!r} cannot be used: it is True, or a function of a value"
            )
        if not self.name:
            object.__setattr__(self, "name", _function_name(self.mapper) or _function_name(self.reducer) or "job")

    @property
    def reduction(self) -> agg.Reduction | None:
        """What an aggregate as reducer stands for; None for a function or no reducer."""
        return agg.as_reduction(self.reducer) if self.reducer is not None else None

    @property
    def batch_kind(self) -> str:
        """``"arrow"``, ``"arrow table"``, ``"pandas"`` or ``"polars"`` for a batch mapper, ``""`` for records."""
        function = self.mapper.map if _is_class(self.mapper, Mapper) else self.mapper
        parameters = _positional(function)
        if _is_class(self.mapper, Mapper):
            parameters = parameters[1:]
        return _annotated(function, parameters[0], _BATCH_KINDS) if parameters else ""

    @property
    def takes_pairs(self) -> bool:
        """True if the mapper has two required positional parameters: key and value."""
        if self.mapper is None:
            return True
        if _is_class(self.mapper, Mapper):
            return len(_required(self.mapper.map)) == 3
        return len(_required(self.mapper)) == 2

    @property
    def values_kind(self) -> str:
        """How a reducer function wants its values: ``"arrow"``, ``"numpy"``, ``"pandas"``, ``"polars"`` or ``""``."""
        function = self.reducer.reduce if _is_class(self.reducer, Reducer) else self.reducer
        parameters = _positional(function) if callable(function) else []
        offset = 1 if _is_class(self.reducer, Reducer) else 0
        return _annotated(function, parameters[1 + offset], _VALUE_KINDS) if len(parameters) > 1 + offset else ""

    @property
    def steps(self) -> tuple[Job, ...]:
        """The job's steps in the order in which they run."""
        return (*(self.previous.steps if self.previous else ()), self)

    @property
    def n_steps(self) -> int:
        """How many map (and reduce) steps there are."""
        return len(self.steps)

    def then(self, other: Job) -> Job:
        """A job that runs ``other`` on this one's (key, value) pairs."""
        if not isinstance(other, Job):
            raise JobSpecError(
                f"then() takes a Job, not {type(other).__name__}", hint="wrap the functions: mr.Job(...)"
            )
        first, *rest = other.steps
        chained = replace(first, previous=self)
        for step in rest:
            chained = replace(step, previous=chained)
        return chained

    def functions(self) -> Iterator[tuple[str, Any]]:
        """(role, function) of everything of the user's own in this step."""
        for role in ("mapper", "combiner", "reducer", "partitioner", "sort_values", "setup", "teardown"):
            value = getattr(self, role)
            if callable(value) and not isinstance(value, agg.Aggregate):
                yield role, value


def _is_class(value: Any, base: type) -> bool:
    return isinstance(value, type) and issubclass(value, base)


def _function_name(value: Any) -> str:
    name = getattr(value, "__name__", "")
    return "" if name == "<lambda>" else name


def _check_callable(role: str, value: Any) -> None:
    if value is None or callable(value):
        return
    hint = f"pass the function itself, as in {role}={value}" if isinstance(value, str) else "pass a function"
    raise JobSpecError(f"the {role} is {value!r:.60}, a {type(value).__name__}, which cannot be called", hint=hint)


def _positional(function: Any) -> list[inspect.Parameter]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _required(function: Any) -> list[inspect.Parameter]:
    return [parameter for parameter in _positional(function) if parameter.default is parameter.empty]


def _check_mapper(mapper: Any) -> None:
    if mapper is None or _is_class(mapper, Mapper):
        return
    if isinstance(mapper, type) and issubclass(mapper, Reducer):
        raise JobSpecError(f"the mapper {mapper.__name__} is a Reducer", hint="pass it as reducer=")
    needed = _required(mapper)
    if _has_signature(mapper) and (len(needed) > 2 or not (_positional(mapper) or _has_varargs(mapper))):
        raise JobSpecError(
            f"the mapper {_function_name(mapper) or 'function'} takes {_listing(needed)}; it is called with one record",
            hint="a mapper is def mapper(record): or, after another step, def mapper(key, value):",
        )


def _has_signature(function: Any) -> bool:
    try:
        inspect.signature(function)
    except (TypeError, ValueError):
        return False
    return True


def _has_varargs(function: Any) -> bool:
    return any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(function).parameters.values())


def _listing(parameters: list[inspect.Parameter]) -> str:
    names = ", ".join(parameter.name for parameter in parameters)
    return f"{len(parameters)} arguments ({names})" if len(parameters) != 1 else f"1 argument ({names})"


def _check_arity(role: str, function: Any, base: type) -> None:
    if function is None or _is_class(function, base):
        return
    if isinstance(function, type) and issubclass(function, Mapper):
        raise JobSpecError(f"the {role} {function.__name__} is a Mapper", hint="pass it as mapper=")
    _check_two(role, function, "a key and its values")


def _check_two(role: str, function: Any, what: str) -> None:
    if function is None or not _has_signature(function):
        return
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        raise JobSpecError(
            f"the {role} {_function_name(function) or 'function'} takes {_listing(_positional(function))}; "
            f"it is called with 2: {what}",
            hint=f"write it as def {role}({'key, values' if role != 'partitioner' else 'key, partitions'}):",
        ) from None


def _annotated(function: Any, parameter: inspect.Parameter, kinds: dict[tuple[str, str], str]) -> str:
    annotation = parameter.annotation
    if isinstance(annotation, str):
        package, _, name = annotation.strip("'\"").rpartition(".")
        package = _ALIASES.get(package, package)
        found = getattr(function, "__globals__", {}).get(name) if not package else None
        if isinstance(found, type):
            annotation = found
        else:
            return kinds.get((package, name), "")
    if not isinstance(annotation, type):
        return ""
    return kinds.get((annotation.__module__.split(".")[0], annotation.__name__), "")
