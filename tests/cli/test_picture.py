"""A result drawn into a file."""

from __future__ import annotations

import pytest

import mrkernel as mr
from mrkernel.cli.picture import Picture
from mrkernel.errors import MrkernelError, OptionError, TargetExistsError


@pytest.fixture(scope="module")
def counts():
    return mr.run(mr.Job(lambda word: (word, 1), sum), list("abracadabra"), executor="inline")


def test_a_file_is_drawn_once_and_replaced_where_that_is_said(counts, tmp_path):
    path = str(tmp_path / "counts.PNG")
    picture = Picture.of(path, kind=None, is_replaced=False)
    assert picture.draw(counts) == f"plot of value by key, drawn into {path}"
    with pytest.raises(TargetExistsError, match=r"cannot draw into .*counts\.PNG: it exists"):
        Picture.of(path, kind=None, is_replaced=False)
    Picture.of(path, kind="hist", is_replaced=True).draw(counts)
    assert [file.name for file in tmp_path.iterdir()] == ["counts.PNG"]


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("x.pdf", None, "--plot x.pdf is no picture that can be written"),
        ("no/x.png", None, "--plot no/x.png: there is no folder no"),
        ("x.png", "pie", "there is no plot of kind 'pie'"),
        (None, "bar", "--plot-kind says what to draw, and no file is given"),
    ],
)
def test_what_cannot_be_drawn_is_refused_before_a_job_runs(path, kind, said):
    with pytest.raises(OptionError, match=said):
        Picture.of(path, kind=kind, is_replaced=False)


def test_a_folder_that_has_gone_is_said_and_leaves_nothing(counts, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    picture = Picture.of(str(folder / "x.png"), kind=None, is_replaced=False)
    folder.rmdir()
    with pytest.raises(MrkernelError, match=r"cannot draw into .*x\.png: No such file or directory"):
        picture.draw(counts)


def test_no_picture_is_drawn_unasked():
    assert Picture.of(None, kind=None, is_replaced=True) is None
