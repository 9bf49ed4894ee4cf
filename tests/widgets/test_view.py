"""What all live views have in common: each is one comm."""

from __future__ import annotations

import pytest
from ipywidgets.widgets.widget import _instances

from mrkernel.widgets.progress import ProgressWidget
from mrkernel.widgets.results import ResultsView
from mrkernel.widgets.tuner import TunerWidget
from mrkernel.widgets.view import View
from mrkernel.widgets.walkthrough import WalkthroughView


@pytest.mark.parametrize("kind", [ProgressWidget, ResultsView, TunerWidget, WalkthroughView])
def test_view_is_one_comm_without_a_layout_of_its_own(kind):
    before = set(_instances)
    assert issubclass(kind, View)
    view = View.__new__(kind)
    View.__init__(view, state={})
    assert len(set(_instances) - before) == 1
    assert view.layout is None
    view.close()
