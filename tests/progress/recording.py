"""Event streams of real runs as files: one JSON line for each event, so that progress can be tested without running."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mrkernel import events
from mrkernel.events import Event, Phase, WorkerSample

STREAMS = Path(__file__).parent / "streams"


class Recorder:
    """A listener that keeps what it hears, with times from the job's beginning."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._began: float | None = None

    def __call__(self, event: Event) -> None:
        self._began = event.at if self._began is None else self._began
        fields = {one.name: getattr(event, one.name) for one in dataclasses.fields(event) if one.name != "job_id"}
        kept = {name: value for name, value in fields.items() if value not in (None, (), {}, 0)}
        kept["at"] = event.at
        for name in ("at", "started_at"):
            if name in kept:
                kept[name] -= self._began
        self.lines.append(json.dumps([type(event).__name__, _plain(kept)], separators=(",", ":")))

    def save(self, name: str) -> None:
        (STREAMS / f"{name}.jsonl").write_text("\n".join(self.lines) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if dataclasses.is_dataclass(value):
        return _plain(dataclasses.asdict(value))
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def stream(name: str) -> Iterator[Event]:
    """The events of a recorded run; its times are seconds since the job began."""
    for line in (STREAMS / f"{name}.jsonl").read_text().splitlines():
        kind, fields = json.loads(line)
        yield _event(getattr(events, kind), fields)


def _event(kind: Any, fields: dict[str, Any]) -> Event:
    defaults: dict[str, Any] = {"task": 0, "records_in": 0, "records_out": 0, "bytes_in": 0, "bytes_out": 0,
                                "records": 0, "input_bytes": 0, "seconds": 0.0, "n_tasks": 0}  # fmt: skip
    known = {one.name for one in dataclasses.fields(kind)}
    fields = {**{name: value for name, value in defaults.items() if name in known}, **fields}
    if "phases" in fields:
        fields["phases"] = tuple(Phase(*one) for one in fields["phases"])
    if "workers" in fields:
        fields["workers"] = tuple(WorkerSample(**one) for one in fields["workers"])
    if "stages" in fields:
        fields["stages"] = tuple(fields["stages"])
    if "failure" in fields:
        fields["failure"] = events.Failure(**fields["failure"])
    event: Event = kind(job_id="recorded", **fields)
    return event
