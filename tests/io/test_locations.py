"""Paths, folders, globs and URLs: what they stand for, and what is said if they stand for nothing."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mrkernel.errors import MissingDependencyError, SourceError, SourceNotFoundError
from mrkernel.io.locations import compression_of, expand, file_suffix, is_url, safe_name


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "books/b.txt",
        "books/a.txt",
        "books/.hidden",
        "books/_SUCCESS",
        "books/in/c.txt",
        "books/.mr-1-x/part.txt",
        "empty/.keep",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("location", "shown"), [
    ("books", ["books/a.txt", "books/b.txt", "books/in/c.txt"]),
    ("books/a.txt", ["books/a.txt"]),
    ("books/*", ["books/a.txt", "books/b.txt"]),
    ("books/**/*.txt", ["books/a.txt", "books/b.txt", "books/in/c.txt"]),
    ("books/[b].txt", ["books/b.txt"]),
])  # fmt: skip
def test_location_stands_for_its_files_in_order(folder: Path, location: str, shown: list[str]) -> None:
    entries = expand(location)
    assert [entry.shown for entry in entries] == shown
    assert [entry.path for entry in entries] == [str(folder / name) for name in shown]
    assert all(entry.size == 4 for entry in entries)


def test_folder_with_a_link_to_itself_gives_each_file_once(folder: Path) -> None:
    (folder / "books/in/again").symlink_to(folder / "books")
    (folder / "books/other").symlink_to(folder / "empty")
    (folder / "empty/d.txt").write_text("text")
    assert [entry.shown for entry in expand("books")] == [
        "books/a.txt", "books/b.txt", "books/in/c.txt", "books/other/d.txt",
    ]  # fmt: skip


def test_file_url_is_a_local_path(folder: Path) -> None:
    assert [entry.path for entry in expand(f"file://{folder}/books/a.txt")] == [str(folder / "books/a.txt")]


@pytest.mark.parametrize(("location", "message"), [
    ("boks", r"there is no file or folder boks\nHint: did you mean 'books'\?"),
    ("boks/a.txt", r"no file or folder boks/a\.txt\nHint: did you mean 'books/a\.txt'\?"),
    ("books/inn/c.txt", r"no file or folder books/inn/c\.txt\nHint: did you mean 'books/in/c\.txt'\?"),
    ("books/in/b/x.txt", r"no file or folder books/in/b/x\.txt\nHint: books/in holds c\.txt$"),
    ("boks/*.txt", r"no file matches boks/\*\.txt\nHint: did you mean 'books/\*\.txt'\?"),
    ("books/*.tx", r"no file matches books/\*\.tx\nHint: did you mean 'books/\*\.txt'\?"),
    ("books/c.txt", r"no file or folder books/c\.txt\nHint: did you mean 'books/[ab]\.txt'"),
    ("books/x/y/z.csv", r"no file or folder books/x/y/z\.csv\nHint: books holds"),
    ("books/*.csv", r"no file matches books/\*\.csv\nHint: "),
    ("empty", r"the folder empty holds no files\nHint: hidden files"),
    ("zip://no.txt::file://{}/a.zip", r"nothing at zip://no\.txt"),
    ("zip://*.txt::file://{}/a.zip", r"no file matches zip://\*\.txt"),
])  # fmt: skip
def test_location_without_files_says_what_is_near(folder: Path, location: str, message: str) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("a.csv", "a")
    with pytest.raises(SourceNotFoundError, match=message):
        expand(location.format(folder))


def test_scheme_without_its_package_says_what_to_install() -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(MissingDependencyError, match=r"cannot open gs://b/x: .*\nHint: pip install 'mrkernel\[gcs\]'"):
        expand("gs://b/x")


def test_unknown_scheme_is_named() -> None:
    with pytest.raises(SourceError, match=r"cannot open qq://x: .*qq\nHint: check the URL's scheme"):
        expand("qq://x")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, who may read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_folder_that_cannot_be_read_is_named(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "books").chmod(0)
    with as_nobody(), pytest.raises(SourceError, match="cannot look at books"):
        expand("books")


@pytest.mark.parametrize(("location", "expected"), [
    ("s3://me:secret@host/a", "s3://host/a"),
    ("https://host/a?sig=secret", "https://host/a"),
    ("zip://a::https://u:secret@host/b?x=secret", "zip://a::https://host/b"),
    ("/data/a?.txt", "/data/a?.txt"),
])  # fmt: skip
def test_name_holds_no_secret(location: str, expected: str) -> None:
    assert safe_name(location) == expected


def test_suffix_looks_through_compression() -> None:
    assert [file_suffix(name) for name in ("a.csv.gz", "a.TXT", "README", "a.b/c", "zip://x.csv::y.zip")] == [
        ".csv", ".txt", "", "", ".csv"]  # fmt: skip
    assert [compression_of(name) for name in ("a.gz", "a.csv.ZST", "a.csv")] == ["gzip", "zstd", None]


def test_windows_drives_and_colons_are_no_urls() -> None:
    assert [is_url(name) for name in ("a:b.txt", "12:30.log", "s3://b/k", "memory://x", "zip::a.zip")] == [
        False, False, True, True, True]  # fmt: skip
