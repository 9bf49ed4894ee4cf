"""The command as a terminal runs it: exit codes, stdout and stderr."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from mrkernel import session
from mrkernel.cli import main
from mrkernel.cli.picture import Picture

JOBS = """
import time

def words(line):
    for word in line.split():
        yield word, 1

def odd(line):
    yield int(line) % 2, 1

def fails(line):
    yield line, 1 / 0

def waits(line):
    # The test opens the other end of this pipe, and so knows that the mapper runs.
    with open(line, "w"):
        time.sleep(60)
    yield line, 1
"""
ROOT = str(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "jobs.py").write_text(JOBS)
    (folder / "words.txt").write_text("the cat and the dog\nthe end\n")
    (folder / "there.csv").write_text("word\nthe\n")
    (folder / "there.zzz").write_text("the\n")
    return folder


@pytest.fixture(scope="module")
def mrkernel(folder):
    def run(*words):
        command = [sys.executable, "-m", "mrkernel", *words]
        paths = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "MRKERNEL_WORKERS": "1", "PYTHONPATH": paths}
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    return run


@pytest.mark.cluster
def test_run_draws_the_result_into_a_file_and_says_what_its_time_went_to(mrkernel, folder):
    job = ("--mapper", "jobs.py:words", "--reducer", "sum", "words.txt")
    done = mrkernel("run", *job, "--plot", "words.svg", "--plot-kind", "hist", "--profile")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "plot of rows by value, drawn into words.svg")
    assert re.search(r"^time of all workers +seconds  share$(.*\n)+in all +\d+\.\d\d +100%$", done.stderr, re.MULTILINE)
    assert (folder / "words.svg").read_text().startswith("<svg")


@pytest.mark.cluster
def test_run_shows_the_result_on_stdout_and_progress_on_stderr(mrkernel):
    done = mrkernel("run", "jobs.py:words", "words.txt", "--reducer", "sum")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["key  value", "──────────", "and      1"]
    assert "5 rows, 2 columns" in done.stdout
    assert "words: finished in" in done.stderr


@pytest.mark.cluster
def test_run_writes_a_target_and_refuses_to_replace_it(mrkernel, folder):
    call = ("run", "--mapper", "jobs.py:words", "--reducer", "sum", "words.txt", "-o", "out.json")
    done = mrkernel(*call)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "wrote 5 rows to out.json\n" in done.stderr
    assert json.loads((folder / "out.json").read_text())["the"] == 3
    again = mrkernel(*call)
    assert again.returncode == 1
    assert "out.json" in again.stderr
    assert "Hint: say --overwrite" in again.stderr


@pytest.mark.cluster
def test_run_sets_bad_records_aside_and_writes_them(mrkernel, folder):
    (folder / "numbers.txt").write_text("1\n2\nthree\n4\n")
    call = ("run", "--mapper", "jobs.py:odd", "--reducer", "sum", "numbers.txt", "--on-error", "collect")
    done = mrkernel(*call, "--errors", "bad.csv")
    assert (done.returncode, done.stdout.split()[3:6]) == (0, ["0", "2", "1"]), done.stderr
    assert "1 of 4 records was set aside\nwrote 1 bad record to bad.csv\n" in done.stderr
    assert "three" in (folder / "bad.csv").read_text()
    done = mrkernel(*call, "--error-limit", "0")
    assert done.returncode == 1
    said = r"mrkernel: 1 of \d records? so far was bad, and error_limit allows 0; the first: mapper failed at line 3"
    assert re.search(said, done.stderr)
    assert "say --error-limit 5% or --error-limit none to allow more" in done.stderr


def test_run_refuses_to_write_errors_that_end_the_job(mrkernel):
    done = mrkernel("run", "jobs.py:words", "words.txt", "--errors", "bad.csv")
    assert done.returncode == 2
    assert (
        "--errors writes the records that were set aside, and none would be\nHint: add --on-error collect"
        in done.stderr
    )


@pytest.mark.cluster
def test_run_says_which_line_of_the_mapper_failed(mrkernel):
    done = mrkernel("run", "jobs.py:fails", "words.txt")
    assert done.returncode == 1
    assert "ZeroDivisionError: division by zero" in done.stderr
    assert "yield line, 1 / 0" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.cluster
def test_run_stopped_by_ctrl_c_exits_with_130(folder):
    paths = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "MRKERNEL_WORKERS": "1", "PYTHONPATH": paths}
    os.mkfifo(folder / "started")
    (folder / "pipe.txt").write_text(f"{folder / 'started'}\n")
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from mrkernel.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "run", "jobs.py:waits", "pipe.txt", "-o", "never.json"]
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        with open(folder / "started"):
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert re.search(r"mrkernel: waits was interrupted after .*; nothing was written", said)
    assert "Traceback" not in said
    assert not (folder / "never.json").exists()


@pytest.mark.cluster
def test_cluster_that_is_named_is_shown_and_reckoned_with(folder, monkeypatch, capsys):
    from distributed import LocalCluster

    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("MRKERNEL_WORKERS", "7")
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50) as there:
        for words, said in (("--cluster", there.scheduler_address), r"workers +1\n"), ((), r"workers +7\n"):
            with pytest.raises(SystemExit) as ended:
                main(["explain", "jobs.py:words", "words.txt", *words])
            assert ended.value.code == 0
            assert re.search(said, capsys.readouterr().out)
        with pytest.raises(SystemExit):
            main(["cluster", "status", there.scheduler_address])
        assert re.search(r"with 1 worker\n +worker +process .*\n.* idle +nothing\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("run",), 2, "no job is given\nHint: name one as file.py:job"),
        (("run", "jobs.py:words"), 2, "no source is given for jobs.py:words"),
        (("run", "jobs.py:wrds", "words.txt"), 2, "jobs.py has no wrds\nHint: did you mean words?"),
        (("run", "jobs.py:words", "nofile.txt"), 1, "nofile.txt"),
        (("run", "jobs.py:words", "words.txt", "--chunk-size", "x"), 2, "chunk_size = 'x' cannot be used"),
        (("run", "jobs.py:words", "words.txt", "--overwrite"), 2, "say how to write -o\nHint: add -o TARGET"),
        (("run", "jobs.py:words", "words.txt", "--output-format", "csv"), 2, "no target is given\nHint: add -o TARGET"),
        (("run", "jobs.py:words", "there.csv", "-o", "x.zzz"), 2, "example --output-format text or --output-format"),
        (("run", "jobs.py:words", "there.zzz"), 2, "Hint: say which it is, for example --format text or --format csv"),
        (("run", "jobs.py:words", "words.txt", "--plot-kind", "bar"), 2, "Hint: add --plot FILE.png"),
        (("run", "jobs.py:words", "words.txt", "-o", "there.csv"), 1, "Hint: say --overwrite to replace it"),
        (("explain", "jobs.py:words", "words.txt", "--cluster", "nofile.json"), 1, "neither an address nor"),
        (("run", "jobs.py:words", "words.txt", "--format-option", "x"), 2, "'x' is not of the form name=value"),
        (("run", "--zzz"), 2, "No such option"),
        (("cluster", "status", "nofile.json"), 1, "it is neither an address nor a scheduler file"),
    ],
)
def test_wrong_calls_are_one_clear_message(folder, monkeypatch, capsys, words, code, message):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (code, "")
    assert message in said.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-o", "stopped.csv"), "mrkernel: interrupted; wrote 5 rows to stopped.csv\n"),
        ((), "mrkernel: interrupted; nothing was written\n"),
    ],
)
def test_ctrl_c_after_the_job_says_what_was_written(folder, monkeypatch, capsys, options, said):
    def interrupt(picture, result):
        raise KeyboardInterrupt

    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(session, "submit", partial(session.submit, executor="inline"))
    monkeypatch.setattr(Picture, "draw", interrupt)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--mapper", "jobs.py:words", "--reducer", "sum", "words.txt", "--plot", "p.png", *options])
    assert ended.value.code == 130
    assert capsys.readouterr().err.endswith(said)


def test_explain_formats_and_version(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for words, said in ((("explain", "jobs.py:words", "words.txt"), "plan of words"), (("formats",), "parquet"),
                        (("--version",), "mrkernel "), (("run", "--help"), "JOB is module:name")):  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        assert ended.value.code == 0
        assert said in capsys.readouterr().out
