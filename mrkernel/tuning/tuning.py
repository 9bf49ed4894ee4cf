"""The outcome of a tuning: what was measured, what that predicts, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mrkernel import config
from mrkernel.render import tuning_html, tuning_text
from mrkernel.tuning.choice import Choice
from mrkernel.tuning.forecasts import Forecasts
from mrkernel.tuning.measured import Measured
from mrkernel.tuning.model import CostModel
from mrkernel.tuning.prediction import Comparison, Prediction
from mrkernel.tuning.rig import Rig
from mrkernel.tuning.wording import curve, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mrkernel.result import Result
    from mrkernel.session import JobHandle

__all__ = ["Tuning"]


@dataclass(eq=False, repr=False, kw_only=True)
class Tuning:
    """What :func:`tune` has found out. A notebook shows it as tables and a plot, and with sliders where it is live.

    Attributes
    ----------
    name, source
        The job and its input, as displays call them.
    points
        All runs, of samples and of the whole input, in order.
    model
        The fitted costs: ``model.tasks[workers]`` for each measured number of workers.
    errors
        How far off the model was for each run that it was not fitted to: log(measured / predicted).
    default, best
        Predictions for the settings in force, and for the best point that was found.
    advice
        Text to paste, such as ``--chunk-size "24 MiB" --reducers 12``, or ``"leave it"``.
    reason
        Why.
    comparison
        The default and the best point measured side by side, where there was time for it.
    """

    name: str
    source: str
    points: list[Measured]
    model: CostModel
    errors: list[float]
    spread: float
    advice: str = "leave it"
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    comparison: Comparison | None = None
    rig: Rig
    forecasts: Forecasts
    chosen: Choice = field(default_factory=Choice)
    # What was applied, and what the session held before.
    _applied: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def error(self) -> float:
        """Half the width of the band around a prediction, as a share of it: 0.2 is ± 20 %."""
        squares = [error * error for error in self.errors]
        model = math.sqrt(sum(squares) / len(squares)) if squares else 0.3
        # 1.64 standard deviations to either side hold nine of ten.
        return max(0.05, 1.64 * math.hypot(model, self.spread))

    @property
    def default(self) -> Prediction:
        """What is predicted for the settings in force."""
        return self.predict()

    @property
    def best(self) -> Prediction:
        """What is predicted for the advised point; the default where the advice is to leave it."""
        return self._prediction(self.chosen)

    def predict(
        self,
        *,
        chunk_size: int | str | None = None,
        workers: int | None = None,
        partitions: int | None = None,
        combine: bool | None = None,
    ) -> Prediction:
        """What a run over the whole input takes with these settings; what is left out is as in force.

        Raises
        ------
        OptionError
            For a value that cannot be used.
        """
        return self._prediction(_choice(chunk_size=chunk_size, workers=workers, reducers=partitions, combine=combine))

    def measure(
        self,
        *,
        chunk_size: int | str | None = None,
        workers: int | None = None,
        partitions: int | None = None,
        combine: bool | None = None,
    ) -> tuple[Measured, Result]:
        """Run the whole input for real with these settings; without any, with the advised ones.

        The run is added to ``points``, and its result comes with it.
        """
        choice = _choice(chunk_size=chunk_size, workers=workers, reducers=partitions, combine=combine)
        return self.measure_choice(choice if choice.settings else self.chosen)

    def measure_choice(
        self, choice: Choice, *, started: Callable[[JobHandle], None] = lambda handle: None
    ) -> tuple[Measured, Result]:
        """Run the whole input for real at a point, the default included, on the cluster that there is now.

        Parameters
        ----------
        started
            Called with the handle of the run, which may be cancelled.
        """
        # A size that is left out would be whatever has been applied meanwhile.
        chunk_bytes = choice.chunk_size or self.forecasts.forecast(choice).chunk_bytes
        self.rig.stop.clear()
        self.rig.renew()
        measured, result = self.rig.whole(replace(choice, chunk_size=chunk_bytes), started=started)
        assert result is not None
        self.points.append(measured)
        return measured, result

    def apply(
        self,
        *,
        chunk_size: int | str | None = None,
        workers: int | None = None,
        partitions: int | None = None,
        combine: bool | None = None,
    ) -> str:
        """Set the session's settings to these, or without any to the advised ones; the text that does the same.

        ``%config MapReduce.chunk_size = None`` and the like take them back.
        """
        choice = _choice(chunk_size=chunk_size, workers=workers, reducers=partitions, combine=combine)
        return self.apply_choice(choice if choice.settings else self.chosen)

    def apply_choice(self, choice: Choice) -> str:
        """Set the session's settings to a point; what it leaves open is as it was before anything was applied."""
        held = config.session_values()
        # What the user has set since then is the user's.
        before = {name: old for name, (applied, old) in self._applied.items() if held.get(name) == applied}
        config.use_session(**{**before, **choice.settings})
        self._applied = {name: (value, before.get(name, held.get(name))) for name, value in choice.settings.items()}
        return choice.options

    def plot(self) -> Axes:
        """Draw measured and predicted time against the chunk size, with the band of error."""
        from mrkernel.plots import plot_tuning

        return plot_tuning(curve(self))

    def __repr__(self) -> str:
        return tuning_text(*words(self))

    def _repr_html_(self) -> str:
        return tuning_html(*words(self))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from mrkernel.plots import figure_html

        return {"text/html": self._repr_html_() + figure_html(self.plot()), "text/plain": repr(self)}

    def _prediction(self, choice: Choice) -> Prediction:
        found = self.forecasts.forecast(choice)
        estimate, band = found.estimate, math.exp(self.error)
        return Prediction(
            choice=choice, chunk_bytes=found.chunk_bytes, seconds=estimate.seconds, low_s=estimate.seconds / band,
            high_s=estimate.seconds * band, memory_bytes=estimate.memory_bytes, map_s=estimate.map_s,
            reduce_s=estimate.reduce_s, overhead_s=estimate.overhead_s, n_tasks=estimate.n_tasks,
            n_reduces=estimate.n_reduces,
        )  # fmt: skip


def _choice(**values: Any) -> Choice:
    given = config.Settings().with_values(**values)
    return Choice(chunk_size=given.chunk_size, workers=given.workers, reducers=given.reducers, combine=given.combine)
