"""How far does one driver reach? The real planner and driver over simulated workers, with up to a million splits.

``python -m tests.benchmarks.scale`` plans and drives jobs of 10,000, 100,000 and 1,000,000 splits on 1,000 workers that
only pretend to work, each job in a process of its own, and prints what a split costs the driver in time and memory.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import cloudpickle

import mrkernel as mr
from mrkernel.config import settings
from mrkernel.engine import Driver, Outcome, Run
from mrkernel.engine.executor import AttemptStarted, Message, TaskCall, WorkersSeen
from mrkernel.engine.sharing import Sharing
from mrkernel.engine.tasks import MapCall, ReduceCall, TaskReport
from mrkernel.engine.telemetry import resident_bytes
from mrkernel.events import KeyShares, Phase, SlowPartition, WorkerSample
from mrkernel.planner import make_plan
from mrkernel.progress import ProgressTracker

__all__ = ["Cost", "SimulatedExecutor", "main", "measure", "simulate"]

_CHUNK = 1 << 20
_AHEAD = 8
_ROWS_PER_SPLIT = 2_000
# So many that the driver leaves them where they are.
_ROWS_PER_PART = 200_000
# A display looks so often; here of processor time, so that a busy machine does not make it more.
_LOOK_S = 0.25
_WEIGHED, _DIFFERENT = 20, 100
# How often an executor over dask asks for the state of all workers.
_SAMPLE_S_PER_WORKER = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a job cost the process that drives it.

    Attributes
    ----------
    plan_s, driver_s
        Processor seconds of the planner, and of the driver with its listener; the simulation's own left out.
    peak_bytes
        By how much the process grew.
    call_bytes
        Size of a call as it is sent, the largest of some; what calls share is sent once.
    shared_bytes
        Size of what they share.
    simulated_s
        How long the job would have taken.
    """

    n_splits: int
    n_tasks: int
    n_partitions: int
    plan_s: float
    driver_s: float
    peak_bytes: int
    call_bytes: int
    shared_bytes: int
    simulated_s: float

    @property
    def split_us(self) -> float:
        """Microseconds for each split."""
        return 1e6 * (self.plan_s + self.driver_s) / self.n_splits

    @property
    def split_bytes(self) -> float:
        """Bytes for each split."""
        return self.peak_bytes / self.n_splits


class SimulatedExecutor:
    """An executor whose workers answer each call with a report that could be true, in time that only they see.

    Parameters
    ----------
    n_workers
        How many there are.
    folder
        Where their runs would be.
    """

    def __init__(self, n_workers: int, folder: str) -> None:
        self.n_workers, self.ahead = n_workers, _AHEAD * n_workers
        self._folder = folder
        self._workers = [f"tcp://10.0.{n // 250}.{n % 250}:40001" for n in range(n_workers)]
        self._free = list(range(n_workers))
        self._queue: deque[TaskCall] = deque()
        self._running: list[tuple[float, int, TaskCall]] = []
        self._drawn = random.Random(1)
        self._sharing = Sharing(self._hold, cloudpickle.dumps, "simulated")
        self._messages: list[Message] = []
        self.now = self._sample_due = time.time()
        self.own_s = 0.0
        self.call_bytes = self.shared_bytes = 0
        self._some_rows: list[tuple[int, ...]] = []
        self._weighed: dict[str, int] = {}

    def _hold(self, _key: str, content: bytes) -> int:
        self.shared_bytes += len(content)
        return len(content)

    def start(self, calls: Sequence[TaskCall]) -> None:
        """Queue attempts."""
        began = time.process_time()
        for call in calls:
            if self._weighed.setdefault(call.stage, 0) < _WEIGHED or call.task % 1_000 == 0:
                self._weighed[call.stage] += 1
                light, _ = self._sharing.lightened([call])
                self.call_bytes = max(self.call_bytes, len(cloudpickle.dumps(light[0])))
        self._queue.extend(calls)
        self.own_s += time.process_time() - began

    def poll(self, timeout_s: float) -> list[Message]:
        """Let simulated time pass until an attempt ends, and a hundred more if that many run."""
        began = time.process_time()
        self._begin()
        for _ in range(min(len(self._running), 100)):
            self.now, worker, call = heappop(self._running)
            self._free.append(worker)
            self._messages.append(self._report(call, self._workers[worker]))
            self._begin()
        if self.now >= self._sample_due:
            self._sample_due = self.now + _SAMPLE_S_PER_WORKER * self.n_workers
            self._messages.append(self._seen())
        messages, self._messages = self._messages, []
        self.own_s += time.process_time() - began
        return messages

    def _begin(self) -> None:
        while self._queue and self._free:
            call, worker = self._queue.popleft(), self._free.pop()
            self._messages.append(AttemptStarted(stage=call.stage, task=call.task, worker=self._workers[worker]))
            heappush(self._running, (self.now + self._drawn.lognormvariate(0.0, 0.4), worker, call))

    def _report(self, call: TaskCall, worker: str) -> TaskReport:
        seconds = self._drawn.lognormvariate(0.0, 0.4)
        name = f"{self._folder}/{call.stage}-{call.task:05d}-{self._drawn.getrandbits(32):08x}.arrow"
        common: dict[str, Any] = {
            "stage": call.stage, "task": call.task, "attempt": call.attempt, "worker": worker, "seconds": seconds,
            "began": self.now - seconds, "started_at": self.now - seconds, "records_out": _ROWS_PER_SPLIT,
            "bytes_in": _CHUNK, "bytes_out": 40_000,
        }  # fmt: skip
        if isinstance(call, MapCall):
            rows = self._rows(call.n_partitions)
            run = Run(task=call.task, path=name, worker=worker, rows=rows, n_bytes=40_000, is_small=True)
            return TaskReport(
                **common, runs=(run,), records_in=10_000, keys=KeyShares(n_pairs=sum(rows), heavy={"the": 400}),
                phases=(Phase("map", 0.0, 0.9 * seconds), Phase("write", 0.9 * seconds, seconds)),
                phase_seconds={"read": 0.1 * seconds, "map": 0.8 * seconds, "write": 0.1 * seconds},
            )  # fmt: skip
        assert isinstance(call, ReduceCall)
        part = Run(task=call.task, path=name, worker=worker, rows=(_ROWS_PER_PART,), n_bytes=4_000_000)
        slowest = SlowPartition(stage=call.stage, task=call.task, partition=call.partitions[0], seconds=seconds,
                                n_rows=_ROWS_PER_PART)  # fmt: skip
        return TaskReport(
            **common, runs=(part,), records_in=_ROWS_PER_PART,
            keys=KeyShares(n_pairs=_ROWS_PER_PART, partition_s=seconds, slowest=slowest),
            phases=(Phase("fetch", 0.0, 0.4 * seconds), Phase("reduce", 0.4 * seconds, seconds)),
            phase_seconds={"fetch": 0.4 * seconds, "reduce": 0.6 * seconds},
        )  # fmt: skip

    def _rows(self, n_partitions: int) -> tuple[int, ...]:
        if not self._some_rows:
            most = 2 * _ROWS_PER_SPLIT // n_partitions
            self._some_rows = [
                tuple(self._drawn.randrange(most) for _ in range(n_partitions)) for _ in range(_DIFFERENT)
            ]
        return self._drawn.choice(self._some_rows)

    def _seen(self) -> WorkersSeen:
        return WorkersSeen(workers=tuple(WorkerSample(worker=one, name=f"worker-{n}", memory=1 << 28)
                                         for n, one in enumerate(self._workers)))  # fmt: skip

    def hurry(self, *, is_forced: bool) -> None:
        """Nothing runs that could be told to stop."""

    def stop(self, *, grace_s: float, say: Callable[[str], None]) -> None:
        """Nothing runs that could be stopped."""

    def remove(self, folder: str) -> None:
        """Nothing was written."""

    def bring(self, runs: Sequence[Run]) -> list[Run]:
        """The runs as they are."""
        return list(runs)


def _count(line: str) -> Iterator[tuple[str, int]]:
    for word in line.split():
        yield word, 1


def _total(_word: str, counts: Any) -> int:
    return sum(counts)


class _Watched:
    """A tracker of which somebody shows snapshots."""

    def __init__(self) -> None:
        self.tracker = ProgressTracker()
        self._due = 0.0

    def __call__(self, event: Any) -> None:
        self.tracker(event)
        if time.process_time() >= self._due:
            self.tracker.snapshot()
            self._due = time.process_time() + _LOOK_S


def simulate(n_splits: int, *, n_workers: int = 1_000) -> tuple[Cost, Outcome, ProgressTracker]:
    """Plan and drive a job of so many splits; the file that it would read is all holes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "holes.txt"
        with path.open("wb") as file:
            file.truncate(n_splits * _CHUNK)
        before = resident_bytes()
        began = time.process_time()
        job = mr.Job(_count, _total)
        plan = make_plan(job, mr.source(str(path)), settings(chunk_size=_CHUNK), n_workers)
        planned = time.process_time()
        executor, watched = SimulatedExecutor(n_workers, folder), _Watched()
        driver = Driver(
            plan, executor, job=cloudpickle.dumps(job), job_id="simulated", scratch=folder, results=f"{folder}/result",
            emit=watched, as_source=lambda _runs: plan.first.source,
        )  # fmt: skip
        started = executor.now
        outcome = driver.run()
        driven_s = time.process_time() - planned - executor.own_s
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << (0 if sys.platform == "darwin" else 10)
    stages = watched.tracker.snapshot().stages
    cost = Cost(
        n_splits=len(plan.first.splits), n_tasks=sum(stage.done for stage in stages), plan_s=planned - began,
        n_partitions=plan.first.n_partitions, driver_s=driven_s, peak_bytes=max(0, peak - before),
        call_bytes=executor.call_bytes, shared_bytes=executor.shared_bytes, simulated_s=executor.now - started,
    )  # fmt: skip
    return cost, outcome, watched.tracker


def measure(n_splits: int, n_workers: int) -> Cost:
    """What a job costs in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.scale", str(n_splits), "--workers", str(n_workers), "--here"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=Path(__file__).parents[2])
    return Cost(**json.loads(done.stdout))


def _line(cost: Cost, first: Cost) -> str:
    return (
        f"{cost.n_splits:>9,} splits × {cost.n_partitions} partitions, {cost.n_tasks:,} tasks: "
        f"plan {cost.plan_s:.1f} s, driver {cost.driver_s:.1f} s, {cost.split_us:.0f} µs a split "
        f"({cost.split_us / first.split_us:.2f} × linear); {cost.peak_bytes / 1e6:,.0f} MB, {cost.split_bytes:,.0f} "
        f"bytes a split ({cost.split_bytes / first.split_bytes:.2f} × linear); calls of {cost.call_bytes:,} bytes, "
        f"{cost.shared_bytes / 1e6:.2f} MB shared\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure jobs of several sizes and print what they cost."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("splits", nargs="*", type=int, default=[10_000, 100_000, 1_000_000], help="sizes of the jobs")
    parser.add_argument("--workers", type=int, default=1_000, help="how many are simulated")
    parser.add_argument("--here", action="store_true", help="in this process, and print it as JSON")
    options = parser.parse_args(arguments)
    if options.here:
        for n_splits in options.splits:
            sys.stdout.write(json.dumps(asdict(simulate(n_splits, n_workers=options.workers)[0])))
        return 0
    first = None
    for n_splits in options.splits:
        cost = measure(n_splits, options.workers)
        first = first or cost
        sys.stdout.write(_line(cost, first))
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
