"""``%mr tune`` in a shell without a kernel, and what a notebook keeps of it."""

from __future__ import annotations

import re
import time

import pytest

import mrkernel as mr
from mrkernel import config
from mrkernel.errors import OptionError
from mrkernel.magics.tuning import _Live
from mrkernel.tuning import summary
from mrkernel.widgets.tuner import TunerWidget
from tests.engine.marks import wait_until

WORDS = "def mapper(line):\n    for word in line.split():\n        yield word, 1\n\nreducer = sum\n"


@pytest.fixture
def lines(shell):
    shell.user_ns["lines"] = ["to be or not to be"] * 50


@pytest.mark.cluster
@pytest.mark.usefixtures("lines")
def test_last_cells_job_is_tuned(shell, capsys):
    shell.run_cell_magic("mapreduce", "-i lines -o counts --no-plot", WORDS)
    shell.run_line_magic("mr", "tune --budget 20")
    said = capsys.readouterr().out
    assert "tuning of counts on list: leave it" in said
    assert "predicted for the whole input" in said


@pytest.mark.cluster
@pytest.mark.usefixtures("lines")
def test_kept_mapper_is_tuned_and_the_tuning_bound(shell, capsys):
    shell.run_cell_magic("mapper", "words", WORDS)
    shell.run_line_magic("mr", 'tune -i lines --mapper words --reducer sum --budget "20 s" -o tuning')
    tuning = shell.user_ns["tuning"]
    assert isinstance(tuning, mr.Tuning)
    assert tuning.name == "tuning"
    assert tuning.predict(chunk_size="1 MiB").n_tasks == 1


@pytest.mark.cluster
@pytest.mark.usefixtures("lines")
def test_applied_settings_show_in_config_and_are_taken_back_there(shell):
    shell.user_ns["job"] = mr.Job(lambda line: [(line, 1)], sum, name="whole")
    shell.run_line_magic("mr", "tune job -i lines --budget 20 -o tuning")
    shell.user_ns["tuning"].apply(chunk_size="24 MiB", partitions=3)
    magics = shell.magics_manager.registry["MapReduceMagics"]
    shell.run_cell("pass")
    assert magics.configuration.reducers == 3
    shell.run_line_magic("config", "MapReduce.reducers = None")
    shell.run_line_magic("config", "MapReduce.chunk_size = None")
    assert config.settings().reducers is None
    assert config.settings().chunk_size is None


@pytest.fixture
def held(shell, tmp_path):
    """The buttons of a tuning whose job lasts as long as a file is there, the file, and the shell's jobs."""
    mark = tmp_path / "held"

    def mapper(line):
        while mark.exists():
            time.sleep(0.01)
        yield line, 1

    tuning = mr.tune(mr.Job(mapper, sum, name="held"), ["a", "b"], budget=1, executor="inline")
    jobs = shell.magics_manager.registry["MapReduceMagics"].jobs
    live = _Live(jobs, tuning)
    live.widget = TunerWidget(summary(tuning), apply=live.apply, measure=live.measure, stop=live.stop)
    mark.touch()
    yield live, mark, jobs
    live.widget.close()


def test_measurement_is_a_job_that_can_be_cancelled(shell, capsys, held):
    live, mark, jobs = held

    def cancel_line():
        shell.run_line_magic("mr", "jobs")
        assert re.search(r"held: running, ", capsys.readouterr().out)
        shell.run_line_magic("mr", "cancel held")

    for cancel in (cancel_line, lambda: live.widget._receive(None, {"cmd": "stop"}, [])):
        live.widget._receive(None, {"cmd": "measure", "at": live.widget.state["default"]}, [])
        assert live.widget.reply["busy"]
        wait_until(lambda: live._handle is not None)
        cancel()
        wait_until(lambda: not live.widget.reply["busy"])
        assert live.widget.reply["text"].startswith("not measured: the job held was cancelled in its map stage")
        wait_until(lambda: not live._is_free.locked())
    mark.unlink()
    live.measure(live.widget.state["default"])
    wait_until(lambda: not live.widget.reply["busy"])
    assert re.match(r"measured the default: \d+\.\d\d s on the whole input", live.widget.reply["text"])
    assert [note.state for note in jobs.notes()] == ["cancelled", "cancelled", "finished"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tune", "%mr tune: no cell has run a job yet"),
        ("tune nothing -i lines", "%mr tune: nothing is no variable here"),
        ("tune lines -i lines", "%mr tune: lines holds list, not a Job"),
        ("tune -i lines", "%mr tune: no mapper is named"),
        ("tune -i lines --mapper x --save out", "%mr tune: --save is for runs, and samples are run here"),
        ("tune -i lines --budget", "%mr tune: --budget needs a time"),
        ("tune -i lines --mapper x --chunksize 3", "%mr tune: there is no option --chunksize"),
    ],
)
@pytest.mark.usefixtures("lines")
def test_lines_that_cannot_be_meant_are_refused(shell, line, message):
    with pytest.raises(OptionError, match=message):
        shell.run_line_magic("mr", line)


@pytest.mark.cluster
@pytest.mark.parametrize("is_watched", [True, False])
def test_tuning_in_a_notebook_keeps_its_static_form_only(kernel, is_watched):
    kernel.run(
        "records = ['to be'] * 50\nimport mrkernel as mr\njob = mr.Job(lambda line: [(line, 1)], sum)"
    ).succeeded()
    ran = kernel.run("mr.tune(job, records, budget=20)", is_watched=is_watched).succeeded()
    shown = ran.results[-1]
    assert set(shown) == {"text/html", "text/plain"}
    assert "predicted for the whole input" in shown["text/html"]
    # Where someone watches, sliders take the place of what is inside this element.
    assert shown["text/html"].startswith("<div data-mrkernel-tuner=") == is_watched
