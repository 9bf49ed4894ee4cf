"""What tests of several folders share: one embedded cluster of two workers, and jobs on either executor."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import mrkernel as mr

# A shell's jobs in the background ignore Ctrl-C, and so would this process and the programs that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

DATA = Path(__file__).parents[1] / "notebooks" / "data"


@pytest.fixture(scope="session")
def _cluster_closed_at_the_end() -> Iterator[None]:
    yield
    from mrkernel.cluster import current

    running = current()
    if running:
        running.close()


@pytest.fixture
def cluster(_cluster_closed_at_the_end: None) -> mr.Cluster:
    """The embedded cluster of this process with two workers, started by the first test that asks for it."""
    from mrkernel.cluster import embedded

    return embedded(workers=2)


@pytest.fixture(params=["inline", pytest.param("cluster", marks=pytest.mark.cluster)])
def executor(request: pytest.FixtureRequest) -> str:
    """``"inline"`` and ``"cluster"`` in turn: what ``mr.run(…, executor=executor)`` takes."""
    if request.param == "cluster":
        request.getfixturevalue("cluster")
    return str(request.param)


@pytest.fixture
def run(executor: str) -> Callable[..., mr.Result]:
    """``mr.run`` on each executor in turn."""
    return partial(mr.run, executor=executor)


@pytest.fixture
def inline() -> Callable[..., mr.Result]:
    """``mr.run`` in this process."""
    return partial(mr.run, executor="inline")


@pytest.fixture
def no_shuffle_left(cluster: mr.Cluster) -> Iterator[None]:
    """Asserts that the test left no shuffle folder on the cluster."""
    yield
    assert _shuffle_folders(cluster) == []


def _shuffle_folders(cluster: Any) -> list[str]:
    return [name for name in os.listdir(cluster.scratch_dir) if name.startswith("shuffle-")]


@pytest.fixture(scope="session")
def kjv() -> str:
    """The King James Bible as it ships with the notebooks: 31,102 lines in six files, each with its reference first."""
    return str(DATA / "kjv" / "*.txt")


@pytest.fixture(scope="session")
def flights() -> Path:
    """The folder of the flights data that ships with the notebooks."""
    return DATA / "flights"
