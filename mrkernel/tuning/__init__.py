"""The chunk tuner: runs a job on samples of its input, fits what it costs, and says which settings suit it.

A sample is some of the very splits that a whole run would have, from many places of the input, run through the
ordinary session; a listener notes what its tasks took. ``experiment`` decides which runs to make in the time there is,
``fit`` makes a cost ``model`` of them, ``forecasts`` asks it for many points, and ``advice`` chooses one, or none.
"""

from __future__ import annotations

from mrkernel.tuning.choice import Choice
from mrkernel.tuning.measured import Measured
from mrkernel.tuning.prediction import Comparison, Prediction
from mrkernel.tuning.summary import choice_at, run_state, summary
from mrkernel.tuning.tuner import tune
from mrkernel.tuning.tuning import Tuning

__all__ = ["Choice", "Comparison", "Measured", "Prediction", "Tuning", "choice_at", "run_state", "summary", "tune"]
