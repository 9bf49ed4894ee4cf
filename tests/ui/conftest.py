"""A JupyterLab server on loopback with all its files in a temporary folder, and notebooks open in Chromium."""

from __future__ import annotations

import importlib.resources
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM", shutil.which("chromium") or "/usr/bin/chromium")
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
START_S = 60
IDLE = """() => { const panel = jupyterapp.shell.currentWidget;
    return panel?.sessionContext?.session?.kernel?.status === 'idle'
        && !panel.content.widgets.some(cell => (cell.prompt || '').includes('*')) }"""


class Lab:
    """A running server."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.token = secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = root / "notebooks"
        self.folder.mkdir()
        self._preset(
            root, "@jupyterlab/apputils-extension/notification", {"fetchNews": "false", "checkForUpdates": False}
        )
        self.log = root / "lab.log"
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser",
                   "--LabApp.news_url=", "--LabApp.extension_manager=readonly", "--ServerApp.ip=127.0.0.1",
                   f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0",
                   f"--ServerApp.root_dir={self.folder}", f"--IdentityProvider.token={self.token}",
                   "--JupyterNotebookApp.expose_app_in_browser=True"]  # fmt: skip
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                command, env=self._environment(root), stdout=log, stderr=log, start_new_session=True
            )
        self._wait()

    def _environment(self, root: Path) -> dict[str, str]:
        folders = {f"JUPYTER_{name}_DIR": str(root / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        return {**os.environ, **folders, "IPYTHONDIR": str(root / "ipython"), "PYTHONPATH": paths,
                "JUPYTERLAB_SETTINGS_DIR": str(root / "settings"), "MRKERNEL_WORKERS": "2",
                "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces"),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # fmt: skip

    def _preset(self, root: Path, plugin: str, values: dict[str, object]) -> None:
        file = root / "settings" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/api/status?token={self.token}", timeout=2):
                    return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()[-3000:]
                time.sleep(0.2)
        raise TimeoutError(self.log.read_text()[-3000:])

    def write(self, name: str, *cells: str) -> None:
        """A notebook in the server's folder."""
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        made = new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel})
        nbformat.write(made, self.folder / name)

    def stop(self) -> None:
        """SIGTERM ends the server and its kernels."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _is_local(url: str) -> bool:
    return urllib.parse.urlsplit(url).hostname in {"127.0.0.1", "localhost", None}


class Notebook:
    """A notebook open in JupyterLab, or in Notebook 7, which the same server brings as ``front="notebooks"``.

    Counts what the page could not load, logged as an error, or asked of another machine.
    """

    def __init__(self, browser, lab: Lab, name: str, height: int = 1500, front: str = "lab/tree") -> None:
        self.errors: list[str] = []
        self._context = browser.new_context(viewport={"width": 1100, "height": height})
        self.page = self._context.new_page()
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        # What a page gives up itself when it is left is no failure.
        self.page.on("requestfailed", lambda r: None if r.failure == "net::ERR_ABORTED" else self.errors.append(r.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: None if _is_local(request.url) else self.errors.append(request.url))
        # Pages that share a workspace open each other's notebooks when they are loaded again.
        place = front.replace("lab/", f"lab/workspaces/{secrets.token_hex(4)}/")
        self.page.goto(f"{lab.url}/{place}/{name}?token={lab.token}")
        self.page.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'", timeout=60_000
        )

    def reload(self) -> None:
        """Load the page again, whatever the kernel does meanwhile."""
        before = len(self.errors)
        self.page.reload(wait_until="commit")
        # The old page's polls end with it.
        del self.errors[before:]
        self.page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel")

    def command(self, name: str) -> None:
        """Start a command of JupyterLab without waiting for its end."""
        self.page.evaluate("name => { jupyterapp.commands.execute(name) }", name)

    def run(self, cell: int, *, wait: bool = True) -> None:
        """Run one cell, to its end unless told otherwise."""
        self.page.evaluate("n => { jupyterapp.shell.currentWidget.content.activeCellIndex = n }", cell)
        self.command("notebook:run-cell")
        # A cell shows a star from the moment it was sent until it ended.
        self.page.wait_for_function("n => jupyterapp.shell.currentWidget.content.widgets[n].prompt", arg=cell)
        if wait:
            self.wait_idle()

    def theme(self, name: str) -> None:
        """Switch to the ``"Light"`` or ``"Dark"`` theme and wait until its splash is gone."""
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", f"JupyterLab {name}"
        )
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light", arg=str(name == "Light").lower()
        )
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def shoot(self, path: Path) -> None:
        """Screenshots in the light and the dark theme; the theme is light again afterwards, for the server keeps it."""
        self.page.screenshot(path=path.with_name(f"{path.name}-light.png"))
        self.theme("Dark")
        self.page.screenshot(path=path.with_name(f"{path.name}-dark.png"))
        self.theme("Light")

    def wait_idle(self) -> None:
        """Until no cell runs or waits."""
        self.page.wait_for_function(IDLE, timeout=60_000)

    def output(self, cell: int):
        """The outputs of a cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-Cell-outputArea")

    def faults(self, locator) -> list[str]:
        """Serious faults of accessibility that axe-core finds in an element."""
        self.page.evaluate("source => { if (!window.axe) (0, eval)(source) }", AXE)
        found = locator.evaluate("async node => (await axe.run(node)).violations")
        return [f"{fault['id']}: {node['html'][:200]} {node['failureSummary']}" for fault in found
                if fault["impact"] in {"serious", "critical"} for node in fault["nodes"]]  # fmt: skip

    def close(self) -> None:
        """Close the page."""
        self._context.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.stop()


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def open_notebook(chromium, lab):
    opened = []

    def open_(name: str, **options: int) -> Notebook:
        opened.append(Notebook(chromium, lab, name, **options))
        return opened[-1]

    yield open_
    for notebook in opened:
        notebook.close()
    # What went wrong in the pages must have been nothing.
    assert [notebook.errors for notebook in opened if notebook.errors] == []


@pytest.fixture
def shots(tmp_path):
    """Where screenshots go: ``MRKERNEL_SHOTS``, or a folder of the test."""
    folder = Path(os.environ.get("MRKERNEL_SHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
