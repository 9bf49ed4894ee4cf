"""A job as bytes for the workers: functions by value, and what cannot travel refused by its name."""

from __future__ import annotations

import inspect
import operator
import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

from mrkernel.errors import NotPicklableError
from mrkernel.job import Job

__all__ = ["pack_job"]

_INSTALLED = tuple(
    str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def pack_job(job: Job) -> bytes:
    """The job, with its functions and the user's own modules by value.

    A module counts as the user's own if it is neither installed nor part of Python: one beside the notebook, say. Its
    code as it is now travels with the job, so that no worker runs what it imported before an edit.

    Raises
    ------
    NotPicklableError
        Naming the variable that holds something which cannot travel.
    """
    import cloudpickle

    with _own_modules_by_value():
        try:
            packed: bytes = cloudpickle.dumps(job, protocol=5)
        except Exception as error:  # noqa: BLE001  # pickling runs any object's own code, which may raise anything
            raise _explained(job, error) from None
    return packed


@contextmanager
def _own_modules_by_value() -> Iterator[None]:
    import cloudpickle

    known = set(cloudpickle.list_registry_pickle_by_value())
    registered = []
    for module in _own_modules(_Loaded(sys.modules.values())):
        if module.__name__ not in known:
            cloudpickle.register_pickle_by_value(module)
            registered.append(module)
    try:
        yield
    finally:
        for module in registered:
            # A module that was imported anew meanwhile is another object under the same name.
            if module.__name__ in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.unregister_pickle_by_value(module)


class _Loaded(tuple[Any, ...]):
    """All modules that are loaded, equal to others only if each is the same."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(tuple(map(id, self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Loaded) and len(self) == len(other) and all(map(operator.is_, self, other))


# To look at thousands of modules takes a millisecond, and few jobs come after an import.
@lru_cache(maxsize=1)
def _own_modules(loaded: _Loaded) -> list[ModuleType]:
    return [module for module in loaded if _is_own(module)]


def _is_own(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    name = getattr(module, "__name__", "")
    if not isinstance(module, ModuleType) or not isinstance(file, str) or name in {"__main__", "__mp_main__"}:
        return False
    if name.split(".")[0] == "mrkernel" or not file.endswith(".py"):
        return False
    return not _is_installed(os.path.dirname(file))


# A folder and not each of its files, of which a notebook's process has a thousand: a tenth of a second.
@lru_cache(maxsize=10_000)
def _is_installed(folder: str) -> bool:
    path = os.path.realpath(folder)
    return path.startswith(_INSTALLED) or "site-packages" in path or "dist-packages" in path


def _explained(job: Job, error: BaseException) -> NotPicklableError:
    for step in job.steps:
        for role, function in step.functions():
            if _travels(function):
                continue
            found = _culprit(function)
            if found is None:
                break
            name, value = found
            return NotPicklableError(
                f"the {role} cannot be sent to workers: its variable {name!r} holds a {type(value).__name__}, "
                f"which cannot be pickled",
                hint="create it in setup(), or inside the function",
            )
    return NotPicklableError(f"the job {job.name} cannot be sent to workers: {type(error).__name__}: {error}",
                             hint="create what cannot be pickled in setup(), or inside the function")  # fmt: skip


def _travels(value: Any) -> bool:
    import cloudpickle

    try:
        cloudpickle.dumps(value, protocol=5)
    except Exception:  # noqa: BLE001  # see pack_job
        return False
    return True


def _culprit(function: Any, depth: int = 0) -> tuple[str, Any] | None:
    """The first variable of a function (closure, default, global, attribute) that cannot be pickled."""
    for name, value in _variables(function):
        if isinstance(value, ModuleType) or _travels(value):
            continue
        inner = _culprit(value, depth + 1) if depth < 3 else None
        return inner or (name, value)
    return None


def _variables(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, partial):
        yield from _variables(value.func)
        yield from ((f"argument {number}", item) for number, item in enumerate(value.args, start=1))
        yield from value.keywords.items()
        return
    function = inspect.unwrap(value) if callable(value) and not isinstance(value, type) else value
    if isinstance(function, MethodType):
        yield from getattr(function.__self__, "__dict__", {}).items()
        function = function.__func__
    if isinstance(function, FunctionType):
        found = inspect.getclosurevars(function)
        yield from found.nonlocals.items()
        yield from found.globals.items()
        defaults = function.__defaults__ or ()
        n_arguments = function.__code__.co_argcount
        yield from zip(function.__code__.co_varnames[n_arguments - len(defaults) : n_arguments], defaults, strict=True)
        yield from (function.__kwdefaults__ or {}).items()
    elif isinstance(function, type):
        for name, item in vars(function).items():
            if isinstance(item, FunctionType):
                yield from _variables(item)
            elif not isinstance(item, (staticmethod, classmethod, property)):
                yield name, item
    elif hasattr(function, "__dict__"):
        yield from vars(function).items()
