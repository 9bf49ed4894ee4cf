"""Records on their way through a job, as tables: one row for each key, with the pairs that it came from."""

from __future__ import annotations

from typing import Any, TypeAlias

from mrkernel.render.style import framed
from mrkernel.render.table import plain_table
from mrkernel.render.values import align, cut, escape, printable

__all__ = ["walkthrough_html", "walkthrough_text"]

_Rows: TypeAlias = list[tuple[str, ...]]

_MAP_HEAD = ("record", "maps to", "in partition")
_REDUCE_HEAD = ("partition", "key", "values in order", "reduces to")


def walkthrough_html(state: dict[str, Any]) -> str:
    """The state of a walkthrough as HTML that reads well without styles and scripts."""
    body = [f"<p><strong>{escape(state['title'])}</strong></p>", "<p>1. Map: each record gives pairs.</p>"]
    body.append(plain_table(_MAP_HEAD, _map_rows(state), (False, False, False)))
    if state["groups"]:
        body.append("<p>2. Partition, sort and reduce: equal keys meet in one partition.</p>")
        body.append(plain_table(_REDUCE_HEAD, _reduce_rows(state), (True, False, False, False)))
    body += [f'<p class="mr-dim">{escape(note)}</p>' for note in state["notes"]]
    return framed("".join(body), label="walkthrough")


def walkthrough_text(state: dict[str, Any]) -> str:
    """The same as aligned lines."""
    lines = [printable(state["title"])]
    lines += ["", *_aligned(_MAP_HEAD, _map_rows(state), (False, False, False))]
    if state["groups"]:
        lines += ["", *_aligned(_REDUCE_HEAD, _reduce_rows(state), (True, False, False, False))]
    return "\n".join([*lines, *(f"  {printable(note)}" for note in state["notes"])])


def _aligned(head: tuple[str, ...], rows: _Rows, right: tuple[bool, ...]) -> list[str]:
    cells = [head, *(tuple(cut(printable(text), 60) for text in row) for row in rows)]
    return ["  " + line for line in align(cells, right)]


def _map_rows(state: dict[str, Any]) -> _Rows:
    of_record: dict[int | None, list[dict[str, Any]]] = {}
    for pair in state["pairs"]:
        of_record.setdefault(pair["record"], []).append(pair)
    rows: _Rows = []
    for place, record in enumerate(state["records"]):
        pairs = of_record.get(place, [])
        said = ", ".join(_pair(pair) for pair in pairs) if not record["error"] else f"raised: {record['error']}"
        rows.append((record["text"], said, " ".join(str(pair["partition"]) for pair in pairs)))
    rows += [("(the batch)", _pair(pair), str(pair["partition"])) for pair in of_record.get(None, [])]
    return rows


def _reduce_rows(state: dict[str, Any]) -> _Rows:
    rows: _Rows = []
    for group in state["groups"]:
        values = ", ".join(state["pairs"][place]["value"] for place in group["pairs"])
        results = ", ".join(f"{key}: {value}" for key, value in group["results"]) or "nothing"
        said = f"raised: {group['error']}" if group["error"] else results
        rows.append((str(group["partition"]), group["key"], values, said))
    return rows


def _pair(pair: dict[str, Any]) -> str:
    return f"{pair['key']}: {pair['value']}"
