"""``%load_ext mrkernel``: registers everything once, and takes it back."""

from __future__ import annotations

import threading
from typing import Any

from mrkernel.config import settings

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

_NAME = "MapReduceMagics"
_TUNING = ("mrkernel.tuning.tuning", "Tuning")


def load_ipython_extension(shell: Any) -> None:
    """Register the magics with a shell; a second call does nothing."""
    from mrkernel.magics.configuration import MapReduce

    if _NAME in shell.magics_manager.registry:
        return
    configuration = MapReduce(parent=shell)
    if settings().prestart:
        # The launcher takes a second to import what workers need, and this process half of one for the magics.
        from mrkernel.cluster.forking import start_launcher

        start_launcher()
    from mrkernel.magics.awaiting import AwaitTransform
    from mrkernel.magics.commands import MapReduceMagics
    from mrkernel.magics.completion import OptionMatcher

    magics = MapReduceMagics(shell)
    shell.register_magics(magics)
    magics.configuration = configuration
    shell.configurables.append(magics.configuration)
    shell.events.register("pre_run_cell", magics.take_results)
    shell.events.register("pre_run_cell", magics.configuration.take_over)
    shell.events.register("post_run_cell", magics.jobs.settle)
    _show_tunings(magics)
    # Without a kernel there is no loop that could serve anything while a cell awaits.
    if getattr(shell, "kernel", None) is not None:
        magics.transform = AwaitTransform(shell)
        shell.input_transformers_cleanup.append(magics.transform)
    if getattr(shell, "Completer", None) is not None:
        magics.matcher = OptionMatcher(shell, magics.kept)
        shell.Completer.custom_matchers.append(magics.matcher)
    if settings().prestart:
        # Importing dask takes most of a second; the user's next cell need not wait for it.
        threading.Thread(target=_prestart, name="mrkernel-prestart", daemon=True).start()


def _show_tunings(magics: Any) -> None:
    """Give tunings that are a cell's last expression their sliders too."""

    def show(tuning: Any, **_: Any) -> dict[str, Any]:
        from mrkernel.magics.tuning import tuning_bundle

        return tuning_bundle(magics, tuning)

    magics.shell.display_formatter.mimebundle_formatter.for_type_by_name(*_TUNING, show)


def _prestart() -> None:
    from mrkernel.cluster import prestart

    prestart()


def unload_ipython_extension(shell: Any) -> None:
    """Take back what loading did; without it, does nothing."""
    magics = shell.magics_manager.registry.pop(_NAME, None)
    if magics is None:
        return
    for kind, names in magics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    magics.configuration.reset()
    shell.display_formatter.mimebundle_formatter.pop(".".join(_TUNING), None)
    shell.events.unregister("pre_run_cell", magics.take_results)
    shell.events.unregister("pre_run_cell", magics.configuration.take_over)
    shell.events.unregister("post_run_cell", magics.jobs.settle)
    # IPython itself lists every instance of Magics there.
    shell.configurables[:] = [c for c in shell.configurables if c is not magics.configuration and c is not magics]
    if magics.transform is not None:
        shell.input_transformers_cleanup[:] = [t for t in shell.input_transformers_cleanup if t is not magics.transform]
    if magics.matcher is not None:
        shell.Completer.custom_matchers[:] = [m for m in shell.Completer.custom_matchers if m is not magics.matcher]
