"""Saving is the last stage of a job: it ends, fails and stops with it."""

from __future__ import annotations

import re
import threading
from types import SimpleNamespace

import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.errors import JobCancelledError, JobInterruptedError, SinkError
from mrkernel.events import JobFinished, StageFinished, StageStarted
from mrkernel.io import open_sink
from mrkernel.progress import Progress
from mrkernel.session import Saved, Waiting
from mrkernel.session.saving import save

WORDS = mr.Job(lambda line: [(word, 1) for word in line.split()], sum, name="words")
MANY = [" ".join(f"w{n}" for n in range(140_000))]


class Gate(mr.Sink):
    """Writes nothing, and stops at a gate: between two batches, or in its commit."""

    name = "the gate"

    def __init__(self, *, at="batch", error=None):
        self.at, self.error = at, error
        self.reached, self.opened = threading.Event(), threading.Event()
        self.calls = []

    def check(self):
        pass

    def write_part(self, index, schema, batches):
        for number, batch in enumerate(batches):
            self.calls.append(batch.num_rows)
            if number == 0:
                self._pass("batch")
        return mr.Part(index=index, path="", n_rows=sum(self.calls), n_bytes=0)

    def commit(self, parts):
        self._pass("commit")
        self.check_stopped()
        self.calls.append("commit")
        return ["a", "b"]

    def stoppable(self, check):
        self.check_stopped = check
        return self

    def abort(self):
        self.calls.append("abort")

    def _pass(self, place):
        if self.at == place:
            self.reached.set()
            assert self.opened.wait(60)
            if self.error is not None:
                raise self.error


def submitted(sink, source=("a b a",)):
    events = []
    handle = mr.submit(WORDS, source, executor="inline", save=sink, listeners=[events.append])
    assert sink.reached.wait(60)
    return handle, events


def ends(events):
    return [event for event in events if isinstance(event, JobFinished)]


def test_a_job_ends_once_its_output_is_committed():
    sink = Gate(at="commit")
    handle, events = submitted(sink)
    assert (handle.state, handle.progress().state, ends(events)) == ("running", "running", [])
    assert [(stage.name, stage.state) for stage in handle.progress().stages][-1] == ("save", "running")
    sink.opened.set()
    report = handle.result(60).report
    assert [event.state for event in ends(events)] == ["finished"]
    assert [(stage.name, stage.state, stage.records) for stage in report.stages][-1] == ("save", "finished", 2)
    assert report.progress.state == "finished"
    assert handle.saved == Saved(target="the gate", paths=("a", "b"), n_rows=2)


def test_an_interrupt_after_the_commit_says_what_was_written():
    sink = Gate(at="commit")
    handle, _ = submitted(sink)
    sink.opened.set()
    assert handle.wait(60)
    error = Waiting(handle, None).interrupted(KeyboardInterrupt())
    assert str(error) == "the interrupt came when words had finished; wrote 2 rows to the gate: 2 files"


def test_an_end_is_shown_once_its_handle_can_say_what_was_written():
    shown = []
    handle = SimpleNamespace(name="count", done=iter([False, True]).__next__,
                             progress=lambda: Progress(name="count", state="finished"))  # fmt: skip
    display = SimpleNamespace(update=shown.append)
    assert len(list(Waiting(handle, display).looks())) == 1
    assert shown == []


def test_a_save_that_fails_is_a_job_that_fails():
    sink = Gate(at="commit", error=SinkError("cannot write the gate: it is shut"))
    handle, events = submitted(sink)
    sink.opened.set()
    with pytest.raises(SinkError, match="it is shut"):
        handle.result(60)
    assert [(event.state, event.error) for event in ends(events)] == [("failed", "cannot write the gate: it is shut")]
    assert (handle.state, handle.progress().state, handle.saved) == ("failed", "failed", None)
    assert sink.calls == [2, "abort"]


@pytest.mark.parametrize(
    ("is_interrupt", "error", "state"),
    [(False, JobCancelledError, "cancelled"), (True, JobInterruptedError, "interrupted")],
)
def test_cancel_between_two_batches_of_the_save_gives_the_target_up(is_interrupt, error, state):
    sink = Gate()
    handle, events = submitted(sink, MANY)
    handle.cancel(interrupted=is_interrupt)
    sink.opened.set()
    with pytest.raises(error, match=f"the job words was {state} while its result was saved; nothing was written"):
        handle.result(60)
    assert [event.state for event in ends(events)] == [state]
    assert (handle.state, sink.calls) == (state, [1 << 16, "abort"])


def test_cancel_before_the_commit_gives_the_target_up():
    sink = Gate()
    handle, _ = submitted(sink)
    handle.cancel()
    sink.opened.set()
    with pytest.raises(JobCancelledError, match="while its result was saved"):
        handle.result(60)
    assert sink.calls == [2, "abort"]


def test_cancel_leaves_no_half_written_file(tmp_path):
    def cancel(event):
        if isinstance(event, StageStarted) and event.stage == "save":
            handles[0].cancel()

    started, handles = threading.Event(), []
    job = mr.submit(WORDS, ["a b"], executor="inline", save=tmp_path / "out.csv",
                    listeners=[lambda event: started.wait(60), cancel])  # fmt: skip
    handles.append(job)
    started.set()
    with pytest.raises(JobCancelledError, match="nothing was written"):
        job.result(60)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".jsonl", ".json", ".parquet", ".arrow"])
@pytest.mark.parametrize("n_checks", [1, 3, 4])
def test_cancel_while_a_single_file_is_written_leaves_what_was_there(tmp_path, suffix, n_checks, inline):
    """Between its three batches, and at the last moment before the commit."""
    checks = []

    def check():
        checks.append(None)
        if len(checks) >= n_checks:
            raise JobCancelledError("nothing was written")

    target = tmp_path / f"out{suffix}"
    target.write_text("as before")
    result = inline(WORDS, MANY)
    with pytest.raises(JobCancelledError, match="nothing was written"):
        save(open_sink(target, overwrite=True), result, job_id="words", emit=lambda event: None, check=check)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert (target.read_text(), len(checks)) == ("as before", n_checks)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".jsonl", ".json", ".parquet", ".arrow"])
@pytest.mark.parametrize("n_checks", [1, 2])
def test_cancel_while_parts_are_joined_to_one_file_leaves_what_was_there(tmp_path, suffix, n_checks):
    checks = []

    def check():
        checks.append(None)
        if len(checks) >= n_checks:
            raise JobCancelledError("nothing was written")

    words = MANY[0].split()
    rows = pa.table({"word": words, "n": range(len(words))})
    target = tmp_path / f"out{suffix}"
    target.write_text("as before")
    sink = open_sink(target, overwrite=True).stoppable(check)
    parts = [sink.write_part(n, rows.schema, iter(rows.to_batches())) for n in range(2)]
    with pytest.raises(JobCancelledError, match="nothing was written"):
        sink.commit(parts)
    sink.abort()
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert (target.read_text(), len(checks)) == ("as before", n_checks)


def test_cancel_is_heard_in_the_commit():
    sink = Gate(at="commit")
    handle, _ = submitted(sink)
    handle.cancel()
    sink.opened.set()
    with pytest.raises(JobCancelledError, match="nothing was written"):
        handle.result(60)
    assert sink.calls == [2, "abort"]


def test_the_save_is_a_stage_of_its_own(run, tmp_path):
    events = []
    run(WORDS, ["a b a"], save=tmp_path / "out.csv", listeners=[events.append])
    stage = [event for event in events if isinstance(event, StageFinished)][-1]
    assert (stage.stage, stage.n_tasks, stage.records_out) == ("save", 1, 2)
    assert stage.bytes_out > 0


@pytest.mark.parametrize(
    ("target", "said"),
    [("out.csv", r"wrote 2 rows to .*out\.csv$"), ("out", r"wrote 2 rows to .*out: 1 file$")],
)
def test_the_handle_says_what_was_written_where(tmp_path, target, said):

    handle = mr.submit(WORDS, ["a b a"], executor="inline", save=tmp_path / target)
    handle.result(60)
    assert re.match(said, str(handle.saved)), str(handle.saved)


def test_the_save_is_announced_with_the_other_stages(inline, tmp_path):
    events = []
    inline(WORDS, ["a"], save=tmp_path / "out.csv", listeners=[events.append])
    assert events[0].stages == ("map", "reduce", "save")


def test_a_job_that_fails_before_its_save_did_not_run_it(tmp_path):
    handle = mr.submit(mr.Job(lambda n: (1 // n, 1), sum), [0], executor="inline", save=tmp_path / "out.csv")
    handle.wait(60)
    assert [(stage.name, stage.state) for stage in handle.progress().stages][1:] == [
        ("reduce", "not run"), ("save", "not run")
    ]  # fmt: skip
