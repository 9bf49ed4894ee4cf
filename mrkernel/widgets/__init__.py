"""Live views for notebooks: plain ES modules over one comm each, told everything as plain data."""

from mrkernel.widgets.assets import module, style

__all__ = ["module", "style"]
