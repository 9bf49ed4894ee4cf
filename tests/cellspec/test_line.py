"""The option line of a magic."""

from __future__ import annotations

import pytest

from mrkernel.cellspec import OPTIONS, help_text, parse, split_line
from mrkernel.config import settings
from mrkernel.errors import OptionError


def test_every_option_reaches_the_spec():
    spec = parse(
        '-i a.txt "b c.txt" -f csv --format-option delimiter=; header=false skip=2 -o counts --save out.parquet '
        '--append --chunk-size "16 MiB" --reducers 3 --workers 2 --combine off --attempts 2 --limit 5 --sort key '
        "--no-plot --mapper words --reducer total --combiner total --name job -b",
        {},
    )
    assert (spec.inputs, spec.format, spec.output) == (("a.txt", "b c.txt"), "csv", "counts")
    assert spec.format_options == {"delimiter": ";", "header": False, "skip": 2}
    assert (spec.save, spec.append, spec.overwrite) == ("out.parquet", True, False)
    assert spec.settings == {
        "chunk_size": 16 << 20,
        "reducers": 3,
        "workers": 2,
        "combine": False,
        "attempts": 2,
        "limit": 5,
    }
    assert (spec.sort, spec.plot, spec.background, spec.explain, spec.name) == ("key", False, True, False, "job")
    assert spec.kept == {"mapper": "words", "reducer": "total", "combiner": "total"}


def test_an_empty_line_asks_for_nothing():
    spec = parse("", {})
    assert (spec.inputs, spec.settings, spec.kept, spec.plot) == ((), {}, {}, None)


@pytest.mark.parametrize(
    ("line", "plot", "kind"),
    [("--plot", True, None), ("--plot heat -b", True, "heat"), ("--plot -i a", True, None), ("--no-plot", False, None)],
)
def test_plot_stands_alone_or_with_a_kind(line, plot, kind):
    spec = parse(line, {})
    assert (spec.plot, spec.plot_kind) == (plot, kind)


@pytest.mark.parametrize(("name", "outer", "held"), [("combine", "off", False), ("reducers", "3", 3)])
def test_auto_takes_an_outer_setting_back(monkeypatch, name, outer, held):
    monkeypatch.setenv(f"MRKERNEL_{name.upper()}", outer)
    assert getattr(settings(), name) == held
    assert getattr(settings(**parse(f"--{name} auto", {}).settings), name) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--chnk-size 3", r"^%%mapreduce: there is no option --chnk-size\nHint: did you mean --chunk-size\?$"),
        ("--zzz", r"there is no option --zzz\nHint: %%mapreduce -h shows all options"),
        ("-o a -o b", r"^%%mapreduce: -o is given twice\nHint: give it once$"),
        ("-i a -i b", r"-i is given twice\nHint: write -i A B"),
        ("--plot --plot", "--plot is given twice"),
        ("books/*.txt", r"'books/\*.txt' belongs to no option\nHint: inputs follow -i"),
        ("--chunk-size 16 MiB", r"'MiB' belongs to no option\nHint: .*quote"),
        ("--chunk-size huge", r"%%mapreduce: chunk_size = 'huge' cannot be used: a size is"),
        ("--workers 0", r"workers = '0' cannot be used: it must be a whole number of at least 1"),
        ("--sort value", "--sort: invalid choice: 'value'"),
        ("-o", "--output: expected one argument|-o"),
        ("-o 2x", "-o '2x' is no name for a variable"),
        ("-o class", "-o 'class' is no name for a variable"),
        ("-o list", r"-o list would hide Python's own list\nHint: call it list_result"),
        ("-o In", "would hide Python's own In"),
        ('-i "a', r"cannot read the options: no closing quotation\nHint: close the quote"),
        ("--overwrite", r"--overwrite and --append say how to --save\nHint: add --save TARGET"),
        ("--save x --overwrite --append", "--overwrite and --append exclude each other"),
        ("--plot --no-plot", "--plot and --no-plot exclude each other"),
        ("--plot pie", "--plot: invalid choice: 'pie'"),
        ("--explain -b", "--explain runs nothing"),
        ("--format-option x", "--format-option 'x' is not of the form name=value"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(line, message):
    with pytest.raises(OptionError, match=message):
        parse(line, {})


def test_braces_stand_for_a_variable_and_stay_one_word():
    names = {"year": 2013, "folder": "my books; rm -rf"}
    assert parse("-i {{ folder }}/{{year}}.csv '{{folder}}'", names).inputs == (
        "my books; rm -rf/2013.csv",
        "my books; rm -rf",
    )


def test_braces_never_become_an_option():
    with pytest.raises(OptionError, match="stands for '--overwrite', which would be read as an option"):
        parse("--save x {{evil}}", {"evil": "--overwrite"})


def test_braces_around_an_unknown_name_say_the_nearest():
    with pytest.raises(OptionError, match=r"\{\{yaer\}\} names no variable\nHint: did you mean \{\{year\}\}\?"):
        parse("-i {{yaer}}", {"year": 1})
    with pytest.raises(OptionError, match="Hint: set q in a cell before"):
        parse("-i {{q}}", {})


def test_single_braces_are_left_alone():
    assert split_line("-i {a,b}.txt") == ["-i", "{a,b}.txt"]


def test_help_wins_over_errors():
    assert parse("--nonsense -h", {}).wants_help


@pytest.mark.parametrize("magic", ["mapreduce", "mapper", "reducer"])
def test_help_begins_with_examples(magic):
    text = help_text(magic)
    assert text.index("Examples") < text.index("Options")
    assert f"%%{magic}" in text


def test_help_names_every_option():
    assert all(option.flags[-1] in help_text("mapreduce") for option in OPTIONS)


def test_mapper_needs_one_good_name():
    assert parse("words", {}, "mapper").target == "words"
    with pytest.raises(OptionError, match="%%mapper: a name is missing"):
        parse("", {}, "mapper")
    with pytest.raises(OptionError, match="'b' belongs to no option\nHint: give one name"):
        parse("a b", {}, "mapper")
    with pytest.raises(OptionError, match="NAME sum would hide Python's own sum"):
        parse("sum", {}, "reducer")


def test_the_line_magic_is_named_as_it_is_written():
    for line in ("--zzz", "--workers 0", '-i "a', "-o class", "-i a -i b", "-i {{q}}", "--plot --no-plot"):
        with pytest.raises(OptionError, match=r"(?s)^%mapreduce: (?!.*%%mapreduce)"):
            parse(line, {}, is_line=True)
