"""``%mr cluster``: what the workers do, and starting, stopping, scaling, connecting."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mrkernel.cluster import Cluster, cluster, current, leave, picture
from mrkernel.config import counted, format_duration
from mrkernel.errors import ClusterError, OptionError
from mrkernel.magics.view import publish
from mrkernel.render import ClusterPicture, Link, cluster_html, cluster_text

__all__ = ["CLUSTER_WORDS", "cluster_command", "cluster_help", "dashboard_link", "server_path"]

_DASHBOARD = "dask's dashboard"
_HERE = frozenset({"127.0.0.1", "localhost", "::1"})


def cluster_command(magics: Any, words: list[str]) -> None:
    """Run ``%mr cluster`` with these words, and show the cluster as it is then."""
    if not words:
        _show(magics)
        return
    word, *rest = words
    if word not in CLUSTER_WORDS:
        close = get_close_matches(word, CLUSTER_WORDS, n=1)
        hint = (
            f"did you mean {close[0]}?" if close else f"after %mr cluster comes {', '.join(CLUSTER_WORDS)}, or nothing"
        )
        raise OptionError(f"%mr cluster: there is no command {word!r}", hint=hint)
    run, form, _ = CLUSTER_WORDS[word]
    n_words = len(form.split()) - 1
    if len(rest) > n_words:
        raise OptionError(f"%mr cluster {word}: {rest[n_words]!r} is one word too many",
                          hint=f"write %mr cluster {form}")  # fmt: skip
    run(magics, rest)


def cluster_help() -> list[str]:
    """What can come after ``%mr cluster``, a line each."""
    return [f"{'cluster ' + form:27}{text}" for _, form, text in CLUSTER_WORDS.values()]


def _start(magics: Any, words: list[str]) -> None:
    cluster(workers=_number("start", words[0]) if words else None)
    _show(magics)


def _stop(magics: Any, words: list[str]) -> None:
    if words and words[0] != "now":
        raise OptionError(f"%mr cluster stop: {words[0]!r} is not understood", hint="write %mr cluster stop now")
    running = magics.jobs.running()
    if running and not words:
        raise ClusterError(
            f"cannot stop the cluster: {counted(len(running), 'job')} of this notebook "
            f"{'runs' if len(running) == 1 else 'run'}, {', '.join(handle.name for handle in running[:5])}",
            hint="%mr cancel ends a job; %mr cluster stop now ends them all",
        )
    for handle in running:
        handle.cancel(force=True)
    for handle in running:
        handle.wait(5.0)
    found = leave()
    if found is None:
        _publish(ClusterPicture(title="no cluster runs", notes=("the next job starts it",)))
    elif found.is_embedded:
        _publish(ClusterPicture(title="the embedded cluster has stopped", notes=("the next job starts it anew",)))
    else:
        _publish(ClusterPicture(title=f"no longer connected to {found.address}",
                                notes=("that cluster goes on; the next job uses the embedded one",)))  # fmt: skip


def _scale(magics: Any, words: list[str]) -> None:
    if not words:
        raise OptionError("%mr cluster scale needs a number of workers", hint="write, for example, %mr cluster scale 4")
    number = _number("scale", words[0])
    found = current()
    if found is None:
        raise ClusterError("cannot scale the cluster: none runs", hint=f"%mr cluster start {number} starts one")
    found.scale(number)
    _show(magics)


def _connect(magics: Any, words: list[str]) -> None:
    if not words:
        raise OptionError("%mr cluster connect needs an address or a scheduler file",
                          hint="write, for example, %mr cluster connect tcp://scheduler:8786")  # fmt: skip
    cluster(words[0])
    _show(magics)


def _open_dashboard(magics: Any, _: list[str]) -> None:
    found = current()
    if found is None:
        raise ClusterError("there is no dashboard: no cluster runs", hint="%mr cluster start starts one")
    if not found.dashboard(start=True):
        raise ClusterError(f"the cluster at {found.address} has no dashboard",
                           hint="it is an option of whoever starts a dask scheduler")  # fmt: skip
    _show(magics)


def _number(word: str, text: str) -> int:
    with suppress(ValueError):
        if int(text) > 0:
            return int(text)
    raise OptionError(f"%mr cluster {word}: {text!r} is not a number of workers", hint="a cluster has at least one")


def _show(magics: Any) -> None:
    found = current()
    if found is None:
        note = "the first job starts it, or %mr cluster start"
        _publish(ClusterPicture(title="no cluster runs", notes=(note,)))
        return
    drawn = picture(found)
    jobs = [f"{handle.name} ({handle.job_id}), {format_duration(handle.progress().seconds)}"
            for handle in magics.jobs.running()]  # fmt: skip
    facts = (*drawn.facts, *([("jobs", "; ".join(jobs))] if jobs else []))
    links, notes = _links(magics, found)
    _publish(replace(drawn, facts=facts, links=links, notes=(*drawn.notes, *notes)))


def _publish(drawn: ClusterPicture) -> None:
    publish(cluster_html(drawn), cluster_text(drawn))


def _links(magics: Any, found: Cluster) -> tuple[tuple[Link, ...], tuple[str, ...]]:
    address = found.dashboard()
    if not address:
        can = found.is_embedded and importlib.util.find_spec("bokeh") is not None
        return (), ((f"%mr cluster dashboard starts {_DASHBOARD}, for this machine only",) if can else ())
    link = dashboard_link(address, server_path(magics.shell))
    if link.target.startswith("/") or (urlsplit(address).hostname or "") not in _HERE:
        return (link,), ()
    note = "that address is of the kernel's machine; from another one it is reached with jupyter-server-proxy"
    return (link,), (note,)


def dashboard_link(address: str, server_path: str | None) -> Link:
    """A link to a dashboard: through the Jupyter server and its login where that can be, else as it is.

    The server's proxy reaches its own machine only, so other machines' dashboards are linked to directly.

    Parameters
    ----------
    server_path
        The path below which the Jupyter server answers; None where there is none, or it has no proxy.
    """
    parts = urlsplit(address)
    if server_path is None or (parts.hostname or "") not in _HERE:
        return Link(label=_DASHBOARD, target=address)
    return Link(label=_DASHBOARD, target=f"{server_path}proxy/{parts.port}{parts.path}")


def server_path(shell: Any) -> str | None:
    """The path below which the Jupyter server that started this kernel answers, if it can be a proxy."""
    hub, server = os.environ.get("JUPYTERHUB_SERVICE_PREFIX"), os.environ.get("JPY_PARENT_PID")
    if importlib.util.find_spec("jupyter_server_proxy") is None or not (hub or server):
        return None
    if hub:
        return f"{hub.rstrip('/')}/"
    try:
        # The server says in a file beside the kernel's own where it is.
        folder = os.path.dirname(shell.kernel.parent.abs_connection_file)
        found = json.loads(Path(folder, f"jpserver-{server}.json").read_text(encoding="utf-8"))
        return str(found["base_url"])
    except (AttributeError, OSError, ValueError, KeyError):
        return None


CLUSTER_WORDS: dict[str, tuple[Callable[[Any, list[str]], None], str, str]] = {
    "start": (_start, "start [N]", "start the embedded cluster, with N workers"),
    "stop": (_stop, "stop [now]", "stop it, or disconnect from another; now cancels the jobs that run"),
    "scale": (_scale, "scale N", "start or stop workers until there are N"),
    "connect": (_connect, "connect ADDRESS", "run jobs on a dask cluster: its address, or a scheduler file"),
    "dashboard": (_open_dashboard, "dashboard", "start dask's dashboard and link to it"),
}
