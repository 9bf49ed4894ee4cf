"""An engine's process seen from outside: ask it to run, and read the CPU time and memory of all that belongs to it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.benchmarks.answers import Digest

__all__ = ["EngineError", "EngineProcess", "Memory"]

ROOT = Path(__file__).parents[2]
LOGS = ROOT / ".bench" / "logs"
# A cluster may leave its parent's process tree on purpose; what it cannot leave behind is its environment.
MARK = "BENCHMARK_ENGINE"
SAMPLE_S = 0.05
# Looking for new processes reads the environment of every process of the machine.
MEMBERS_S = 1.0
GRACE_S = 10.0


class EngineError(RuntimeError):
    """An engine failed, ended or did not answer in time; the message ends with the last lines of its log."""


@dataclass(slots=True)
class Memory:
    """Most bytes that were held at once.

    Attributes
    ----------
    resident_bytes, private_bytes
        By one process other than the engine's first, with and without what it shares with others.
    together_bytes
        By all processes, without what they share.
    """

    resident_bytes: int = 0
    private_bytes: int = 0
    together_bytes: int = 0


class EngineProcess:
    """A contender's process and its descendants.

    Parameters
    ----------
    workload, name
        Its keys in ``WORKLOADS`` and there in ``contenders``.
    python
        The interpreter of the environment it lives in.
    cores
        How many processes or threads it may use.
    timeout_s
        Longest time for one answer.
    """

    def __init__(self, workload: str, name: str, python: Path, *, cores: int, timeout_s: float = 900.0) -> None:
        self.name, self.timeout_s = name, timeout_s
        self._mark = uuid.uuid4().hex
        self.left_behind: list[psutil.Process] = []
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log = LOGS / f"{workload}-{name}.log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [python, "-m", "tests.benchmarks.serve", workload, name, str(cores)], cwd=ROOT, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, MARK: self._mark},
            )  # fmt: skip
        ready = self._answer()
        self.ready_s, self.version = float(ready["ready_s"]), str(ready["version"])

    def run(self, source: Any, **options: Any) -> tuple[float, float]:
        """Run the job; wall seconds and the CPU seconds of all processes."""
        self._ask(do="prepare", source=source)
        before = self.cpu_s()
        wall = self._ask(do="run", options=options)["wall_s"]
        return float(wall), self.cpu_s() - before

    def digest(self) -> Digest:
        """What identifies the last answer."""
        return self._ask(do="digest")

    def members(self) -> list[psutil.Process]:
        """Every live process that this engine started, however it was detached, and its first."""
        return [process for process in psutil.process_iter() if _environment(process).get(MARK) == self._mark]

    def cpu_s(self) -> float:
        """CPU seconds of all members, those of children that have ended included."""
        seconds = 0.0
        for process in self.members():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            seconds += times.user + times.system + times.children_user + times.children_system
        return seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop all members while the block runs."""
        members = self.members()
        try:
            for process in members:
                with suppress(psutil.Error):
                    process.suspend()
            yield
        finally:
            for process in members:
                with suppress(psutil.Error):
                    process.resume()

    @contextmanager
    def watched_memory(self) -> Iterator[Memory]:
        """Follow the memory of all processes while the block runs, those that start meanwhile included."""
        memory, done = Memory(), threading.Event()

        def watch() -> None:
            members, looked = self.members(), time.monotonic()
            self._sample(members, memory)
            while not done.wait(SAMPLE_S):
                if time.monotonic() - looked > MEMBERS_S:
                    members, looked = self.members(), time.monotonic()
                self._sample(members, memory)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield memory
        finally:
            done.set()
            thread.join()

    def _sample(self, members: list[psutil.Process], memory: Memory) -> None:
        together = 0
        for process in members:
            try:
                info = process.memory_info()
            except psutil.Error:
                continue
            together += _own_share(process)
            if process.pid != self._process.pid:
                memory.resident_bytes = max(memory.resident_bytes, info.rss)
                memory.private_bytes = max(memory.private_bytes, info.rss - info.shared)
        memory.together_bytes = max(memory.together_bytes, together)

    def close(self) -> None:
        """End the engine; what it leaves behind for longer than a moment is noted in ``left_behind`` and ended too."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _, self.left_behind = psutil.wait_procs(self.members(), timeout=GRACE_S)
        for process in self.left_behind:
            process.kill()
        if self._process.stdout:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, **fields: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(fields) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failure("has ended") from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(self.timeout_s):
                raise self._failure(f"did not answer in {self.timeout_s:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise self._failure("has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _failure(self, what: str) -> EngineError:
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        self.close()
        return EngineError(f"{self.name} {what}; the end of its log {self.log}:\n{tail}")


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def _own_share(process: psutil.Process) -> int:
    """Bytes of memory of a process that is no file's; what forked processes still share counts for each in part."""
    with suppress(OSError), open(f"/proc/{process.pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) << 10
    return 0
