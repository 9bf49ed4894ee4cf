"""How long a job still needs, and how far that may be off."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from mrkernel.progress.snapshot import Eta, StageProgress
from mrkernel.progress.tally import StageTally

__all__ = ["Forecast"]

# Before this, or with less done, a prediction says more about how a worker starts than about the job.
_LEAST_S, _LEAST_DONE = 1.0, 0.02
# Nine of ten cases of a normal distribution.
_SIGMAS = 1.65
# Seconds of work for a byte in stages that have not begun: low, likely, high. Reducing with aggregates passes
# 400 MB/s in a worker, Python functions 3 to 20.
_REDUCE_S_PER_BYTE = (1 / 400e6, 1 / 20e6, 1 / 3e6)
_SAVE_S_PER_BYTE = (1 / 500e6, 1 / 80e6, 1 / 10e6)
# What a later step reads is mostly less than what the one before wrote for it.
_SHRINK = (0.05, 0.5, 1.0)
# Dispatch and the first answer, on an idle machine and on a busy one.
_STAGE_S, _LATE_STAGE_S = 0.05, 0.5
_EVERY_S = 0.2
# Moments to remember for each time that a job's age grows by e: so many that the first eighth of it is still known.
_MOMENTS = 400
# Machines are shared, and caches fill: the speed of the next minute is not that of the last one, even if tasks are.
_FLOOR = 0.1
# While little is done, what was measured is mostly how workers start.
_START = 0.02
_SLOWEST = 10.0
# Times of few tasks say little about their spread.
_PRIOR_SPREAD, _PRIOR_TASKS = 0.5, 3


# A Python function that takes its time for each row.
_SLOW_ROW_S = 1e-3
# Sizes of smaller stages are mostly those of the files' headers.
_LEAST_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class _Range:
    low: float
    likely: float
    high: float

    def __add__(self, other: _Range) -> _Range:
        # Errors of different stages have different causes: they add up as squares do.
        likely = self.likely + other.likely
        below = math.hypot(self.likely - self.low, other.likely - other.low)
        above = math.hypot(self.high - self.likely, other.high - other.likely)
        return _Range(max(0.0, likely - below), likely, likely + above)


# After the last stage: files are moved and removed, and a process imports what its first result needs.
_END = _Range(0.0, 0.05, 1.0)


class Forecast:
    """Predicts from the stages' speed and the spread of task times, and remembers what it has predicted.

    The range holds what the spread of the task times allows, and every end that was predicted in the second half of
    the time so far: a prediction that has been moving is still moving.
    """

    def __init__(self) -> None:
        self._made: deque[tuple[float, float]] = deque(maxlen=2_000)
        self._seen: dict[str, deque[tuple[float, float]]] = {}

    def predict(
        self, elapsed: float, tallies: Sequence[StageTally], stages: Sequence[StageProgress], n_workers: int
    ) -> Eta | None:
        """The time from now to the job's end, or None while that would be a guess."""
        running = next((stage for stage in stages if stage.state == "running"), None)
        if running is not None:
            self._remember(running)
        first = next((stage for stage in stages if stage.state != "waiting"), None)
        if first is None or elapsed < _LEAST_S or (first is running and first.fraction < _LEAST_DONE):
            return None
        total = _END
        n_bytes = _Range(0.0, 0.0, 0.0)
        for tally, stage in zip(tallies, stages, strict=True):
            if stage.state == "running":
                total += self._rest(tally, stage, n_workers, n_bytes)
            elif stage.state == "waiting":
                total += _unbegun(stage.name, n_bytes, n_workers, stages)
            n_bytes = _output(stage, n_bytes)
        return self._widened(elapsed, total)

    def _remember(self, stage: StageProgress) -> None:
        seen = self._seen.setdefault(stage.name, deque(maxlen=1_000))
        if not seen or stage.seconds - seen[-1][0] >= _spacing_s(stage.seconds):
            seen.append((stage.seconds, stage.fraction))

    def _rest(self, tally: StageTally, stage: StageProgress, n_workers: int, n_bytes: _Range) -> _Range:
        """What a running stage still needs."""
        if stage.fraction < _LEAST_DONE:
            whole = _unbegun(stage.name, n_bytes, n_workers, ())
            # What takes longer than it should will do so for a while yet.
            high = max(whole.high - stage.seconds, stage.seconds, whole.high / 4)
            return _Range(0.0, max(whole.likely - stage.seconds, whole.likely / 4, stage.seconds / 4), high)
        overall = stage.seconds * (1 - stage.fraction) / stage.fraction
        lately = self._lately(stage, overall)
        mean, spread = tally.mean_and_spread()
        n_done, n_left = len(tally.times), max(1, stage.total - stage.done)
        spread = (spread * n_done + _PRIOR_SPREAD * mean * _PRIOR_TASKS) / (n_done + _PRIOR_TASKS)
        likely = max((overall + lately) / 2, self._by_tasks(tally, stage, mean, n_workers))
        by_bytes = _by_bytes(stage)
        # The last tasks run while other workers have nothing left to do.
        tail = min(mean / 2, likely) * (1 - 1 / n_workers) if n_left > 1 else 0.0
        relative = math.hypot(spread / mean / math.sqrt(max(1, n_done)) if mean else _PRIOR_SPREAD, _FLOOR)
        error = _SIGMAS * math.hypot(relative * likely, spread * math.sqrt(n_left) / n_workers)
        faster, slower = self._turned_out(stage)
        below = math.hypot(error, likely * (1 - faster)) + likely * min(0.5, _START / stage.fraction)
        above = math.hypot(error, likely * (slower - 1)) + likely * _START / stage.fraction
        high = max(likely + tail + above + min(spread, likely) + _overdue(tally, stage, mean), by_bytes)
        return _Range(max(0.0, likely - below), math.sqrt(likely * max(likely, by_bytes)) + tail / 2, high)

    def _turned_out(self, stage: StageProgress) -> tuple[float, float]:
        """How many times as long, at least and at most, things took as was to be expected at earlier moments."""
        now, done = stage.seconds, stage.fraction
        took = [
            (now - since) / (done - before) * before / since
            for since, before in self._seen.get(stage.name, ())
            if since > 0 and before >= _LEAST_DONE and now / 8 <= since <= now * 3 / 4 and done > before
        ]
        return min([1.0, *took]), min(max([1.0, *took]), _SLOWEST)

    @staticmethod
    def _by_tasks(tally: StageTally, stage: StageProgress, mean: float, n_workers: int) -> float:
        """What whole tasks still need where their bytes are not told while they run."""
        if not mean:
            return 0.0
        n_waiting = max(0, stage.total - stage.done - stage.running)
        running_s = sum(max(mean - age, age / 4) for age in _ages(tally, stage))
        return (running_s + n_waiting * mean) / min(n_workers, max(1, n_waiting + stage.running))

    def _lately(self, stage: StageProgress, overall: float) -> float:
        """The rest at the speed of the second half of the stage's time so far."""
        half = stage.seconds / 2
        since, done = next(((s, f) for s, f in self._seen.get(stage.name, ()) if s >= half), (0.0, 0.0))
        if stage.fraction - done < _LEAST_DONE or stage.seconds <= since:
            return overall
        return (stage.seconds - since) * (1 - stage.fraction) / (stage.fraction - done)

    def _widened(self, elapsed: float, rest: _Range) -> Eta:
        if not self._made or elapsed - self._made[-1][0] >= _spacing_s(elapsed):
            self._made.append((elapsed, elapsed + rest.likely))
        while self._made and self._made[0][0] < elapsed / 2:
            self._made.popleft()
        ends = [end - elapsed for _, end in self._made]
        low, high = min([rest.low, *ends]), max([rest.high, *ends])
        return Eta(seconds=rest.likely, low_s=max(0.0, low), high_s=high)


def _spacing_s(age_s: float) -> float:
    return max(_EVERY_S, age_s / _MOMENTS)


def _ages(tally: StageTally, stage: StageProgress) -> list[float]:
    now = (tally.started or 0.0) + stage.seconds
    return [max(0.0, now - one.since) for one in tally.running.values()]


def _overdue(tally: StageTally, stage: StageProgress, mean: float) -> float:
    """How much longer a task may take that has been running for much longer than the others did."""
    oldest = max(_ages(tally, stage), default=0.0)
    return oldest if oldest > 1.5 * mean else 0.0


def _by_bytes(stage: StageProgress) -> float:
    """What a stage needs if its bytes tell more than its tasks, as where one reduce task has most of the rows."""
    if not stage.input_bytes or stage.input_bytes < _LEAST_BYTES or not stage.bytes_in:
        return 0.0
    done = min(1.0, stage.bytes_in / stage.input_bytes)
    return stage.seconds * (1 - done) / done


def _output(stage: StageProgress, n_bytes: _Range) -> _Range:
    """Bytes that a stage hands to the next one."""
    if stage.state == "finished":
        return _Range(stage.bytes_out, stage.bytes_out, stage.bytes_out)
    if stage.state == "running" and stage.fraction >= _LEAST_DONE and stage.bytes_out:
        told = stage.bytes_out / max(stage.done / max(1, stage.total), _LEAST_DONE)
        return _Range(told * 0.7, told, told * 1.4)
    known = n_bytes.likely or stage.input_bytes or 0
    return _Range(*(known * share for share in _SHRINK))


def _unbegun(name: str, n_bytes: _Range, n_workers: int, stages: Sequence[StageProgress]) -> _Range:
    """What a stage needs of which nothing is known but how much it will read."""
    kind = name.partition(" ")[0]
    costs, across = (_SAVE_S_PER_BYTE, 1) if kind == "save" else (_REDUCE_S_PER_BYTE, n_workers)
    like = next((one for one in stages if one.name == kind and one.state == "finished" and one.bytes_in), None)
    if like is not None and like.name != name:
        # The same kind of stage of an earlier step: its speed is worth more than a table.
        speed = like.seconds / like.bytes_in
        costs, across = (speed / 4, speed, speed * 4), 1
    sizes = (n_bytes.low, n_bytes.likely, n_bytes.high)
    low, likely, high = (size * cost / across for size, cost in zip(sizes, costs, strict=True))
    if kind == "reduce" and like is None:
        before = [one for one in stages if one.state != "waiting"]
        n_rows = sum(one.records_out / max(one.fraction, _LEAST_DONE) for one in before[-1:])
        high = max(high, min(n_rows * _SLOW_ROW_S, sum(one.seconds for one in before) / 2))
    return _Range(low, likely + _STAGE_S, high + _LATE_STAGE_S)
