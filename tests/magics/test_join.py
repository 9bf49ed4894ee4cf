"""``%mrjoin``: joins what its line names, and behaves as every other run does."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mrkernel.cellspec import help_text, parse
from mrkernel.errors import JobSpecError, OptionError
from mrkernel.magics.awaiting import AwaitTransform
from mrkernel.session import JobHandle


@pytest.fixture
def joining(shell, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "items.csv").write_text("order,item\n1,pen\n1,ink\n3,pen\n")
    shell.user_ns["orders"] = pa.table({"order": [1, 2], "who": ["Ann", "Bo"]})
    return lambda line: shell.run_line_magic("mrjoin", line)


@pytest.mark.cluster
def test_a_line_joins_shows_saves_and_binds(shell, joining, capsys, tmp_path):
    assert joining("-l orders -r items.csv --on order --how left -o joined --save joined.csv") is None
    assert shell.user_ns["joined"].num_rows == 3
    assert (tmp_path / "joined.csv").read_text().startswith("order,who,item\n")
    said = capsys.readouterr().out
    assert "joined: finished in" in said
    assert "order  who  item\n" in said
    assert "no shuffle: the right side, 3 rows" in said
    assert "plot of" not in said


@pytest.mark.cluster
def test_in_the_background_it_is_a_handle(shell, joining):
    handle = joining("-l orders -r items.csv --on order --how anti -b -o rest")
    assert isinstance(handle, JobHandle)
    assert handle.to_arrow().to_pydict() == {"order": [2], "who": ["Bo"]}


def test_explain_says_what_is_sent_and_runs_nothing(shell, joining, capsys):
    joining("-l orders -r items.csv --on order --how outer --explain -o joined")
    said = capsys.readouterr().out
    assert "both sides shuffled: an outer join needs all rows of both" in said
    assert "outer, on order" in said
    assert "joined" not in shell.user_ns
    for command in ("tune", "walkthrough"):
        with pytest.raises(JobSpecError, match="a join"):
            shell.run_line_magic("mr", command)


def test_a_cell_of_its_own_awaits(shell):
    [line] = AwaitTransform(shell)(["%%mrjoin -l a -r b --on k\n"])
    assert line == "await get_ipython().run_cell_magic('mrjoin_async', '-l a -r b --on k', '\\n')\n"


@pytest.mark.cluster
def test_functions_of_the_cell_read_the_joined_rows(shell, joining, capsys):
    body = "def mapper(row):\n    yield row['item'], 1\n\nreducer = sum"
    shell.run_cell_magic("mrjoin", "-l orders -r items.csv --on order --columns item -o counts", body)
    assert dict(shell.user_ns["counts"]) == {"ink": 1, "pen": 1}
    said = capsys.readouterr().out
    assert "counts: finished in" in said
    assert "the next step's map tasks join its rows" in said
    # Lines that define nothing leave a join as it is.
    shell.run_cell_magic("mrjoin", "-l orders -r items.csv --on order --how semi -o known", "# who has ordered")
    assert shell.user_ns["known"].to_arrow().to_pydict() == {"order": [1], "who": ["Ann"]}


@pytest.mark.cluster
def test_kept_functions_read_the_joined_rows(shell, joining):
    shell.run_cell_magic("mapper", "items", "def mapper(row):\n    yield row['who'], row['item']")
    joining("-l orders -r items.csv --on order --mapper items --reducer len -o counts")
    assert dict(shell.user_ns["counts"]) == {"Ann": 2}
    with pytest.raises(OptionError, match="%mrjoin: no mapper is named"):
        joining("-l orders -r items.csv --on order --reducer len")
    with pytest.raises(OptionError, match=r"%%mrjoin: the cell defines no mapper\nHint: rename mappper"):
        shell.run_cell_magic("mrjoin", "-l orders -r items.csv --on order", "def mappper(row):\n    yield row, 1")


def test_options_become_a_join():
    spec = parse(
        "-l a b -r c --left-on x y --right-on z w --how semi --broadcast off --suffixes '' _r --limit 3 --columns x",
        {}, "mrjoin",
    )  # fmt: skip
    assert (spec.left, spec.right, spec.settings) == (("a", "b"), ("c",), {"limit": 3})
    assert spec.join.columns == ("x",)
    assert (spec.join.left_on, spec.join.right_on, spec.join.how) == (("x", "y"), ("z", "w"), "semi")
    assert (spec.join.broadcast, spec.join.suffixes) == (False, ("", "_r"))
    assert "%mrjoin -l orders" in help_text("mrjoin")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-r items.csv --on order", "%mrjoin: no left side is given\nHint: add -l with a path"),
        ("-l orders --on order", "%mrjoin: no right side is given\nHint: add -r with a path"),
        ("-l order -r items.csv --on order", "-l order is neither a variable nor a file here\nHint: .* orders"),
        ("-l orders -r items.csv", "%mrjoin: the join names no key columns\nHint: say which column"),
        ("-l orders -r items.csv --on who", "the right side has no column 'who'\nHint: its columns are order, item"),
        ("-l orders -r items.csv --on order --how lef", "--how: invalid choice: 'lef'"),
        ("-l orders -r orders --on order --suffixes _x", r"suffixes = .* cannot be used\nHint: give two texts"),
        ("-l orders -r items.csv --on order --input x", "there is no option --input"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_in_a_sentence(joining, line, message):
    with pytest.raises(OptionError, match=message):
        joining(line)
