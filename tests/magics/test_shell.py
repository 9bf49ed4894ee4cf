"""Magics in a shell without a kernel, as in a terminal or a script."""

from __future__ import annotations

import gc
import inspect
import os
import re

import pytest
from IPython.core.completer import provisionalcompleter

from mrkernel import config
from mrkernel.errors import JobSpecError, MrkernelError, OptionError, SourceNotFoundError, SourceReadError

WORDS = """def mapper(line):
    for word in line.split():
        yield word, 1

reducer = sum
"""


def cell(shell, line, body=WORDS, magic="mapreduce"):
    return shell.run_cell_magic(magic, line, body)


@pytest.mark.cluster
def test_a_cell_runs_shows_and_binds_its_result(shell, capsys):
    shell.user_ns["lines"] = ["the cat", "the dog"]
    assert cell(shell, "-i lines -o counts") is None
    assert dict(shell.user_ns["counts"]) == {"cat": 1, "dog": 1, "the": 2}
    said = capsys.readouterr().out
    assert "counts: finished in" in said
    assert "cat      1\ndog      1\nthe      2\n3 rows, 2 columns" in said
    assert "counts.to_pandas()" in said
    assert "plot of" not in said


@pytest.mark.cluster
@pytest.mark.parametrize("option", ["", "-b"])
def test_files_of_a_result_go_with_its_variable_and_the_list_of_jobs_stays(shell, capsys, option):
    shell.user_ns["lines"] = ["a b a"]
    cell(shell, f"-i lines -o counts --no-plot {option}")
    shell.run_cell("files = [part.path for part in counts.__mrkernel_source__().parts]")
    assert all(map(os.path.exists, shell.user_ns["files"]))
    shell.run_cell("del counts")
    gc.collect()
    assert not any(map(os.path.exists, shell.user_ns["files"]))
    capsys.readouterr()
    shell.run_line_magic("mr", "jobs")
    assert re.search(r"counts: finished, \d\.\d s, 2 rows", capsys.readouterr().out)


@pytest.mark.cluster
def test_limit_counters_and_a_result_as_input(shell, capsys):
    shell.user_ns["lines"] = ["b a", "c"]
    cell(shell, "-i lines -o counts --no-plot --limit 1 --sort key",
         "import mrkernel as mr\ndef mapper(line):\n    mr.counter('lines_seen')\n"
         "    for word in line.split():\n        yield word, 1\nreducer = sum")  # fmt: skip
    said = capsys.readouterr().out
    assert "a        1\n1 of 3 rows" in said
    assert "lines_seen      2" in said
    cell(shell, "-i counts -o lengths --no-plot", "def mapper(key, value):\n    yield len(key), value\nreducer = sum")
    assert dict(shell.user_ns["lengths"]) == {1: 3}


@pytest.mark.cluster
def test_the_body_is_also_defined_in_the_notebook(shell):
    shell.user_ns["lines"] = ["a"]
    cell(shell, "-i lines --no-plot")
    assert list(shell.user_ns["mapper"]("x y")) == [("x", 1), ("y", 1)]
    assert inspect.getsource(shell.user_ns["mapper"]).startswith("def mapper(line):\n    for word")
    assert shell.user_ns["mapper"].__code__.co_firstlineno == 2


@pytest.mark.cluster
def test_kept_functions_run_by_the_line_magic(shell):
    shell.user_ns["lines"] = ["a b a"]
    cell(shell, "words", WORDS, "mapper")
    cell(shell, "longest", "def longest(key, values):\n    return len(list(values)) * 10", "reducer")
    shell.run_line_magic("mapreduce", "-i lines --mapper words --reducer longest -o tens --no-plot")
    assert dict(shell.user_ns["tens"]) == {"a": 20, "b": 10}
    assert list(shell.user_ns["words"]("z")) == [("z", 1)]


@pytest.mark.cluster
def test_kept_mapper_and_an_aggregate_by_name(shell):
    shell.user_ns["lines"] = ["a b a"]
    cell(shell, "words", WORDS, "mapper")
    shell.run_line_magic("mapreduce", "-i lines --mapper words --reducer sum -o totals --no-plot")
    assert dict(shell.user_ns["totals"]) == {"a": 2, "b": 1}


@pytest.mark.cluster
def test_a_background_result_takes_its_name_before_the_next_cell(shell):
    shell.user_ns["lines"] = ["a b a"]
    handle = cell(shell, "-i lines -b -o soon")
    assert shell.user_ns["soon"] is handle
    assert dict(shell.user_ns["soon"]) == {"a": 2, "b": 1}
    shell.run_cell("rows = soon.num_rows")
    assert shell.user_ns["soon"] is handle.result()
    assert shell.user_ns["rows"] == 2


@pytest.mark.cluster
def test_a_background_result_leaves_a_name_alone_that_was_bound_anew_or_has_no_result(shell):
    shell.user_ns["lines"] = ["a b a"]
    taken = cell(shell, "-i lines -b -o taken")
    failed = cell(shell, "-i lines -b -o failed", "def mapper(line):\n    yield 1 / 0, 1")
    shell.user_ns["taken"] = "mine"
    assert (taken.wait(60), failed.wait(60)) == (True, True)
    shell.run_cell("pass")
    assert (shell.user_ns["taken"], shell.user_ns["failed"]) == ("mine", failed)


@pytest.mark.cluster
def test_save_says_what_was_written_where(shell, capsys):
    shell.user_ns["lines"] = ["a b a"]
    cell(shell, "-i lines --save out.csv --no-plot")
    assert capsys.readouterr().out.endswith("· .to_pandas()\nwrote 2 rows to out.csv\n")
    cell(shell, "-i lines --save out --no-plot")
    assert capsys.readouterr().out.endswith("\nwrote 2 rows to out: 1 file\n")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("-i lines --save there.csv", "Hint: say --overwrite to replace it"),
        ("-i lines --save out.zzz", "example a target that ends in .txt or a target that ends in .csv"),
        ("-i out.zzz", "example --format text or --format csv"),
    ],
)
def test_a_hint_names_the_options_of_a_cell(shell, tmp_path, line, hint):
    shell.user_ns["lines"] = ["a"]
    (tmp_path / "there.csv").touch()
    (tmp_path / "out.zzz").touch()
    if "save out" in line:
        (tmp_path / "out.zzz").unlink()
    with pytest.raises(MrkernelError, match=re.escape(hint)):
        cell(shell, line)


@pytest.mark.cluster
def test_a_hint_of_a_failed_task_names_the_options_of_a_cell(shell, tmp_path):
    (tmp_path / "quoted.csv").write_text('a,b\n1,"x\ny"\n')
    with pytest.raises(SourceReadError, match="Hint: say --format-option newlines_in_values=true"):
        cell(shell, "-i quoted.csv --no-plot", "def mapper(row):\n    yield row['a'], 1")
    cell(shell, "-i quoted.csv --format-option newlines_in_values=true --no-plot",
         "def mapper(row):\n    yield row['a'], 1")  # fmt: skip


@pytest.mark.cluster
def test_save_writes_and_refuses_to_replace_before_running(shell, tmp_path):
    shell.user_ns["lines"] = ["a b a"]
    cell(shell, "-i lines --save out.json --no-plot")
    assert (tmp_path / "out.json").read_text().strip().startswith("{")
    with pytest.raises(OSError, match=r"out\.json"):
        cell(shell, "-i lines --save out.json --no-plot")
    cell(shell, "-i lines --save out.json --overwrite --no-plot")


@pytest.mark.parametrize(
    ("line", "body", "error", "message"),
    [
        ("-i lines", "x = 1", OptionError, "the cell defines no mapper"),
        ("-i lines --zzz", WORDS, OptionError, "there is no option --zzz"),
        ("", WORDS, OptionError, "no input is given"),
        ("-i nofile.txt", WORDS, SourceNotFoundError, "nofile.txt"),
        ("-i lines", "def mapper(:\n", JobSpecError, r"the cell is not valid Python: line 2: .*\n    def mapper\(:\n"),
        ("-i lines", "def mapper(x):\n  yield (x,\n", JobSpecError, "line 3: '\\(' was never closed"),
        ("-i lines", "def mapper(a, b, c):\n    pass", JobSpecError, "it is called with one record"),
    ],
)
def test_what_cannot_run_raises_before_anything_runs(shell, line, body, error, message):
    shell.user_ns["lines"] = ["a"]
    with pytest.raises(error, match=message):
        cell(shell, line, body)


def test_an_error_of_the_body_shows_the_users_line_first(shell):
    with pytest.raises(NameError) as caught:
        cell(shell, "-i lines", "x = 1\ny = nope\n")
    shown = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(caught.value._render_traceback_()))
    assert "----> 3 y = nope" in shown
    assert "run_body" not in shown


def test_explain_shows_the_plan_and_runs_nothing(shell, capsys):
    shell.user_ns["lines"] = ["a"]
    cell(shell, "-i lines --explain -o nothing")
    assert "plan of nothing" in capsys.readouterr().out
    assert "nothing" not in shell.user_ns
    shell.run_line_magic("mr", "explain")
    assert "plan of nothing" in capsys.readouterr().out


def test_help_is_shown_and_is_the_docstring(shell, capsys):
    cell(shell, "-h")
    said = capsys.readouterr().out
    assert said.index("Examples") < said.index("--chunk-size SIZE")
    assert "Examples" in shell.find_cell_magic("mapreduce").__doc__


def test_braces_on_the_line_never_touch_the_body(shell, capsys):
    shell.user_ns.update(lines=["a"], which="lines")
    cell(shell, "-i {{which}} --explain", "def mapper(x):\n    yield f'{{x}} {x}', '{{which}}'\n")
    assert "plan of" in capsys.readouterr().out
    assert list(shell.user_ns["mapper"](1)) == [("{x} 1", "{{which}}")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("jbos", r"%mr: there is no command 'jbos'\nHint: did you mean jobs\?"),
        ("version x", "%mr version: 'x' is one word too many"),
        ("cancel", "no job is running"),
        ("cancel x", "no running job is called 'x'"),
        ('jobs "', "cannot read the line"),
        ("explain", "no cell has run a job yet"),
    ],
)
def test_mr_refuses_what_it_does_not_know(shell, line, message):
    with pytest.raises(OptionError, match=message):
        shell.run_line_magic("mr", line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "Look at jobs"),
        ("", "\nwalkthrough  the last cell's"),
        ("version", "pyarrow"),
        ("formats", "parquet"),
        ("jobs", "jobs of this session"),
        ("jobs -h", "%mr jobs: jobs that this session has started"),
        ("cluster scale --help", "\ncluster scale N "),
        ("tune -h", "--budget TIME"),
    ],
)
def test_mr_shows_what_it_knows(shell, capsys, line, said):
    shell.run_line_magic("mr", line)
    assert said in capsys.readouterr().out


def test_config_sets_a_setting_for_this_session_and_takes_it_back(shell):
    shell.run_line_magic("config", "MapReduce.chunk_size = '2 MiB'")
    assert config.settings().chunk_size == 2 << 20
    shell.run_line_magic("config", "MapReduce.chunk_size = None")
    assert config.settings().chunk_size is None


def test_config_refuses_a_value_that_cannot_be_used(shell, caplog):
    shell.run_line_magic("config", "MapReduce.limit = 'x'")
    assert "limit = 'x' cannot be used" in caplog.text
    assert config.settings().limit == 10
    assert shell.run_line_magic("config", "MapReduce.limit") is None


def test_loading_twice_changes_nothing_and_unloading_takes_all_back(shell):
    before = len(shell.Completer.custom_matchers), len(shell.configurables)
    shell.run_line_magic("reload_ext", "mrkernel")
    shell.extension_manager.load_extension("mrkernel")
    assert (len(shell.Completer.custom_matchers), len(shell.configurables)) == before
    shell.run_line_magic("unload_ext", "mrkernel")
    assert shell.find_cell_magic("mapreduce") is None
    assert len(shell.Completer.custom_matchers) == before[0] - 1
    shell.run_line_magic("load_ext", "mrkernel")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%%mapreduce --ch", ["--chunk-size"]),
        ("%%mapreduce -i fra", ["frame"]),
        ("%%mapreduce -i a b wor", ["words.txt"]),
        ("%%mapreduce -i x --combine o", ["on", "off"]),
        ("%mapreduce --mapper w", ["words"]),
        ("%%mapreduce -f pa", ["parquet"]),
        ("%%mapreduce -o x --out", []),
        ("%%mapper --", ["--help"]),
        ("%mr ca", ["cancel"]),
    ],
)
def test_options_and_values_complete(shell, tmp_path, text, expected):
    (tmp_path / "words.txt").write_text("a")
    cell(shell, "words", WORDS, "mapper")
    shell.user_ns["frame"] = [1]
    with provisionalcompleter():
        found = [c.text for c in shell.Completer.completions(text, len(text))]
    assert set(expected) == set(found)


def test_lines_of_the_body_complete_as_python(shell):
    text = "%%mapreduce -i x\n--ch"
    with provisionalcompleter():
        found = [c.text for c in shell.Completer.completions(text, len(text))]
    assert "--chunk-size" not in found
