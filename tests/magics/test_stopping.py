"""What Cancel can do in each kernel, in words."""

from __future__ import annotations

import pytest

from mrkernel.magics.stopping import cancel_words, kernel_words

SUBSHELLS = "works while the cell runs in front ends that use subshells, as JupyterLab does; elsewhere use Interrupt"


@pytest.mark.parametrize(
    ("version", "is_awaiting", "said"),
    [
        ("6.31.0", True, "is heard only when the cell has ended; use Interrupt"),
        ("6.31.0", False, "is heard only when the cell has ended; use Interrupt"),
        ("7.3.0", True, SUBSHELLS),
        ("7.3.0", False, SUBSHELLS),
        ("7.4.0", True, "works while the cell runs"),
        ("7.4.0a1", False, SUBSHELLS),
        ("8.0.0", True, "works while the cell runs"),
    ],
)
def test_cancel_is_described_for_each_kernel(version, is_awaiting, said):
    assert cancel_words(version, is_awaiting=is_awaiting) == f"ipykernel {version}: Cancel {said}"


def test_without_a_kernel_nothing_is_said(monkeypatch):
    monkeypatch.delitem(__import__("sys").modules, "ipykernel", raising=False)
    assert kernel_words(is_awaiting=True) == ""
