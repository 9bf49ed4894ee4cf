"""The failure card in the notebook's own words."""

from __future__ import annotations

import pytest

from mrkernel.magics.body import as_written


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("# %%mapreduce -i a.txt\n", "%%mapreduce -i a.txt\n"),
        ("# %%mapper words\n", "%%mapper words\n"),
        ("# a comment\n", "# a comment\n"),
        ("# %% a cell of an editor\n", "# %% a cell of an editor\n"),
        ("x = 1\n", "x = 1\n"),
    ],
)
def test_a_cells_first_line_is_shown_as_the_user_wrote_it(line, shown):
    assert as_written(line) == shown
