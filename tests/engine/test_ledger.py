"""What of many bad records is kept: the first, and one of each kind, whoever reports first."""

from __future__ import annotations

import random

import pytest

from mrkernel import config
from mrkernel.engine import ledger
from mrkernel.engine.ledger import Ledger
from mrkernel.engine.tasks import TaskReport
from mrkernel.events import BadRecords, Failure

N_TASKS, N_EACH = 40, 100
RARE = {25: "rare", 33: "rare", 38: "rarest"}


def failure(task, number, kind):
    return Failure(stage="map", task=task, function="mapper", error_type="ValueError", error_text=kind,
                   offset=number, record=f"{task}/{number}", kind=kind)  # fmt: skip


def report(task, n_each=N_EACH):
    kept = [failure(task, number, "common") for number in range(n_each)]
    if task in RARE:
        kept[-1] = failure(task, n_each - 1, RARE[task])
    kinds = {one.kind: 1 for one in kept} | {"common": n_each - (task in RARE)}
    return TaskReport(stage="map", task=task, attempt=1, worker="w",
                      bad=BadRecords(total=n_each, n_records=n_each, kinds=kinds, kept=tuple(kept)))  # fmt: skip


def added(reports, mode):
    found = Ledger(config.settings(on_error=mode, error_limit="none"))
    for one in reports:
        found.add(one)
    return found.bad_records()


@pytest.mark.parametrize("order", ["as they are", "backwards", "shuffled"])
@pytest.mark.parametrize(("mode", "expected"), [
    ("collect", [*(f"{n // N_EACH}/{n % N_EACH}" for n in range(1000)), "25/99", "38/99"]),
    ("skip", ["0/0", "25/99", "38/99"]),
])  # fmt: skip
def test_the_first_and_one_of_each_kind_are_kept_in_whatever_order_tasks_report(mode, expected, order):
    reports = [report(task) for task in range(N_TASKS)]
    if order == "backwards":
        reports.reverse()
    elif order == "shuffled":
        random.Random(5).shuffle(reports)
    bad = added(reports, mode)
    assert [one.record for one in bad.kept] == expected
    assert bad.kinds == {"common": N_TASKS * N_EACH - 3, "rare": 2, "rarest": 1}


def test_a_task_that_runs_again_replaces_what_it_has_told(monkeypatch):
    monkeypatch.setattr(ledger, "KEPT", 150)
    bad = added([report(0), report(1), report(2), report(0, n_each=2), report(3)], "collect")
    assert (bad.total, [one.record for one in bad.kept][:3]) == (302, ["0/0", "0/1", "1/0"])


def test_what_keeping_costs_grows_with_the_records_alone(monkeypatch):
    n_sorted = []
    lowest = ledger._lowest
    monkeypatch.setattr(ledger, "_lowest", lambda found: n_sorted.append(len(found)) or lowest(found))
    tasks = list(range(N_TASKS))
    random.Random(6).shuffle(tasks)
    added([report(task, n_each=1000) for task in tasks], "collect")
    assert sum(n_sorted) <= 3 * 1000 * N_TASKS


def test_kinds_without_number_are_kept_in_bounds():
    reports = [TaskReport(stage="map", task=task, attempt=1, worker="w",
                          bad=BadRecords(total=1, kinds={f"k{task}": 1}, kept=(failure(task, 0, f"k{task}"),)))
               for task in reversed(range(2500))]  # fmt: skip
    assert [one.task for one in added(reports, "skip").kept] == list(range(1000))
