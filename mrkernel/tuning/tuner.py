"""``mr.tune``: runs a job on samples of its input within a time, and says which settings suit it."""

from __future__ import annotations

import math
import secrets
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mrkernel import config
from mrkernel.config import format_duration
from mrkernel.errors import JobSpecError, OptionError
from mrkernel.io import Aside, as_source
from mrkernel.job import Job
from mrkernel.session.folders import Folders
from mrkernel.tuning.advice import Forecast, best_choice, is_worth_it
from mrkernel.tuning.choice import Choice
from mrkernel.tuning.experiment import Experiment
from mrkernel.tuning.fit import fit, held_out_errors, place_error
from mrkernel.tuning.forecasts import Forecasts
from mrkernel.tuning.measured import Measured
from mrkernel.tuning.prediction import Comparison
from mrkernel.tuning.rig import Rig
from mrkernel.tuning.telling import telling
from mrkernel.tuning.tuning import Tuning

if TYPE_CHECKING:
    from mrkernel.cluster import Cluster

__all__ = ["tune"]

_BUDGET_S = 20.0
# The comparison must confirm at least this much of the predicted gain.
_CONFIRMED = 1.07
# The comparison is made so often, if there is time.
_TURNS = 3
# Below this share of processor time a mapper mostly waits: for a network, a disk, a device.
_WAITING = 0.3


def tune(
    job: Job,
    source: Any,
    *,
    budget: float | str = _BUDGET_S,
    workers: int | Sequence[int] | None = None,
    executor: str = "cluster",
    cluster: Cluster | None = None,
    say: Callable[[int, int, str], None] | None = None,
    **settings: Any,
) -> Tuning:
    """Measure how a job's time and memory depend on chunk size, workers, partitions and combining.

    The job runs on samples from many places of its input, with several chunk sizes and numbers of workers, as
    ordinary jobs do. A cost model fitted to these runs predicts the whole input, with a band of error from runs that
    it has not seen. Where another choice promises enough, it is compared with the default, if there is time.

    Parameters
    ----------
    job, source
        As for :func:`mrkernel.run`.
    budget
        Time for all runs: seconds, or a text such as ``"1 min"``.
    workers
        Numbers of workers to measure; by default all, half of them, and one. One number is how many there shall be,
        as for :func:`mrkernel.run`.
    executor, cluster
        As for :func:`mrkernel.run`.
    say
        Called before each run with (runs done, runs planned, words); by default progress shows as that of jobs does.
    settings
        As for :func:`mrkernel.run`, such as ``reducers=4``; nothing else is advised for them. All runs keep them, but
        for ``chunk_size``: other sizes tell what this one costs.

    Raises
    ------
    OptionError
        For a value that cannot be used, such as more workers than there are.
    MrkernelError
        What the job fails with; or if not one task of a sample ended in time.

    Examples
    --------
    >>> import mrkernel as mr
    >>> job = mr.Job(lambda line: [(word, 1) for word in line.split()], sum, name="words")
    >>> mr.tune(job, ["to be", "or not to be"] * 50, budget=2, executor="inline").advice
    'leave it'
    """
    if not isinstance(job, Job):
        raise JobSpecError(
            f"a job is needed, not a {type(job).__name__}", hint="wrap the functions: mr.Job(mapper, reducer)"
        )
    if job.steps[0].join is not None:
        raise JobSpecError("a join cannot be tuned: samples of two inputs hardly ever match",
                           hint="its plan says what was chosen: --explain, or result.planned")  # fmt: skip
    if executor not in {"cluster", "inline"}:
        raise OptionError(f"executor = {executor!r} cannot be used", hint="it is 'cluster' or 'inline'")
    try:
        budget_s = config.parse_duration(budget)
    except ValueError as error:
        raise OptionError(f"budget = {budget!r} cannot be used: {error}") from None
    given = config.settings(**settings, workers=workers if isinstance(workers, int) else None)
    counts = None if isinstance(workers, int) else workers
    folders = Folders(given, f"tuning-{secrets.token_hex(4)}")
    try:
        whole = as_source(source).localized(folders.input())
        if given.on_error != "raise":
            # Chunks are cut, and types inferred, as runs of the whole do it.
            whole = whole.setting_aside(Aside())
        place = None if executor == "inline" else cluster or _default_cluster(given)
        is_chosen = place is None or cluster is not None
        rig = Rig(job, whole, place, settings, given=given, find=None if is_chosen else partial(_cluster_now, given))
        _check_counts(counts or (), rig)
        with telling(job.name, given, say, rig.stop.set) as (tell, rig.look):
            tuning = _tuned(rig, given, Experiment(rig, budget_s, workers=counts, say=tell))
    except BaseException:
        folders.discard()
        raise
    # Input of this process's memory lies in files there as long as it may be measured again.
    weakref.finalize(tuning, folders.discard)
    return tuning


def _check_counts(counts: Sequence[int], rig: Rig) -> None:
    """Raise OptionError for numbers of workers that no run could have."""
    wrong = [count for count in counts if not 1 <= count <= rig.n_workers]
    if not wrong:
        return
    if rig.cluster is None:
        raise OptionError(f"workers = {wrong}: inline, there is 1", hint="a cluster has more")
    is_more = max(wrong) > rig.n_workers
    raise OptionError(f"workers = {wrong}: the cluster has {rig.n_workers}",
                      hint=f"mr.cluster(workers={max(wrong)}) starts more" if is_more else None)  # fmt: skip


def _default_cluster(given: config.Settings) -> Cluster:
    from mrkernel.cluster import default

    return default(given)


def _cluster_now(given: config.Settings) -> Cluster:
    """The cluster of this process as it is; started as for the tuning where none runs."""
    from mrkernel.cluster import current

    return _default_cluster(given if current() is None else replace(given, workers=None))


def _tuned(rig: Rig, given: config.Settings, experiment: Experiment) -> Tuning:
    runs = experiment.explore()
    model = fit(rig.job, rig.source, runs, given)
    in_force = Choice(chunk_size=given.chunk_size, reducers=given.reducers, combine=given.combine)
    forecasts = Forecasts(model, rig.layouts, experiment.workers, in_force, most_workers=rig.n_workers,
                          fixed=frozenset(rig.settings))  # fmt: skip
    tuning = Tuning(
        name=rig.job.name, source=rig.source.name, points=runs, model=model, rig=rig, forecasts=forecasts,
        errors=held_out_errors(rig.job, rig.source, runs, given), spread=place_error(runs),
    )  # fmt: skip
    _advise(tuning, experiment)
    _remark(tuning)
    return tuning


def _advise(tuning: Tuning, experiment: Experiment) -> None:
    """Find the best point, compare it with the default if there is time, and say which to take."""
    forecasts, limit = tuning.forecasts, tuning.rig.memory_limit
    default = forecasts.forecast(Choice())
    best = best_choice(default, forecasts.grid(), forecasts.forecast, limit)
    before, after = default.estimate.seconds, best.estimate.seconds
    if not is_worth_it(default, best):
        tuning.reason = (
            f"about {format_duration(before)} by default; the best of {forecasts.n_points:,} other points would take "
            f"{format_duration(after)}, too little to gain"
            if best.choice != default.choice
            else f"about {format_duration(before)} by default, which is as good as the best of "
                 f"{forecasts.n_points:,} other points"
        )  # fmt: skip
        return
    tuning.comparison = compared = _compare(tuning.rig, default, best, experiment)
    if compared is None and before / after < math.exp(tuning.error):
        tuning.reason = (
            f"{best.choice.options} might take {format_duration(after)} instead of {format_duration(before)}, but runs "
            f"differed by more than that, and there was no time to compare the two"
        )
        return
    if compared is not None and compared.gain < _CONFIRMED:
        tuning.reason = (
            f"the model expected {before / after:.1f} × the speed from {best.choice.options}, but {compared}"
        )
        return
    tuning.chosen, tuning.advice = best.choice, best.choice.options
    tuning.reason = f"about {format_duration(after)} instead of {format_duration(before)} for the whole input; " + (
        str(compared) if compared is not None else "there was no time to compare the two"
    )


def _compare(rig: Rig, default: Forecast, best: Forecast, experiment: Experiment) -> Comparison | None:
    """Both points on the same share of the input, as large as the time that is left allows; None if too small."""
    left_s = experiment.left_s
    needed = default.estimate.seconds + best.estimate.seconds
    share = min(1.0, 0.8 * left_s / needed) if needed > 0 else 1.0
    chunks = [len(rig.layouts.at(point.chunk_bytes)) for point in (default, best)]
    if share < 1 and any(share * count < rig.n_workers for count in chunks):
        return None
    seen: tuple[list[Measured], list[Measured]] = ([], [])
    for _ in range(_TURNS):
        began_s = experiment.left_s
        for runs, point, count, words in zip(seen, (default, best), chunks, ("default", "best point"), strict=True):
            experiment.tell(f"comparing: the {words} on {share:.0%} of the input")
            left_s = max(1.0, experiment.left_s)
            run = (
                rig.whole(point.choice, limit_s=left_s)[0]
                if share == 1
                else rig.sample(point.choice, n_splits=math.ceil(share * count), limit_s=left_s)
            )
            if not run.has_ended:
                return _fastest(seen) if all(seen) else None
            runs.append(run)
            experiment.runs.append(run)
        if began_s - experiment.left_s > experiment.left_s:
            break
    return _fastest(seen)


def _fastest(seen: tuple[list[Measured], list[Measured]]) -> Comparison:
    """The quickest run of each: what else the machine does only ever adds."""
    default, chosen = (min(runs, key=lambda run: run.seconds) for runs in seen)
    return Comparison(default=default, chosen=chosen)


def _remark(tuning: Tuning) -> None:
    """Say what the advice cannot: more workers than there are, and how sure the predictions are."""
    full = [run for run in tuning.points if run.cpu_s is not None and run.is_full]
    seconds, busy = sum(run.task_s for run in full), sum(run.cpu_s or 0.0 for run in full)
    # Where others keep the processors busy, waiting for them says nothing about the mapper.
    idle = max((run.idle_share for run in full), default=0.0)
    if seconds > 0.5 and busy < _WAITING * seconds and idle > 1 - _WAITING:
        more = tuning.rig.n_workers * 4
        tuning.notes.append(
            f"tasks use the processor for only {busy / seconds:.0%} of their time and wait for the rest: more workers "
            f"than cores help, such as --workers {more}"
        )
    stopped = sum(not run.has_ended for run in tuning.points)
    if stopped:
        tuning.notes.append(
            f"{config.counted(stopped, 'run')} stopped to keep within the time; their finished tasks count"
        )
    if tuning.error > 0.5:
        tuning.notes.append(f"runs differed much from each other (± {tuning.error:.0%}): is something else busy here?")
