"""Magics in a real kernel: displays, interrupts, failures, background jobs."""

from __future__ import annotations

import os
import re
import time

import pytest

pytestmark = pytest.mark.cluster

WORDS = """def mapper(line):
    for word in line.split():
        yield word, 1

reducer = sum
"""
# Each record takes its time, so that the job lasts for about 2 s on one worker.
SLOW = """%%mapreduce -i numbers -o slow --chunk-size 100
import time
def mapper(number):
    time.sleep(0.1)
    yield number % 3, 1
reducer = sum
"""
ENDLESS = """%%mapreduce -i numbers -o endless --save never.json
import time
def mapper(number):
    open("started", "w").close()
    time.sleep(60)
    yield number, 1
"""
WIDGET = "application/vnd.jupyter.widget-view+json"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(autouse=True)
def _numbers(kernel):
    kernel.run("numbers = list(range(24))").succeeded()


@pytest.fixture
def started(kernel):
    """A pipe in the kernel's folder; opening it waits until a mapper has opened the other end."""
    path = kernel.folder / "started"
    os.mkfifo(path)
    yield path
    path.unlink()


def test_a_cell_shows_a_summary_a_table_and_a_plot(kernel):
    ran = kernel.run(f"%%mapreduce -i words.txt -o counts\n{WORDS}").succeeded()
    assert "counts: finished in" in ran.text
    assert "the      3\n5 rows, 2 columns" in ran.text
    assert [set(data) for data in ran.displays if WIDGET not in data] == [
        {"text/html", "text/plain"},
        {"text/html", "text/plain"},
        {"image/png", "text/html", "text/plain"},
    ]
    assert (ran.results, ran.streams) == ([], "")


def test_progress_moves_in_a_widget_beside_its_static_form_and_holds_no_result(kernel):
    kernel.run("%mr cluster start").succeeded()
    # Whatever held the result in a cycle would let its files stay until the next sweep, which may be long.
    kernel.run("import gc; gc.collect(); gc.disable()").succeeded()
    ran = kernel.run(SLOW).succeeded()
    kernel.run("import os; files = [part.path for part in slow.__mrkernel_source__().parts]").succeeded()
    assert kernel.run("list(map(os.path.exists, files))").results[0]["text/plain"] == "[True]"
    kernel.run("del slow; gc.enable()").succeeded()
    assert kernel.run("list(map(os.path.exists, files))").results[0]["text/plain"] == "[False]"
    assert re.search(r"slow: finished, \d\.\d s, 3 rows", kernel.run("%mr jobs").text)
    assert [WIDGET in data for data in ran.displays] == [True, False, True, False, False]
    assert [data["text/plain"] for data in ran.displays if WIDGET in data] == ["", ""]
    assert "slow: running for" in ran.displays[1]["text/plain"]
    mark = ran.opened[0]["data"]["state"]["state"]["beside"]
    assert f'<div data-mr-progress="{mark}">' in ran.displays[1]["text/html"]
    assert re.search(r"as of 20\d\d-.*; a job ends when its kernel does", ran.displays[1]["text/plain"])
    assert [opened["data"]["state"]["_anywidget_id"] for opened in ran.opened] == [
        "mrkernel.widgets.progress.ProgressWidget", "mrkernel.widgets.results.ResultsView",
    ]  # fmt: skip
    assert 2 <= len(ran.states) <= 20
    assert ran.states[-1]["state"] == "finished"
    assert 2 <= len(ran.updates) <= 6
    # The widget's display is empty in the end, and the static form says how the job ended.
    assert (ran.updates[-2]["text/plain"], WIDGET in ran.updates[-2]) == ("", False)
    assert "finished in" in ran.updates[-1]["text/plain"]
    assert 'role="progressbar"' not in ran.updates[-1]["text/html"]


def test_where_nobody_watches_there_is_one_final_display(kernel):
    ran = kernel.run(SLOW, is_watched=False).succeeded()
    assert ran.updates == []
    assert "slow: finished in" in ran.displays[0]["text/plain"]


def test_an_interrupt_ends_the_cell_and_nothing_else(kernel, started):
    kernel.run(f"%%mapreduce -i words.txt -o counts --no-plot\n{WORDS}").succeeded()
    pids = kernel.run("from mrkernel.cluster import current; [w.pid for w in current().workers()]").results
    cell = kernel.start(ENDLESS)
    with open(started):
        began = time.monotonic()
        kernel.interrupt()
    ran = kernel.collect(cell)
    assert time.monotonic() - began < 2
    assert (ran.status, ran.error["ename"]) == ("error", "JobInterruptedError")
    assert ran.error["traceback"] == [f"JobInterruptedError: {ran.error['evalue']}"]
    assert "endless: interrupted after" in ran.text
    assert not (kernel.folder / "never.json").exists()
    kernel.run(f"%%mapreduce -i words.txt -o counts --no-plot\n{WORDS}").succeeded()
    assert kernel.run("len(current().workers())").results[0]["text/plain"] == str(pids[0]["text/plain"].count(",") + 1)


def test_an_interrupt_ends_a_nested_cell_too(kernel, started):
    cell = kernel.start(f"%%time\n{ENDLESS}")
    with open(started):
        kernel.interrupt()
    ran = kernel.collect(cell)
    assert (ran.status, ran.error["ename"]) == ("error", "JobInterruptedError")
    assert kernel.run("1 + 1").results[0]["text/plain"] == "2"


def test_a_cell_runs_below_another_magic(kernel):
    ran = kernel.run(f"%%time\n%%mapreduce -i words.txt -o timed\n{WORDS}").succeeded()
    assert "Wall time" in ran.streams
    assert "timed: finished in" in ran.text


def test_a_failing_record_shows_its_card_and_a_short_error(kernel):
    ran = kernel.run("%%mapreduce -i numbers\ndef mapper(number):\n    yield number, 1 / (number - 5)\n")
    assert (ran.status, ran.error["ename"]) == ("error", "TaskFailedError")
    assert len(ran.error["traceback"]) <= 2
    assert "→    3     yield number, 1 / (number - 5)" in ran.text
    number = int(kernel.run("get_ipython().execution_count").results[0]["text/plain"]) - 2
    assert f"Cell In[{number}], line 3, in mapper" in ran.text
    assert "record: 5" in ran.text


def test_a_failing_cell_below_another_magic_shows_one_card(kernel):
    ran = kernel.run("%%time\n%%mapreduce -i numbers\ndef mapper(number):\n    yield number, 1 / (number - 5)\n")
    assert (ran.status, ran.error["ename"]) == ("error", "TaskFailedError")
    # A job that waits for its cluster to start is shown by its widget first.
    assert [data["text/plain"].split(":")[0] for data in ran.displays if WIDGET not in data] == [
        "mapreduce",
        "mapper raised ZeroDivisionError",
    ]


def test_a_wrong_option_is_an_error_of_two_lines(kernel):
    ran = kernel.run(f"%%mapreduce -i words.txt --chnk-size 3\n{WORDS}")
    assert ran.error["traceback"] == [
        "OptionError: %%mapreduce: there is no option --chnk-size",
        "Hint: did you mean --chunk-size?",
    ]


@pytest.mark.parametrize("cell", ["%%mapreduce -i words.txt", "%%mapper words", "%%reducer"])
def test_a_cell_without_a_body_is_an_error_that_runners_see(kernel, cell):
    assert kernel.run(cell).error["ename"] == "OptionError"


def test_a_background_job_returns_its_handle_and_keeps_quiet(kernel):
    ran = kernel.run("%%mapreduce -i numbers -b -o later\ndef mapper(number):\n    yield 1 / 0, 1\n").succeeded()
    assert "JobHandle" in ran.results[0]["text/plain"]
    after = kernel.run("later.wait(30), later.state").succeeded()
    assert after.results[0]["text/plain"] == "(True, 'failed')"
    assert (after.streams, after.displays) == ("", [])
    assert kernel.run("later.result()").error["ename"] == "TaskFailedError"


def test_a_background_result_is_used_like_any_result(kernel):
    kernel.run("%%mapreduce -i words.txt -b -o soon\n" + WORDS).succeeded()
    ran = kernel.run("from mrkernel import Result; soon.num_rows, dict(soon)['the']")
    assert ran.succeeded().results[0]["text/plain"] == "(5, 3)"
    assert kernel.run("isinstance(soon, Result)").results[0]["text/plain"] == "True"


def test_a_background_job_that_is_watched_reads_well_whenever_its_notebook_is_saved(kernel):
    gate = kernel.folder / "gate"
    os.mkfifo(gate)
    started = kernel.start(
        "%%mapreduce -i numbers -b --name gated --save gated.csv\n"
        f"def mapper(number):\n    open({str(gate)!r}).close() if number == 0 else None\n    yield 'all', 1\n"
        "reducer = sum"
    )
    ran = kernel.collect(started)
    assert re.search(r"submitted at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d; a saved notebook shows how far", ran.text)
    assert "a saved notebook shows how far" in ran.html
    assert ran.results[0]["text/plain"] == "<JobHandle gated running when this was shown>"
    # The mapper waits for this end of the pipe.
    with open(gate, "w"):
        pass
    last = kernel.collect(started, until="gated: finished").updates[-1]
    for form in ("text/plain", "text/html"):
        assert "submitted at" not in last[form]
        assert "wrote 1 row to gated.csv" in last[form]


def test_a_failure_card_hints_in_the_words_of_a_cell(kernel):
    ran = kernel.run(
        "%%mapreduce -i words.txt\nimport pyarrow as pa\nkey = 'nowhere'\n"
        "def mapper(batch: pa.RecordBatch):\n    return batch\nreducer = len"
    )
    for said in (ran.displays[-1]["text/plain"], ran.displays[-1]["text/html"], ran.error["traceback"][-1]):
        assert "the one that key = … names" in said


def test_a_background_job_is_an_input_like_its_result(kernel):
    kernel.run("%%mapreduce -i words.txt -b -o soon\n" + WORDS).succeeded()
    ran = kernel.run(
        "%%mapreduce -i soon -o total --no-plot\ndef mapper(word, count):\n    yield 'all', count\nreducer = sum"
    )
    assert "all      7" in ran.succeeded().text


def test_hostile_names_and_values_are_escaped_everywhere(kernel):
    body = f"def mapper(row):\n    yield row['key'], {{{EVIL!r}: 1}}\nreducer = list"
    kernel.run(f"import pandas; frame = pandas.DataFrame({{'key': [{EVIL!r}], {EVIL!r}: [1]}})").succeeded()
    shown = kernel.run(f'%%mapreduce -i frame --name "{EVIL}"\n{body}').succeeded()
    failed = kernel.run(f'%%mapreduce -i frame --name "{EVIL}"\ndef mapper(row):\n    raise ValueError({EVIL!r})')
    assert failed.error["ename"] == "TaskFailedError"
    assert "&lt;img" in shown.html
    assert "&lt;img" in failed.html
    assert "<img" not in shown.html + failed.html


def test_completion_reaches_the_front_end(kernel):
    assert kernel.complete("%%mapreduce --ch") == ["--chunk-size"]
    assert kernel.complete("%%mapreduce -i numb") == ["numbers"]
