"""The notebook's face: magics, completion, settings and displays. The only place that knows IPython."""

from __future__ import annotations

from mrkernel.magics.extension import load_ipython_extension, unload_ipython_extension

__all__ = ["load_ipython_extension", "unload_ipython_extension"]
