"""SVG with letters as text, as a backend of its own: matplotlib's settings for that are global, and threads share them.

A page's pictures are drawn in threads while the user's cells run. To change a setting for the time of a drawing would
change the user's own pictures, and taking it back would undo what a cell has set meanwhile.
"""

from __future__ import annotations

import codecs
from typing import Any

from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.cbook import file_requires_unicode

__all__ = ["FigureCanvas"]

_DPI = 72


class _Letters(RendererSVG):
    """Writes letters as text where the user's settings want outlines, too."""

    def _draw_text_as_path(self, *arguments: Any) -> None:
        self._draw_text_as_text(*arguments)  # type: ignore[no-untyped-call]  # matplotlib leaves its backends untyped


# As above.
_SVG: Any = _Letters
_MIXED: Any = MixedModeRenderer


class FigureCanvas(FigureCanvasSVG):
    """What ``savefig`` draws on with this module as its backend."""

    def print_svg(self, filename: Any, *, bbox_inches_restore: Any = None, metadata: Any = None, **_: Any) -> None:
        """Write the figure to an open file; ``savefig`` passes on what other backends need."""
        # Layouts are worked out with a first drawing that goes into bytes.
        file = filename if file_requires_unicode(filename) else codecs.getwriter("utf-8")(filename)
        dpi, self.figure.dpi = self.figure.dpi, _DPI
        width, height = self.figure.get_size_inches()
        inner = _SVG(width * _DPI, height * _DPI, file, image_dpi=dpi, metadata=metadata)
        renderer = _MIXED(self.figure, width, height, dpi, inner, bbox_inches_restore=bbox_inches_restore)
        self.figure.draw(renderer)
        renderer.finalize()
