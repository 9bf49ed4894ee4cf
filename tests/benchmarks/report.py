"""Promises, kept or broken, as Markdown for people and JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.measure import Series

__all__ = ["Promise", "Report", "machine", "speed_promises"]


@dataclass(frozen=True, slots=True)
class Promise:
    """One limit and what was measured against it."""

    text: str
    limit: str
    measured: str
    is_kept: bool


@dataclass(slots=True)
class Report:
    """All that one call of the benchmarks has found."""

    machine: dict[str, Any]
    setup: dict[str, Any]
    series: list[Series] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def is_kept(self) -> bool:
        """Whether every promise that was measured holds."""
        return all(promise.is_kept for promise in self.promises)

    def markdown(self) -> str:
        """Tables that read well in a terminal too."""
        lines = [" · ".join(f"{name} {value}" for name, value in {**self.machine, **self.setup}.items()), ""]
        if self.series:
            lines += [*_engine_table(self.series), ""]
        if self.promises:
            lines += _table(
                ["promise", "limit", "measured", "kept"],
                [[p.text, p.limit, p.measured, "yes" if p.is_kept else "NO"] for p in self.promises],
            )
        for name, reason in self.missing.items():
            lines += ["", f"**{CONTENDERS[name].title} was left out: {reason}**"]
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> Path:
        """Put ``benchmarks.md`` and ``benchmarks.json`` into a folder; the path of the first."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "benchmarks.json").write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", "utf-8")
        target = folder / "benchmarks.md"
        target.write_text("# Benchmarks\n\n" + self.markdown(), "utf-8")
        return target


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


def speed_promises(series: list[Series]) -> list[Promise]:
    """What the README says about the word count, for as many of the engines as have run."""
    wall_s = {one.name: one.wall_s for one in series}
    cpu_s = {one.name: one.cpu_s for one in series}
    promises = []
    for peer, factor in (("counter", 1.0), ("pyspark", 2.5), ("dask-bag", 15.0)):
        if peer in wall_s and "mrkernel" in wall_s:
            times = wall_s[peer] / wall_s["mrkernel"]
            promises.append(Promise(f"plain mapper against {CONTENDERS[peer].title}", f"at least {factor:g} × as fast",
                                    f"{times:.2f} × (CPU {_ratio(cpu_s[peer], cpu_s['mrkernel'])})",
                                    times >= factor))  # fmt: skip
    ours = [wall_s[name] for name in ("mrkernel-pyarrow", "mrkernel-polars") if name in wall_s]
    theirs = [wall_s[name] for name in ("duckdb", "polars") if name in wall_s]
    if ours and theirs:
        times = min(ours) / min(theirs)
        promises.append(Promise("batch mapper against the quicker of DuckDB and Polars", "at most 1.5 × the time",
                                f"{times:.2f} ×", times <= 1.5))  # fmt: skip
    return promises


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.2f} ×" if other else "not measurable"


def _engine_table(series: list[Series]) -> list[str]:
    """One row for each engine, the quickest of its kind first; ratios are to the quickest mrkernel of that kind."""
    rows = []
    for kind in ("per record", "vectorised"):
        members = sorted((one for one in series if CONTENDERS[one.name].kind == kind), key=lambda one: one.wall_s)
        ours = next((one.wall_s for one in members if one.name.startswith("mrkernel")), None)
        for one in members:
            ratio = f"{one.wall_s / ours:.2f} ×" if ours else ""
            spread = f"{min(one.walls_s):.2f} to {max(one.walls_s):.2f}"
            rows.append([kind, CONTENDERS[one.name].title, one.version, f"{one.wall_s:.2f}", spread,
                         f"{one.cpu_s:.2f}", ratio, f"{one.ready_s:.1f}"])  # fmt: skip
    return _table(["kind", "engine", "version", "wall s", "range", "CPU s", "of mrkernel's time", "start s"], rows)


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in [header, *rows]]
    return [f"| {' | '.join(line)} |" for line in [lines[0], ["-" * width for width in widths], *lines[1:]]]
