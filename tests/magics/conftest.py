"""A real IPython shell with the extension, and real kernels that run cells."""

from __future__ import annotations

import atexit

import pytest

from tests.magics.kernels import Kernel, environment


@pytest.fixture(scope="session")
def _ipython_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ipython")


@pytest.fixture
def shell(_ipython_folder, _cluster_closed_at_the_end, tmp_path, monkeypatch):
    """An InteractiveShell without a kernel, as in a terminal, in an empty folder."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    monkeypatch.setenv("MRKERNEL_PRESTART", "off")
    monkeypatch.setenv("MRKERNEL_WORKERS", "2")
    monkeypatch.setenv("IPYTHONDIR", str(_ipython_folder))
    monkeypatch.chdir(tmp_path)
    InteractiveShell.clear_instance()
    settings = Config()
    settings.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=settings)
    shell.run_line_magic("load_ext", "mrkernel")
    yield shell
    shell.run_line_magic("unload_ext", "mrkernel")
    InteractiveShell.clear_instance()
    # Else each would look through all of memory at the end: two minutes for all of them.
    atexit.unregister(shell.atexit_operations)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A kernel with the extension loaded, in a folder with ``words.txt``; one for all tests of a module."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "words.txt").write_text("the cat and the dog\nthe end\n")
    with Kernel(folder, env=environment(tmp_path_factory.mktemp("ipython"))) as kernel:
        kernel.run("%load_ext mrkernel").succeeded()
        yield kernel
