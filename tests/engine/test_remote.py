"""Jobs on workers that share no file system with each other or with the client."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.cluster import Cluster, connect
from mrkernel.engine.remote import RemoteFile
from mrkernel.engine.shuffle import LostRunError, Run, read_all
from tests.engine.marks import wait_until

pytestmark = pytest.mark.cluster

_IS_ROOT = os.geteuid() == 0
# Whoever is not root may mount as root of a user namespace, where the system allows those.
_UNSHARE = ["unshare", *([] if _IS_ROOT else ["--map-root-user"]), "-m", "sh", "-c"]


def _may_mount() -> bool:
    probe = [*_UNSHARE, "mount -t tmpfs tmpfs /mnt"]
    return bool(shutil.which("unshare")) and subprocess.run(probe, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers, each with a disk of its own mounted over the same folder in a mount namespace of its own."""
    if not _IS_ROOT and not _may_mount():
        pytest.skip("workers with file systems of their own need root or user namespaces, and unshare (util-linux)")
    from distributed import LocalCluster

    folder = tmp_path_factory.mktemp("apart")
    disk = folder / "disk"
    disk.mkdir()
    with LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as scheduler:
        command = (
            f"mount -t tmpfs tmpfs {disk} && exec {sys.executable} -m distributed.cli.dask_worker "
            f"{scheduler.scheduler_address} --nthreads 1 --no-dashboard --host 127.0.0.1 "
            f"--local-directory {disk} --death-timeout 60"
        )
        environment = {**os.environ, "PYTHONPATH": str(Path(mr.__file__).parents[1])}
        with (folder / "log").open("w") as log:
            workers = [
                subprocess.Popen([*_UNSHARE, command], env=environment, stdout=log, stderr=log) for _ in range(2)
            ]
        try:
            cluster = connect(scheduler.scheduler_address)
            cluster.client.wait_for_workers(2, timeout=60)
            cluster.is_local, cluster.scratch_dir = False, None
            yield cluster
            cluster.close()
        finally:
            for worker in workers:
                worker.terminate()
            for worker in workers:
                worker.wait(20)


def words(line: str) -> list[tuple[str, int]]:
    return [(word, 1) for word in line.split()]


LINES = [f"w{n % 7} w{n % 11} w{n % 1000}" for n in range(20_000)]


def reference() -> dict[str, int]:
    counts: dict[str, int] = {}
    for line in LINES:
        for word in line.split():
            counts[word] = counts.get(word, 0) + 1
    return dict(sorted(counts.items()))


def total(key: str, values: list[int]) -> int:
    return sum(values)


def test_workers_see_no_common_files(apart: Cluster) -> None:
    seen = apart.client.run(lambda dask_worker: sorted(os.listdir(os.path.dirname(dask_worker.local_directory))))
    assert len({tuple(names) for names in seen.values()}) == 2


@pytest.mark.parametrize("reducer", [sum, total], ids=["aggregate", "function"])
@pytest.mark.parametrize("options", [{"reducers": 3}, {}], ids=["three parts", "merged"])
def test_shuffle_reads_files_of_other_workers(apart: Cluster, reducer: object, options: dict[str, int]) -> None:
    result = mr.run(mr.Job(words, reducer), LINES, cluster=apart, chunk_size="40 kB", **options)
    assert dict(sorted(result)) == reference()


def test_result_is_brought_and_feeds_another_job(apart: Cluster) -> None:
    counts = mr.run(mr.Job(words, sum), LINES, cluster=apart, chunk_size="40 kB")
    sizes = mr.run(mr.Job(lambda word, count: (len(word), count), sum), counts, cluster=apart)
    assert sum(dict(sizes).values()) == 3 * len(LINES)


def test_steps_are_chained(apart: Cluster) -> None:
    job = mr.Job(words, sum).then(mr.Job(lambda word, count: (word[1:], count), sum))
    result = mr.run(job, LINES, cluster=apart, chunk_size="40 kB")
    assert dict(sorted(result)) == {word[1:]: count for word, count in reference().items()}


def test_nothing_is_left_on_the_workers(apart: Cluster) -> None:
    mr.run(mr.Job(words, sum), LINES, cluster=apart, chunk_size="40 kB", reducers=2)
    left = apart.client.run(lambda dask_worker: [path for path, _, files in os.walk(dask_worker.local_directory)
                                                 for name in files if name.startswith(("map-", "part-"))])  # fmt: skip
    assert not any(left.values()), left


def test_remote_file_reads_any_range() -> None:
    content = os.urandom(3 << 20)
    before = b"other runs"

    def fetch(worker: str, path: str, start: int, length: int) -> bytes:
        return (before + content)[start : start + length]

    file = RemoteFile("tcp://elsewhere:1", "f", fetch, start=len(before), n_bytes=len(content))
    for start, length in ((0, 10), (len(content) - 5, 50), (1 << 20, 2 << 20), (7, 1)):
        file.seek(start)
        assert file.read(length) == content[start : start + length]


def test_remote_file_that_is_gone_names_its_map_task() -> None:
    def fetch(worker: str, path: str, start: int, length: int) -> bytes:
        raise OSError("no such file")

    run = Run(task=3, path="gone.arrow", worker="tcp://elsewhere:1", rows=(1,), n_bytes=100)
    with pytest.raises(LostRunError) as caught:
        read_all([run], fetch)
    assert caught.value.tasks == (3,)


def test_cancel_of_a_loop_replaces_its_worker_and_leaves_no_file(apart: Cluster, tmp_path: Path) -> None:
    before = {worker.pid for worker in apart.workers()}

    def mapper(_number: int) -> None:
        (tmp_path / "in").touch()
        re.match(r"(a+)+$", "a" * 64 + "b")

    handle = mr.submit(mr.Job(mapper, sum, name="looped"), [0], cluster=apart)
    wait_until((tmp_path / "in").exists)
    handle.cancel()
    assert handle.wait(3)
    wait_until(lambda: handle.progress().notes)
    assert handle.progress().notes[-1].startswith("1 worker (")
    wait_until(lambda: len(apart.workers()) == 2, within=60)
    assert len(before & {worker.pid for worker in apart.workers()}) == 1
    left = apart.client.run(lambda dask_worker: [n for n in os.listdir(dask_worker.local_directory) if "looped" in n])
    assert set(map(tuple, left.values())) == {()}


@pytest.mark.parametrize("broadcast", [True, False])
def test_sides_of_a_join_are_fetched(apart: Cluster, broadcast: bool) -> None:
    left = pa.table({"k": range(20_000), "v": range(20_000)})
    right = pa.table({"k": range(0, 30_000, 3), "w": range(10_000)})
    result = mr.join(left, right, on="k", broadcast=broadcast, cluster=apart, chunk_size="64 KiB", progress=False)
    assert sorted(result.to_arrow()["w"].to_pylist()) == list(range(6_667))
