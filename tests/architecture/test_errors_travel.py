"""An error raised on a worker arrives in the notebook as itself."""

from __future__ import annotations

import pickle

import cloudpickle
import pytest

from mrkernel import errors
from mrkernel.errors import MrkernelError, TaskFailedError

KINDS = [getattr(errors, name) for name in errors.__all__]

each_error = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


@each_error
@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
@pytest.mark.parametrize("hint", [None, "check the path"])
def test_error_survives_pickling(kind: type[MrkernelError], pickler: object, hint: str | None) -> None:
    error = kind("cannot read a.csv: it is not there", hint=hint)
    error.place = ("a.csv", 7)  # type: ignore[attr-defined]  # stands for any attribute a raiser adds
    error.__cause__ = ValueError("the reason")
    copy = pickle.loads(pickler.dumps(error))  # type: ignore[attr-defined]  # both modules have dumps
    assert type(copy) is kind
    assert (copy.message, copy.hint, copy.place, str(copy)) == (error.message, hint, error.place, str(error))
    assert copy.args == error.args


@each_error
def test_error_can_be_raised_with_a_message_alone(kind: type[MrkernelError]) -> None:
    with pytest.raises(kind, match=r"^cannot do it$") as caught:
        raise kind("cannot do it")
    assert caught.value.hint is None


@each_error
def test_error_is_ours_and_shows_its_hint_last(kind: type[MrkernelError]) -> None:
    assert issubclass(kind, MrkernelError)
    assert str(kind("cannot do it", hint="try this")).splitlines() == ["cannot do it", "Hint: try this"]


@each_error
def test_notebook_shows_message_and_hint_without_frames(kind: type[MrkernelError]) -> None:
    lines = kind("cannot do it", hint="try this")._render_traceback_()
    assert lines == [f"{kind.__name__}: cannot do it", "Hint: try this"]


def test_failure_travels_with_its_error() -> None:
    error = TaskFailedError("the mapper raised", failure={"line": 7}, hint="look at line 7")  # type: ignore[arg-type]  # any picklable record
    assert pickle.loads(pickle.dumps(error)).failure == {"line": 7}


def test_tree_in_the_docstring_names_every_error() -> None:
    assert [name for name in errors.__all__ if f" {name} " not in f"{errors.__doc__} ".replace("\n", " ")] == []
