"""Where the files of a job are: input for workers, shuffle files, results."""

from __future__ import annotations

import atexit
import os
import shutil

from mrkernel.config import Settings

__all__ = ["Folders"]


class Folders:
    """The folders of one job: input that workers read, shuffle files, and results."""

    def __init__(self, given: Settings, job_id: str) -> None:
        self._root = os.path.join(_session_folder(given), job_id)
        os.makedirs(self._root, mode=0o700)
        self._scratch = ""

    def input(self) -> str:
        """Where input of this process's memory is to lie for workers to read; made by whoever writes there."""
        return os.path.join(self._root, "input")

    def results(self) -> str:
        """Where the parts of the result go; it lasts as long as this process."""
        path = os.path.join(self._root, "result")
        os.makedirs(path, exist_ok=True)
        return path

    def scratch(self, cluster_scratch: str | None) -> str:
        """A new folder for shuffle files: the cluster's, or beside the results."""
        parent = cluster_scratch or self._root
        self._scratch = os.path.join(parent, f"shuffle-{os.path.basename(self._root)}")
        os.makedirs(self._scratch, mode=0o700)
        return self._scratch

    def discard_input(self) -> None:
        """Remove what only the run has read."""
        shutil.rmtree(os.path.join(self._root, "input"), ignore_errors=True)

    def discard(self) -> None:
        """Remove everything, as when a job never began."""
        shutil.rmtree(self._root, ignore_errors=True)
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)


_session: dict[int, str] = {}


def _session_folder(given: Settings) -> str:
    """The folder of this process's results: kept until it ends, so that results outlive an idle cluster."""
    from mrkernel.cluster import scratch

    pid = os.getpid()
    if pid not in _session or not os.path.isdir(_session[pid]):
        scratch.sweep(given.scratch)
        _session[pid] = scratch.create(given.scratch)
        atexit.register(shutil.rmtree, _session[pid], ignore_errors=True)
    return _session[pid]
