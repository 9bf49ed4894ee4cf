"""``%mr tune``: tunes the last cell's job, or one named on the line, and shows what came of it."""

from __future__ import annotations

import shlex
import threading
from typing import Any

from mrkernel.cellspec import CellSpec, build_job, parse, resolve_source
from mrkernel.errors import OptionError
from mrkernel.io import as_source
from mrkernel.job import Job
from mrkernel.magics.jobs import Jobs
from mrkernel.magics.shown import take_place
from mrkernel.magics.view import display_mode, publish_data
from mrkernel.session import JobHandle
from mrkernel.tuning import Choice, Tuning, choice_at, run_state, summary, tune

__all__ = ["run_tune", "tuning_bundle"]

_TITLE = "%mr tune"
_ONLY_RUNS = ("save", "background", "explain")


def run_tune(magics: Any, words: list[str]) -> None:
    """Tune what the words say, show it, and bind it to the name after ``-o``."""
    words, budget = _budget(words)
    job, source, spec = _task(magics, words)
    tuning = tune(job, source, **{**spec.settings, **({"budget": budget} if budget else {})})
    if words and spec.output:
        magics.shell.user_ns[spec.output] = tuning
    publish_data(tuning_bundle(magics, tuning))


def _budget(words: list[str]) -> tuple[list[str], str]:
    if "--budget" not in words:
        return words, ""
    at = words.index("--budget")
    if at + 1 == len(words):
        raise OptionError(f"{_TITLE}: --budget needs a time", hint='as in --budget "1 min"')
    return words[:at] + words[at + 2 :], words[at + 1]


def _task(magics: Any, words: list[str]) -> tuple[Job, Any, CellSpec]:
    """The job, its input, and the options of the line; without words those of the last cell."""
    if not words:
        if magics.last is None:
            raise OptionError(f"{_TITLE}: no cell has run a job yet",
                              hint=f"run one, or name kept functions: {_TITLE} -i INPUT --mapper NAME")  # fmt: skip
        return magics.last.job, magics.last.source, magics.last.spec
    named = None if words[0].startswith("-") else words[0]
    try:
        spec = parse(shlex.join(words[named is not None :]), magics.shell.user_ns, is_line=True)
        _refuse_runs(spec)
        job = build_job(spec, {}, magics.kept) if named is None else _named_job(named, magics.shell.user_ns)
        return job, as_source(resolve_source(spec, magics.shell.user_ns)), spec
    except OptionError as error:
        raise OptionError(error.message.replace("%mapreduce:", f"{_TITLE}:"), hint=error.hint) from None


def _refuse_runs(spec: CellSpec) -> None:
    for name in _ONLY_RUNS:
        if getattr(spec, name):
            raise OptionError(f"{_TITLE}: --{name} is for runs, and samples are run here", hint="leave it out")


def _named_job(name: str, namespace: dict[str, Any]) -> Job:
    found = namespace.get(name)
    if not isinstance(found, Job):
        what = f"holds {type(found).__name__}, not a Job" if name in namespace else "is no variable here"
        raise OptionError(f"{_TITLE}: {name} {what}", hint=f"{name} = mr.Job(mapper, reducer) makes one")
    return found


def tuning_bundle(magics: Any, tuning: Tuning) -> dict[str, Any]:
    """What a notebook keeps of a tuning: its static form, which sliders take the place of where someone watches."""
    data = tuning._repr_mimebundle_()
    if display_mode(magics.shell) != "live":
        return data
    try:
        from mrkernel.widgets.tuner import TunerWidget
    except ImportError:
        return data
    live = _Live(magics.jobs, tuning)
    widget = live.widget = TunerWidget(summary(tuning), apply=live.apply, measure=live.measure, stop=live.stop)
    take_place(widget)
    return {**data, "text/html": f'<div data-mrkernel-tuner="{widget.place}">{data["text/html"]}</div>'}


class _Live:
    """What the buttons of one tuning do."""

    widget: Any

    def __init__(self, jobs: Jobs, tuning: Tuning) -> None:
        self._jobs, self._tuning = jobs, tuning
        # Two whole runs beside each other would spoil both measurements.
        self._is_free = threading.Lock()
        self._handle: JobHandle | None = None
        self._is_stopped = False

    def apply(self, at: tuple[int, int, int, int]) -> None:
        choice = choice_at(self._tuning, at)
        text = self._tuning.apply_choice(choice)
        self.widget.answer(f"applied to this session: {text}" if text else "applied: settings are as they were before")

    def measure(self, at: tuple[int, int, int, int]) -> None:
        if not self._is_free.acquire(blocking=False):
            return
        self._is_stopped = False
        choice = choice_at(self._tuning, at)
        self.widget.answer(f"measuring {choice.options or 'the default'} on the whole input …", is_busy=True)
        # A job takes long; the thread that serves the page's messages must not wait for it.
        threading.Thread(target=self._measure, args=(choice,), name="mrkernel measure", daemon=True).start()

    def stop(self) -> None:
        """Cancel the run that is measured; a second time forces."""
        self._is_stopped = True
        if (handle := self._handle) is not None:
            handle.cancel()

    def _started(self, handle: JobHandle) -> None:
        self._jobs.add(handle)
        self._handle = handle
        # A press may have come while the run was prepared, or its cluster was started.
        if self._is_stopped:
            handle.cancel()

    def _measure(self, choice: Choice) -> None:
        try:
            run, _ = self._tuning.measure_choice(choice, started=self._started)
        except Exception as error:  # noqa: BLE001  # whatever it is, the buttons must come back
            self.widget.answer(f"not measured: {str(error) or type(error).__name__}")
            return
        finally:
            self._handle = None
            self._is_free.release()
        said = f"measured {choice.options or 'the default'}: {run.seconds:.2f} s on the whole input"
        self.widget.answer(said, runs=[run_state(run)])
