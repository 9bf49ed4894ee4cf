"""Finds a job, or a function, that the command line names as ``module:name`` or ``file.py:name``."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from mrkernel.cellspec import aggregate, aggregate_names
from mrkernel.errors import OptionError
from mrkernel.job import Job

__all__ = ["load_job", "load_object"]


def load_job(where: str, reducer: str | None = None, combiner: str | None = None) -> Job:
    """The Job at ``where``, or one made of the mapper function there and a reducer.

    Raises
    ------
    OptionError
        Where nothing usable is found; it names the nearest name.
    """
    found = load_object(where)
    if isinstance(found, Job):
        if reducer or combiner:
            raise OptionError(f"{where} is a whole job, so --reducer and --combiner do not fit",
                              hint="name the mapper function instead of the job")  # fmt: skip
        return found
    if not callable(found):
        raise OptionError(f"{where} is a {type(found).__name__}, neither a Job nor a mapper function",
                          hint="name a Job, as in job = mr.Job(mapper=…, reducer=…)")  # fmt: skip
    return Job(found, _reducer(reducer), combiner=_reducer(combiner))


def load_object(where: str) -> Any:
    """What ``module:name`` or ``file.py:name`` stands for; the name may have dots."""
    place, colon, name = where.rpartition(":")
    if not colon or not place or not name:
        raise OptionError(f"{where!r} does not name a job", hint="write it as module:name or file.py:name")
    found: Any = _module(place)
    for part in name.split("."):
        if not hasattr(found, part):
            names = [n for n in vars(found) if not n.startswith("_")] if hasattr(found, "__dict__") else []
            close = get_close_matches(part, names, n=1)
            raise OptionError(f"{place} has no {part}", hint=f"did you mean {close[0]}?" if close else None)
        found = getattr(found, part)
    return found


def _reducer(name: str | None) -> Any:
    if name is None:
        return None
    if ":" in name:
        return load_object(name)
    if name not in aggregate_names():
        close = get_close_matches(name, aggregate_names(), n=1)
        raise OptionError(f"there is no aggregate {name!r}", hint=f"did you mean {close[0]}?" if close else
                          "name an aggregate, as sum, or a function, as module:name")  # fmt: skip
    return aggregate(name)


def _module(place: str) -> ModuleType:
    file = Path(place)
    if place.endswith(".py") or os.sep in place:
        if not file.is_file():
            raise OptionError(f"there is no file {place}", hint=f"the folder is {os.getcwd()}")
        return _from_file(file)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(error.name + ".")):
            raise OptionError(f"there is no module {place}", hint="a file is named with its .py") from None
        raise _broken(place, error) from None
    except Exception as error:  # noqa: BLE001  # the user's module may raise anything
        raise _broken(place, error) from None


def _from_file(file: Path) -> ModuleType:
    # Under its own name, so that what is defined there can be found again when it is pickled.
    name = file.stem if file.stem.isidentifier() and file.stem not in sys.modules else f"mrkernel_job_{abs(hash(file))}"
    spec = importlib.util.spec_from_file_location(name, file.resolve())
    if spec is None or spec.loader is None:
        raise OptionError(f"cannot load {file}: it is no Python file", hint="name a file that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001  # the user's module may raise anything
        del sys.modules[name]
        raise _broken(str(file), error) from None
    return module


def _broken(place: str, error: Exception) -> OptionError:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    own = [f for f in frames if f.filename != __file__]
    if isinstance(error, SyntaxError):
        at = f"{error.filename}, line {error.lineno}"
    else:
        at = f"{own[-1].filename}, line {own[-1].lineno}" if own else place
    return OptionError(f"cannot load {place}: {type(error).__name__}: {error} ({at})", hint="mend the file first")
