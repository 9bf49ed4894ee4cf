from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mrkernel.cluster import scratch
from mrkernel.errors import ClusterError


def leftover(parent: Path) -> Path:
    """The folder of a process that has ended without cleaning up."""
    code = f"from mrkernel.cluster import scratch; print(scratch.create({str(parent)!r}))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, check=True
    )
    return Path(answer.stdout.decode().strip())


def test_create_makes_a_folder_for_this_user_only(tmp_path: Path) -> None:
    folder = scratch.create(str(tmp_path / "new"))
    assert os.stat(folder).st_mode & 0o777 == 0o700
    assert scratch.create(str(tmp_path / "new")) != folder


def test_create_where_nothing_can_be_made_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ClusterError, match=r"cannot make the cluster's scratch folder .*file.*\n.*set scratch to"):
        scratch.create(str(tmp_path / "file"))


def test_sweep_removes_what_a_dead_owner_left(tmp_path: Path) -> None:
    folder = leftover(tmp_path)
    (folder / "part").write_bytes(b"x")
    assert scratch.sweep(str(tmp_path)) == [str(folder)]
    assert not folder.exists()


def test_sweep_keeps_the_folder_of_a_living_owner(tmp_path: Path) -> None:
    folder = scratch.create(str(tmp_path))
    assert scratch.sweep(str(tmp_path)) == []
    assert os.path.isdir(folder)


def test_sweep_keeps_a_folder_that_a_server_still_holds(tmp_path: Path) -> None:
    folder = leftover(tmp_path)
    held = scratch.lock(str(folder))
    assert scratch.sweep(str(tmp_path)) == []
    os.close(held)
    assert scratch.sweep(str(tmp_path)) == [str(folder)]


def test_sweep_keeps_what_is_not_its_own(tmp_path: Path) -> None:
    folder = leftover(tmp_path)
    other_user = tmp_path / folder.name.replace(f"mrkernel-{os.getuid()}-", f"mrkernel-{os.getuid() + 1}-")
    other_host = tmp_path / f"mrkernel-{os.getuid()}-00000000-1.1-abc"
    link = tmp_path / folder.name.replace("-", "-", 1)[:-1]
    for keep in (other_user, other_host, tmp_path / "mrkernel-notes"):
        keep.mkdir()
    link.symlink_to(other_user)
    scratch.sweep(str(tmp_path))
    assert sorted(tmp_path.iterdir()) == sorted([other_user, other_host, link, tmp_path / "mrkernel-notes"])


def test_mark_tells_a_process_from_a_later_one_with_its_pid() -> None:
    mine = scratch.mark(os.getpid())
    assert mine is not None
    assert scratch.is_alive(mine)
    assert not scratch.is_alive(f"{os.getpid()}.1")


def test_mark_of_a_process_that_has_ended_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert scratch.mark(process.pid) is None
