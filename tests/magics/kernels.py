"""A kernel that runs cells and keeps every message that a front end would see."""

from __future__ import annotations

import json
import os
import queue
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

__all__ = ["Kernel", "Ran", "environment", "installed_kernel", "write_spec"]


def environment(home: Path, *first: str) -> dict[str, str]:
    """Variables of a kernel with this checkout and one worker; ``home`` is for IPython's own files.

    Packages in the folders ``first`` come before those that are installed.
    """
    paths = os.pathsep.join(filter(None, [*first, str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "IPYTHONDIR": str(home), "PYTHONPATH": paths, "MRKERNEL_WORKERS": "1"}


def installed_kernel(version: str) -> str:
    """The folder in which ``make test`` has put this version of ipykernel."""
    folder = Path(sys.prefix) / "kernels" / version
    if not (folder / "ipykernel").is_dir():
        pytest.fail(f"ipykernel {version} is not in {folder}: `make test` puts it there")
    return str(folder)


def write_spec(folder: Path, name: str, env: dict[str, str]) -> None:
    """A kernelspec ``name`` in ``folder`` whose kernels get ``env``."""
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": name, "language": "python", "env": env}
    (folder / name).mkdir(parents=True)
    (folder / name / "kernel.json").write_text(json.dumps(spec))


@dataclass
class Ran:
    """What one cell sent back."""

    status: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    streams: str = ""
    results: list[dict[str, Any]] = field(default_factory=list)
    opened: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    seconds: float = 0.0

    def succeeded(self) -> Ran:
        """Itself, if the cell ended well."""
        assert self.status == "ok", self.error
        return self

    @property
    def text(self) -> str:
        """All text/plain shown, in order, updates last."""
        return "\n".join(data.get("text/plain", "") for data in (*self.displays, *self.updates))

    @property
    def html(self) -> str:
        """All text/html shown, in order, updates last."""
        return "\n".join(data.get("text/html", "") for data in (*self.displays, *self.updates))


class Kernel:
    """A context manager around one ipykernel process.

    Parameters
    ----------
    folder
        Where it runs.
    env
        All its variables; those of its kernelspec come on top.
    specs
        A folder of kernelspecs, and the one to take; else the kernel of this environment.
    """

    def __init__(self, folder: Path, env: dict[str, str], *, specs: Path | None = None, name: str = "python3") -> None:
        self.folder = folder
        self._manager = KernelManager(kernel_name=name)
        if specs is not None:
            self._manager.kernel_spec_manager = KernelSpecManager(kernel_dirs=[str(specs)], ensure_native_kernel=False)
        self._env = env

    def __enter__(self) -> Self:
        self._manager.start_kernel(cwd=str(self.folder), env=self._env)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=False)

    def interrupt(self) -> None:
        """What the front end's stop button does."""
        self._manager.interrupt_kernel()

    def add_subshell(self) -> str:
        """A subshell, as JupyterLab makes one for the comms of widgets where the kernel has them."""
        message = self._client.session.msg("create_subshell_request")
        self._client.control_channel.send(message)
        reply = self._client.get_control_msg(timeout=20)
        return str(reply["content"]["subshell_id"])

    def press(self, ran: Ran, command: str, *, subshell: str = "") -> None:
        """What a button of the first widget that ``ran`` has opened sends."""
        content = {"comm_id": ran.opened[0]["comm_id"], "data": {"method": "custom", "content": {"cmd": command}}}
        message = self._client.session.msg("comm_msg", content)
        if subshell:
            message["header"]["subshell_id"] = subshell
        self._client.shell_channel.send(message)

    def start(self, code: str, *, is_watched: bool = True) -> str:
        """Send a cell and return its message's id; ``is_watched`` is a front end with a person."""
        return str(self._client.execute(code, allow_stdin=is_watched))

    def run(self, code: str, *, is_watched: bool = True, timeout: float = 60) -> Ran:
        """Run a cell to its end."""
        return self.collect(self.start(code, is_watched=is_watched), timeout=timeout)

    def collect(self, message_id: str, *, timeout: float = 60, until: str | None = None) -> Ran:
        """Messages of a cell until it is done, or until ``until`` appears in a display."""
        ran, began = Ran(), time.monotonic()
        while time.monotonic() - began < timeout:
            try:
                message = self._client.get_iopub_msg(timeout=0.2)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, content = message["msg_type"], message["content"]
            self._take(ran, kind, content)
            if until is not None and until in ran.text:
                return ran
            if kind == "status" and content["execution_state"] == "idle":
                ran.seconds = time.monotonic() - began
                ran.status = self._reply(message_id)
                return ran
        raise TimeoutError(f"the cell has not ended after {timeout} s; it has shown {ran.text!r}")

    def complete(self, code: str) -> list[str]:
        """Completions at the end of ``code``."""
        content = self._client.complete(code, reply=True, timeout=20)["content"]
        return list(content["matches"])

    def _reply(self, message_id: str) -> str:
        while True:
            reply = self._client.get_shell_msg(timeout=20)
            if reply["parent_header"].get("msg_id") == message_id:
                return str(reply["content"]["status"])

    @staticmethod
    def _take(ran: Ran, kind: str, content: dict[str, Any]) -> None:
        if kind == "display_data":
            ran.displays.append(content["data"])
        elif kind == "update_display_data":
            ran.updates.append(content["data"])
        elif kind == "stream":
            ran.streams += content["text"]
        elif kind == "execute_result":
            ran.results.append(content["data"])
        elif kind == "comm_open":
            ran.opened.append(content)
        elif kind == "comm_msg" and "state" in content["data"].get("state", {}):
            ran.states.append(content["data"]["state"]["state"])
        elif kind == "error":
            ran.error = content
