"""Which runs to make in the time there is: a careful first look, then chunk sizes, workers, partitions, combining."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mrkernel.config import counted, format_duration
from mrkernel.errors import MrkernelError
from mrkernel.tuning.choice import Choice, exact_size, round_size
from mrkernel.tuning.measured import Measured
from mrkernel.tuning.rig import Rig

__all__ = ["Experiment"]

_FIRST_RECORDS = 4
_MORE_RECORDS = 8
# Of the time: a first look long enough to trust, all runs of samples, and what a comparison at the end may take.
_LOOK, _RUNS = 0.04, 0.6
_CHUNK_SIZES = 4
_MOST_TASKS = 256
_LARGEST_CHUNK = 256 << 20
_MOST_CHUNKS = 4096


class Experiment:
    """The runs of one tuning.

    Parameters
    ----------
    budget_s
        Seconds that all runs together may take.
    workers
        Numbers of workers to measure, from 1 to those that there are; None is all of them, half of them, and one.
    say
        Called before each run with (runs done, runs planned, words).
    """

    def __init__(
        self,
        rig: Rig,
        budget_s: float,
        *,
        workers: Sequence[int] | None = None,
        say: Callable[[int, int, str], None] = lambda done, planned, words: None,
    ) -> None:
        self._rig, self._say = rig, say
        self._budget_s = budget_s
        self._began = time.perf_counter()
        n = rig.n_workers
        self.workers = sorted({*workers} if workers else {n, max(1, n // 2), 1}, reverse=True)
        self.runs: list[Measured] = []
        self._planned = 0

    @property
    def left_s(self) -> float:
        """Seconds of the time that are left."""
        return self._budget_s - (time.perf_counter() - self._began)

    def explore(self) -> list[Measured]:
        """Make the runs.

        Raises
        ------
        MrkernelError
            If the time was over before one task of the sample ended, or the job fails.
        """
        self._planned = 3
        per_byte_s = self._look()
        choices = self._choices(per_byte_s)
        self._planned = len(self.runs) + len(choices)
        each_s = self._budget_s * _RUNS / max(1, len(choices))
        for choice in choices:
            if self.left_s < self._budget_s * (1 - _RUNS) / 2:
                break
            self._run(choice, per_byte_s, each_s)
        if not any(run.is_full and run.has_ended for run in self.runs):
            self._smallest(per_byte_s)
        return self.runs

    def _look(self) -> float:
        """Seconds for each byte of input, from a few records of a few places, then more of them."""
        rig, records = self._rig, _FIRST_RECORDS
        workers = self.workers[0]
        chunk = rig.layouts.chunk_bytes(None, workers)
        places = min(len(rig.layouts.at(chunk)), max(4, 2 * workers))
        per_byte_s = 0.0
        while True:
            self.tell(f"{counted(places, 'place')} of the input, {counted(records, 'record')} each")
            run = rig.sample(Choice(chunk_size=chunk, workers=workers), n_splits=places, max_records=records,
                             limit_s=self.left_s * (0.5 if self.runs else 1.0))  # fmt: skip
            tasks = run.maps.tasks
            if not tasks and self.runs:
                return per_byte_s
            if not tasks and places:
                raise MrkernelError(
                    f"cannot tune {rig.job.name}: none of {counted(places, 'task')} of at most "
                    f"{counted(records, 'record')} ended within {format_duration(self._budget_s)}",
                    hint="give it more time: a larger budget",
                )
            self.runs.append(run)
            n_bytes = sum(task.n_bytes for task in tasks)
            seconds = sum(task.seconds for task in tasks)
            per_byte_s = seconds / max(n_bytes, 1.0)
            is_all = sum(task.records for task in tasks) < records * len(tasks)
            if is_all or not run.has_ended or seconds > self._budget_s * _LOOK * workers or not n_bytes:
                return per_byte_s
            records *= _MORE_RECORDS

    def _choices(self, per_byte_s: float) -> list[Choice]:
        """What to run: chunk sizes from those that hold a record to those that take as long as a run may."""
        layouts, most = self._rig.layouts, self.workers[0]
        planned, size = layouts.chunk_bytes(None, most), layouts.span(most)
        # A chunk that takes longer than a run may is not measured whole; its time follows from smaller ones.
        longest_s = self._budget_s * _RUNS / (_CHUNK_SIZES + 4)
        longest = longest_s / per_byte_s * size / max(1, layouts.size or 1) if per_byte_s else size
        top = max(1.0, min(size / most, 4.0 * planned, longest, _LARGEST_CHUNK))
        bottom = max(1.0, size / _MOST_CHUNKS, self._record_bytes(), top / 64)
        steps = [bottom * (max(top, bottom) / bottom) ** (n / (_CHUNK_SIZES - 1)) for n in range(_CHUNK_SIZES)]
        sizes = sorted({min(round_size(one), _LARGEST_CHUNK) for one in steps})
        if planned <= top and not any(0.8 < planned / one < 1.25 for one in sizes):
            sizes = sorted({*sizes, planned})
        return sorted(self._affordable(self._ranked(sizes, planned)), key=_memory_order)

    def _ranked(self, sizes: list[int], planned: int) -> list[Choice]:
        """All that is worth a run, what tells most first."""
        rig, most, step = self._rig, self.workers[0], self._rig.job.steps[0]
        middle = sizes[len(sizes) // 2]
        first = [sizes[0], sizes[-1], middle, *([planned] if planned in sizes else [])]
        choices = [Choice(chunk_size=one, workers=most) for one in first]
        choices += [Choice(chunk_size=middle, workers=workers) for workers in self.workers[1:]]
        reduction = step.reduction
        can_combine = step.combiner is not None or (reduction is not None and reduction.is_algebraic)
        if can_combine and "combine" not in rig.settings:
            choices.append(Choice(chunk_size=middle, workers=most, combine=False))
        can_partition = (step.reducer is not None or step.sort is not None) and step.partitioner is None
        if can_partition and most > 1 and "reducers" not in rig.settings:
            choices.append(Choice(chunk_size=middle, workers=most, reducers=2 * most))
        choices += [Choice(chunk_size=one, workers=most) for one in sizes]
        choices += [Choice(chunk_size=sizes[0], workers=workers) for workers in self.workers[1:]]
        return list(dict.fromkeys(choices))

    def _affordable(self, choices: list[Choice]) -> list[Choice]:
        """As many as the time allows, where each takes what a job costs by itself, and as long for its work."""
        last = self.runs[-1]
        alone_s = max(0.02, last.seconds - last.task_s / self.workers[0])
        return choices[: max(2, int(self._budget_s * _RUNS / (2 * alone_s)))]

    def _record_bytes(self) -> float:
        tasks = [task for run in self.runs for task in run.maps.tasks]
        records = sum(task.records for task in tasks)
        return sum(task.n_bytes for task in tasks) / records if records else 1.0

    def _run(self, choice: Choice, per_byte_s: float, each_s: float) -> None:
        chunk, workers = int(choice.chunk_size or 1), int(choice.workers or 1)
        layout = self._rig.layouts.at(chunk)
        chunks = len(layout)
        one_s = self._task_s() + per_byte_s * float(layout.n_bytes.mean() if chunks else 0.0)
        affordable = each_s * workers / one_s
        n_splits = int(max(workers, min(chunks, affordable, _MOST_TASKS)))
        self.tell(f"{counted(min(n_splits, chunks), 'chunk')} of {exact_size(chunk)} on {counted(workers, 'worker')}")
        run = self._rig.sample(choice, n_splits=n_splits, limit_s=min(3 * each_s + 1, max(1.0, self.left_s)))
        if run.maps.tasks:
            self.runs.append(run)

    def _task_s(self) -> float:
        """Seconds of a task with next to no records; not less than what scheduling takes."""
        looks = [task.seconds for run in self.runs if not run.is_full for task in run.maps.tasks]
        return max(0.002, min(looks, default=0.0))

    def _smallest(self, per_byte_s: float) -> None:
        """Where no chunk could be run whole, at least the smallest ones: one record each."""
        self._run(
            Choice(chunk_size=max(1, int(self._record_bytes())), workers=self.workers[0]), per_byte_s, self.left_s / 4
        )

    def tell(self, words: str) -> None:
        """Say what is measured next."""
        self._say(len(self.runs), max(self._planned, len(self.runs) + 1), words)


def _memory_order(choice: Choice) -> tuple[bool, int, int]:
    """Small chunks first, for a worker's memory grows and rarely shrinks."""
    return choice.combine is False, choice.chunk_size or 0, -(choice.workers or 0)
