"""A kernel in which ipywidgets and anywidget cannot be imported: everything is HTML and text."""

from __future__ import annotations

import pytest

from tests.magics.kernels import Kernel, environment

pytestmark = pytest.mark.cluster

SLOW = """%%mapreduce -i numbers -o slow
import time
def mapper(number):
    time.sleep(0.1)
    yield number % 3, 1
reducer = sum"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    folder, broken = tmp_path_factory.mktemp("notebook"), tmp_path_factory.mktemp("broken")
    for name in ("ipywidgets", "anywidget"):
        (broken / f"{name}.py").write_text(f"raise ImportError('{name} is broken here')")
    with Kernel(folder, env=environment(tmp_path_factory.mktemp("ipython"), str(broken))) as kernel:
        kernel.run("%load_ext mrkernel\nnumbers = list(range(12))").succeeded()
        yield kernel


def test_progress_and_result_are_html_and_text(kernel):
    ran = kernel.run(SLOW).succeeded()
    kinds = set().union(*(*ran.displays, *ran.updates))
    assert kinds == {"text/html", "text/plain", "image/png"}
    assert len(ran.updates) >= 2
    assert "slow: finished in" in ran.updates[-1]["text/plain"]
    assert "3 rows, 2 columns" in ran.text
    assert ran.streams == ""
    shown = kernel.run("slow").succeeded().results[0]
    assert set(shown) == {"text/html", "text/plain"}


def test_a_failed_cell_shows_its_card(kernel):
    ran = kernel.run("%%mapreduce -i numbers\ndef mapper(number):\n    yield number, 1 / (number - 5)\n")
    assert ran.error["ename"] == "TaskFailedError"
    assert "record: 5" in ran.text
