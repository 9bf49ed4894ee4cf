"""Every option in the help of ``%%mapreduce``: it does what the help says, or is refused in a clear sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mrkernel.cellspec import OPTIONS
from mrkernel.cellspec.functions import ROLES
from mrkernel.cellspec.options import FUNCTIONS
from mrkernel.errors import OptionError, TargetExistsError

pytestmark = pytest.mark.cluster

WORDS = "def mapper(line):\n    for word in line.split():\n        yield word, 1\n\nreducer = sum\n"
ROWS = "def mapper(row):\n    yield row['word'], int(row['n'])\n\nreducer = sum\n"


def stages(result):
    return {stage.name: stage for stage in result.report.stages}


def gives(counts):
    return lambda shell, said: dict(shell.user_ns["out"]) == counts


# Option → line (after "-i lines.txt -o out", unless it begins with -i), body, and what must hold afterwards.
ACCEPTED = {
    "--input": ("-i lines -o out", WORDS, gives({"a": 1, "c": 1})),
    "--format": ("-i rows.dat -f csv -o out", ROWS, gives({"a": 3, "b": 4})),
    "--format-option": ("-i semi.csv --format-option delimiter=; -o out", ROWS, gives({"a": 3, "b": 4})),
    "--output": ("", WORDS, gives({"a": 3, "b": 2, "c": 1})),
    "--save": ("--save new.jsonl", WORDS, lambda shell, said: len(Path("new.jsonl").read_text().splitlines()) == 3),
    "--overwrite": (
        "--save there.jsonl --overwrite",
        WORDS,
        lambda shell, said: "old" not in Path("there.jsonl").read_text(),
    ),
    "--append": (
        "--save folder --append",
        WORDS,
        lambda shell, said: {"old.parquet"} < {path.name for path in Path("folder").iterdir()},
    ),
    "--mapper": ("--mapper words", "reducer = sum\n", gives({"a": 3, "b": 2, "c": 1})),
    "--reducer": ("--reducer tens", WORDS.replace("reducer = sum", ""), gives({"a": 30, "b": 20, "c": 10})),
    "--combiner": (
        "--combiner tens",
        WORDS.replace("reducer = sum", "def reducer(key, values):\n    return min(values)"),
        gives({"a": 30, "b": 20, "c": 10}),
    ),
    "--sort": (
        "--sort key --reducers 3",
        WORDS,
        lambda shell, said: list(shell.user_ns["out"]) == [("a", 3), ("b", 2), ("c", 1)],
    ),
    "--chunk-size": ("--chunk-size 4", WORDS, lambda shell, said: stages(shell.user_ns["out"])["map"].total == 3),
    "--reducers": ("--reducers 3", WORDS, lambda shell, said: stages(shell.user_ns["out"])["reduce"].total == 3),
    "--workers": ("--workers 3 --explain", WORDS, lambda shell, said: said.rstrip().endswith("workers     3")),
    "--combine": ("--combine off", WORDS, lambda shell, said: stages(shell.user_ns["out"])["reduce"].records == 6),
    "--on-error": (
        "--on-error collect",
        "def mapper(line):\n    yield line, 1 // (line[0] != 'c')\n\nreducer = sum",
        lambda shell, said: (
            dict(shell.user_ns["out"]) == {"a b": 2} and "1 of 3 records was set aside: out.errors" in said
        ),
    ),
    "--profile": (
        "--profile",
        "import time\n" + WORDS.replace("yield", "time.sleep(0.02)\n        yield"),
        lambda shell, said: "time of all workers" in said and re.search(r"Cell In\[\d*\]:5 in mapper", said),
    ),
    "--limit": ("--limit 1", WORDS, lambda shell, said: "1 of 3 rows" in said),
    "--plot": ("--plot hist", WORDS, lambda shell, said: "plot of rows by value" in said),
    "--no-plot": ("--no-plot", WORDS, lambda shell, said: "plot" not in said),
    "--no-progress": ("--no-progress", WORDS, lambda shell, said: "finished in" not in said and "3 rows" in said),
    "--name": ("--name 'my words'", WORDS, lambda shell, said: "my words: finished in" in said),
    "--explain": ("--explain", WORDS, lambda shell, said: "plan of out" in said and "out" not in shell.user_ns),
    "--background": ("-b", WORDS, lambda shell, said: dict(shell.user_ns["out"].result(30))["a"] == 3),
    "--help": ("-h", WORDS, lambda shell, said: said.startswith("Run the mapper") and "out" not in shell.user_ns),
}
REFUSED = {
    "--input": ("-i nowhere", OptionError, "-i nowhere is neither a variable nor a file here"),
    "--format": ("-f nonsense", ValueError, "nonsense"),
    "--format-option": ("--format-option delimiter", OptionError, "is not of the form name=value"),
    "--output": ("-i lines.txt -o 2x", OptionError, "-o '2x' is no name for a variable"),
    "--save": ("--save there.jsonl", TargetExistsError, "there.jsonl"),
    "--overwrite": ("--overwrite", OptionError, "say how to --save"),
    "--append": ("--save there.json --append", OptionError, "append needs a folder"),
    "--mapper": ("--mapper words", OptionError, "--mapper words is given, and the cell defines a mapper too"),
    "--reducer": ("--reducer total", OptionError, "--reducer total is given, and the cell defines a reducer too"),
    "--combiner": ("--combiner nowhere", OptionError, "no reducer is kept under the name 'nowhere'"),
    "--sort": ("--sort value", OptionError, "--sort: invalid choice: 'value'"),
    "--chunk-size": ("--chunk-size none", OptionError, "chunk_size = 'none' cannot be used: a size is"),
    "--reducers": ("--reducers 0", OptionError, "reducers = '0' cannot be used"),
    "--workers": ("--workers many", OptionError, "workers = 'many' cannot be used"),
    "--combine": ("--combine maybe", OptionError, "--combine: invalid choice: 'maybe'"),
    "--attempts": ("--attempts 0", OptionError, "attempts = '0' cannot be used"),
    "--on-error": ("--on-error ignore", OptionError, "--on-error: invalid choice: 'ignore'"),
    "--error-limit": ("--error-limit some", OptionError, "error_limit = 'some' cannot be used: it must be a number of"),
    "--limit": ("--limit -1", OptionError, "limit"),
    "--plot": ("--plot heat --no-plot", OptionError, "--plot and --no-plot exclude each other"),
    "--background": ("-b --explain", OptionError, "--explain runs nothing"),
}


@pytest.fixture
def cell(shell, tmp_path, cluster):
    (tmp_path / "lines.txt").write_text("a b\na b\nc a\n")
    (tmp_path / "rows.dat").write_text("word,n\na,1\nb,4\na,2\n")
    (tmp_path / "semi.csv").write_text("word;n\na;1\nb;4\na;2\n")
    (tmp_path / "there.jsonl").write_text('{"key": "old", "value": 1}\n')
    (tmp_path / "there.json").write_text('{"old": 1}\n')
    shell.run_cell_magic("mapper", "words", WORDS)
    shell.run_cell_magic("reducer", "tens", "def tens(key, values):\n    return 10 * len(values)")
    shell.user_ns["lines"] = ["a c"]
    import mrkernel as mr

    mr.run(mr.Job(lambda word: [(word, 1)], sum), ["old"], executor="inline", save="folder/")
    next(Path("folder").glob("*.parquet")).rename("folder/old.parquet")

    def run(line, body):
        return shell.run_cell_magic("mapreduce", line if line.startswith("-i") else f"-i lines.txt -o out {line}", body)

    return run


def test_functions_of_the_help_are_those_that_a_cell_may_define():
    assert [role for role in ROLES if role not in re.split(r"\W+", FUNCTIONS)] == []


def test_every_option_of_the_help_is_in_a_table():
    named = {option.flags[-1] for option in OPTIONS}
    assert named == ACCEPTED.keys() | REFUSED.keys()


@pytest.mark.parametrize("option", ACCEPTED)
def test_option_does_what_its_help_says(shell, cell, capsys, option):
    line, body, holds = ACCEPTED[option]
    cell(line, body)
    said = capsys.readouterr().out
    assert holds(shell, said), said


@pytest.mark.parametrize("option", REFUSED)
def test_option_that_does_not_fit_is_refused_in_a_clear_sentence(cell, option):
    line, error, message = REFUSED[option]
    with pytest.raises(error, match=message):
        cell(line, WORDS)


def test_attempts_reaches_the_plan(shell, cell):
    cell("--attempts 2 -b", WORDS)
    assert shell.user_ns["out"].plan.settings.attempts == 2
    assert shell.user_ns["out"].wait(30)
