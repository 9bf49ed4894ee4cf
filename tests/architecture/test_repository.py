"""What may not stand in any committed file."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_BYTES = 2_000_000

# A path of one machine is wrong on every other one; a registry is the reader's own choice.
ABSOLUTE_PATH = re.compile(r"(?<![\w.~}])/(work|farm|root|home|Users|tmp)/(?!jovyan\b)[\w.-]")
# What a linter or the type checker is told to overlook is named, and a reason follows.
OVERLOOKED = re.compile(r"# (?:noqa|type: ignore)\b(?!(?:: [A-Z0-9, ]+|\[[a-z, -]+\])  # \S)")
REGISTRY = re.compile(r"files\.pythonhosted|pypi\.org/simple|registry\.npmjs|registry\.yarnpkg|deb\.debian\.org")


def _files() -> list[Path]:
    """Everything git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def _matches(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for file in _files():
        content = file.read_bytes()
        if b"\0" not in content[:8000]:
            lines = content.decode("utf-8").splitlines()
            found += [f"{file.relative_to(ROOT)}:{n}: {line.strip()[:100]}" for n, line in enumerate(lines, 1)
                      if pattern.search(line)]  # fmt: skip
    return found


def test_no_file_names_a_path_of_one_machine() -> None:
    assert _matches(ABSOLUTE_PATH) == []


def test_no_file_names_a_package_registry() -> None:
    assert _matches(REGISTRY) == []


def test_what_checkers_overlook_has_a_reason() -> None:
    assert [line for line in _matches(OVERLOOKED) if line.split(":")[0].endswith(".py")] == []


def test_no_file_is_large() -> None:
    assert [file.name for file in _files() if file.stat().st_size > MAX_BYTES] == []


def test_scripts_can_be_run() -> None:
    scripts = [file for file in _files() if file.read_bytes()[:2] == b"#!"]
    assert scripts
    assert [str(file.relative_to(ROOT)) for file in scripts if not file.stat().st_mode & 0o100] == []
