"""Promises, kept or broken, as Markdown for people and JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.measure import Measured
from tests.benchmarks.picture import draw
from tests.benchmarks.promises import Series, Verdict
from tests.benchmarks.workloads import WORKLOADS, Workload

__all__ = ["Found", "Report", "machine", "verdicts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found of one workload; ``missing`` are engines that cannot run here, each with the reason."""

    workload: str
    size: int
    measured: Measured
    missing: Mapping[str, str]

    @property
    def about(self) -> Workload:
        """The workload."""
        return WORKLOADS[self.workload]

    @property
    def amount(self) -> str:
        """How much data there was."""
        return f"{self.size / 1e6:g} {'MB' if self.about.unit == 'bytes' else 'M rows'}"

    @property
    def series(self) -> list[Series]:
        """Those that have taken turns, the quickest of each kind first."""
        ran = [one for one in self.measured.series.values() if one.walls_s]
        return sorted(ran, key=lambda one: (one.kind != "plain", one.wall_s))

    def ratio(self, series: Series) -> float | None:
        """How many times the quickest mrkernel of the same kind an engine took."""
        ours = [
            one.wall_s for one in self.series if one.kind == series.kind and self.about.contenders[one.name].is_ours
        ]
        return series.wall_s / min(ours) if ours else None


@dataclass(slots=True)
class Report:
    """All that one call of the benchmarks has found."""

    machine: dict[str, Any]
    setup: dict[str, Any]
    found: list[Found] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def is_kept(self) -> bool:
        """Whether no promise was broken, no job of mrkernel failed, and no engine gave a wrong answer."""
        broken = [verdict for verdict in self.verdicts if verdict.is_kept is False]
        failed = [name for one in self.found for name in one.measured.failed
                  if name in one.measured.wrong or one.about.contenders[name].is_ours]  # fmt: skip
        return not broken and not failed

    def markdown(self) -> str:
        """Tables that read well in a terminal too."""
        lines = [" · ".join(f"{name} {value}" for name, value in {**self.machine, **self.setup}.items()), ""]
        if any(one.series for one in self.found):
            lines += [*_engine_table(self.found), ""]
        if self.verdicts:
            kept = {True: "yes", False: "NO", None: "not judged"}
            lines += _table(
                ["promise", "limit", "measured", "kept"],
                [[one.text, one.limit, one.measured, kept[one.is_kept]] for one in self.verdicts],
            )
        for title, reason in _left_out(self.found):
            lines += ["", f"**{title} was left out: {reason}**"]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> Path:
        """Put ``benchmarks.md``, ``.json`` and the picture of ratios into a folder; the path of the first."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "benchmarks.json").write_text(json.dumps(self._plain(), indent=2) + "\n", "utf-8")
        bars = [(one.about.title, series.title, ratio, one.about.contenders[series.name].is_ours)
                for one in self.found if len(one.series) > 1
                for series in one.series if (ratio := one.ratio(series)) is not None]  # fmt: skip
        picture = ""
        if bars:
            draw(bars, folder / "benchmarks.svg")
            picture = "\n![How many times mrkernel's time each engine took](benchmarks.svg)\n"
        target = folder / "benchmarks.md"
        target.write_text(f"# Benchmarks\n\n{self.markdown()}{picture}", "utf-8")
        return target

    def _plain(self) -> dict[str, Any]:
        workloads = {
            one.workload: {
                "size": one.size,
                "series": [dataclasses.asdict(series) for series in one.series],
                "failed": one.measured.failed,
                "missing": dict(one.missing),
            }
            for one in self.found
        }
        verdicts = [dataclasses.asdict(verdict) for verdict in self.verdicts]
        return {"machine": self.machine, "setup": self.setup, "workloads": workloads, "promises": verdicts}


def machine() -> dict[str, Any]:
    """Where this ran."""
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())  # fmt: skip
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }


def verdicts(found: Found) -> list[Verdict]:
    """What became of a workload's promises; with less data than they are about, they are shown but not judged."""
    titles = {name: contender.title for name, contender in found.about.contenders.items()}
    absent = {**found.missing, **found.measured.failed}
    series = {one.name: one for one in found.series}
    judged = [promise.judge(series, titles, absent) for promise in found.about.promises]
    is_small = found.size < found.about.size
    return [
        dataclasses.replace(
            verdict,
            text=f"{found.about.title}: {verdict.text}",
            measured=verdict.measured + (f", with {found.amount}" if is_small else ""),
            is_kept=None if is_small else verdict.is_kept,
        )
        for verdict in judged
        if verdict
    ]


def _left_out(found: Iterable[Found]) -> list[tuple[str, str]]:
    """Engines that failed, each with its workload, and those that cannot run here, each once."""
    failed = [(f"{one.about.title}: {one.about.contenders[name].title}", reason)
              for one in found for name, reason in one.measured.failed.items()]  # fmt: skip
    missing = {one.about.contenders[name].title: reason for one in found for name, reason in one.missing.items()}
    return [*failed, *missing.items()]


def _engine_table(found: Iterable[Found]) -> list[str]:
    """One row for each engine of each workload; ratios are to the quickest mrkernel of the same kind."""
    rows = []
    for one in found:
        for series in one.series:
            ratio = one.ratio(series)
            spread = f"{min(series.walls_s):.2f} to {max(series.walls_s):.2f}"
            rows.append([f"{one.about.title}, {one.amount}", series.kind, series.title, series.version,
                         f"{series.wall_s:.2f}", spread, f"{series.cpu_s:.2f}", f"{ratio:.2f} ×" if ratio else "",
                         f"{series.peak_bytes / 1e6:.0f}", f"{series.ready_s:.1f}"])  # fmt: skip
    return _table(["workload", "kind", "engine", "version", "wall s", "range", "CPU s", "of mrkernel's time",
                   "most MB", "start s"], rows)  # fmt: skip


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in [header, *rows]]
    return [f"| {' | '.join(line)} |" for line in [lines[0], ["-" * width for width in widths], *lines[1:]]]
