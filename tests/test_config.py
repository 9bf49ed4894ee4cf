"""Settings from files: those of the nearest project, as they are now, and parsed no more often than they change."""

from __future__ import annotations

import os
import time
import tomllib
from pathlib import Path

import pytest

from mrkernel import config
from mrkernel.errors import OptionError

HOUR_NS = 3_600_000_000_000


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a project, in a folder below of which this process is."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.mrkernel]\nreducers = 3\n")
    return file


def _aged(file: Path, hours: int) -> None:
    at = time.time_ns() - hours * HOUR_NS
    os.utime(file, ns=(at, at))


def test_settings_of_the_nearest_project_count(project: Path) -> None:
    assert config.settings().reducers == 3


@pytest.mark.parametrize("hours", [0, 1])
def test_an_edit_counts_at_once(project: Path, hours: int) -> None:
    for reducers in (3, 5, 7):
        project.write_text(f"[tool.mrkernel]\nreducers = {reducers}\n")
        _aged(project, hours and hours + 10 - reducers)
        assert config.settings().reducers == reducers
    project.write_text("[tool.mrkernel")
    with pytest.raises(OptionError, match=r"cannot read settings from .*pyproject\.toml"):
        config.settings()


def test_a_file_that_stays_as_it_is_is_parsed_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed, loads = [], tomllib.loads
    monkeypatch.setattr(tomllib, "loads", lambda text: parsed.append(text) or loads(text))
    _aged(project, 1)
    assert [config.settings().reducers for _ in range(3)] == [3, 3, 3]
    assert len(parsed) == 1
