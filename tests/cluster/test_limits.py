from __future__ import annotations

from pathlib import Path

import pytest

from mrkernel.cluster import limits

GIB = 1 << 30


@pytest.fixture(autouse=True)
def _no_memory_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEM_LIMIT", raising=False)


def container(folder: Path, *, memory: str = "max", cpu: str = "max 100000") -> Path:
    (folder / "memory.max").write_text(memory + "\n")
    (folder / "cpu.max").write_text(cpu + "\n")
    return folder


def test_usable_cores_rounds_a_containers_quota_up(tmp_path: Path) -> None:
    assert limits.usable_cores(container(tmp_path, cpu="50000 100000")) == 1


def test_usable_cores_without_a_quota_are_those_of_the_affinity(tmp_path: Path) -> None:
    import os

    assert limits.usable_cores(container(tmp_path)) == len(os.sched_getaffinity(0))


def test_usable_cores_reads_a_version_1_quota(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("100000")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert limits.usable_cores(tmp_path) == 1


def test_total_memory_is_the_containers_limit(tmp_path: Path) -> None:
    assert limits.total_memory(container(tmp_path, memory=str(2 * GIB))) == (2 * GIB, True)


def test_total_memory_without_a_container_is_the_machines(tmp_path: Path) -> None:
    total, is_limited = limits.total_memory(container(tmp_path))
    assert total > GIB
    assert not is_limited


def test_total_memory_obeys_jupyterhubs_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEM_LIMIT", str(GIB))
    assert limits.total_memory(container(tmp_path, memory=str(2 * GIB))) == (GIB, True)


@pytest.mark.parametrize(("workers", "share"), [(1, 0.3), (2, 0.3), (4, 0.15)])
def test_memory_per_worker_leaves_room_in_a_small_container(tmp_path: Path, workers: int, share: float) -> None:
    folder = container(tmp_path, memory=str(2 * GIB))
    assert limits.memory_per_worker(workers, folder) == pytest.approx(share * 2 * GIB, abs=1)


def test_memory_per_worker_is_an_equal_share_of_a_machine(tmp_path: Path) -> None:
    total, _ = limits.total_memory(tmp_path)
    assert limits.memory_per_worker(4, tmp_path) == pytest.approx(0.75 * total / 4, abs=1)


def test_worker_count_is_lower_where_memory_would_not_do(tmp_path: Path) -> None:
    assert limits.worker_count(container(tmp_path, memory=str(GIB // 2))) == 1
