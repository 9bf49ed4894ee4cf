"""mrkernel: MapReduce in notebook cells, over Arrow record batches, on a dask cluster of worker processes.

Words, counted::

    import mrkernel as mr

    def mapper(line):
        for word in line.lower().split():
            yield word, 1

    result = mr.run(mr.Job(mapper, sum), "books/*.txt")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mrkernel import agg as agg
    from mrkernel import errors as errors
    from mrkernel.cluster import Cluster as Cluster
    from mrkernel.cluster import cluster as cluster
    from mrkernel.io import Origin as Origin
    from mrkernel.io import Part as Part
    from mrkernel.io import RecordBlock as RecordBlock
    from mrkernel.io import Sink as Sink
    from mrkernel.io import Source as Source
    from mrkernel.io import Split as Split
    from mrkernel.io import files as files
    from mrkernel.io import source as source
    from mrkernel.job import Job as Job
    from mrkernel.job import Mapper as Mapper
    from mrkernel.job import Reducer as Reducer
    from mrkernel.result import Result as Result
    from mrkernel.session import JobHandle as JobHandle
    from mrkernel.session import explain as explain
    from mrkernel.session import join as join
    from mrkernel.session import run as run
    from mrkernel.session import submit as submit
    from mrkernel.taskcontext import context as context
    from mrkernel.taskcontext import counter as counter
    from mrkernel.tour import Walkthrough as Walkthrough
    from mrkernel.tour import walkthrough as walkthrough
    from mrkernel.tuning import Tuning as Tuning
    from mrkernel.tuning import tune as tune

__version__ = "0.1.0"

# Everything arrives when first used, so that `import mrkernel` stays quick (0.2 s instead of 3).
_HOMES = {
    "Cluster": "cluster", "Job": "job", "JobHandle": "session", "Mapper": "job", "Origin": "io", "Part": "io",
    "RecordBlock": "io", "Reducer": "job", "Result": "result", "Sink": "io", "Source": "io", "Split": "io",
    "context": "taskcontext", "counter": "taskcontext", "custom": "io", "explain": "session",
    "files": "io", "join": "session", "open_sink": "io", "read_csv": "io", "read_files": "io", "read_ipc": "io",
    "read_json": "io", "read_parquet": "io", "read_text": "io", "register": "io", "run": "session", "source": "io",
    "submit": "session",
    "Tuning": "tuning", "tune": "tuning",
    "Walkthrough": "tour", "walkthrough": "tour",
}  # fmt: skip
_MODULES = ("agg", "cluster", "errors", "events", "testing")

_NAMES = ("__version__", "load_ipython_extension", "unload_ipython_extension")
__all__ = [*_NAMES, *_HOMES, *_MODULES]  # noqa: PLE0604  # a dict's keys are strings as well


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"mrkernel.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'mrkernel' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mrkernel.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """What ``%load_ext mrkernel`` calls: registers the magics and starts the embedded cluster in the background."""
    from mrkernel.magics import load_ipython_extension as load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """What ``%unload_ext mrkernel`` calls: takes the magics back."""
    from mrkernel.magics import unload_ipython_extension as unload

    unload(shell)
