"""Draws a result into a file, for ``--plot FILE``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from mrkernel.errors import MrkernelError, OptionError, TargetExistsError
from mrkernel.plots import KINDS, describe_plot, figure_png, figure_svg

__all__ = ["Picture"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A file that a plot goes to, and the kind of plot; checked before the job runs."""

    path: str
    kind: Any = None

    @classmethod
    def of(cls, path: str | None, *, kind: str | None, is_replaced: bool) -> Picture | None:
        """What the options ask for, or None.

        Raises
        ------
        OptionError
            For a suffix that is neither .png nor .svg, or a kind that there is not.
        TargetExistsError
            If the file exists and is not to be replaced.
        """
        if path is None:
            if kind is not None:
                raise OptionError("--plot-kind says what to draw, and no file is given", hint="add --plot FILE.png")
            return None
        if not path.lower().endswith((".png", ".svg")):
            raise OptionError(f"--plot {path} is no picture that can be written", hint="end its name in .png or .svg")
        if kind is not None and kind not in KINDS:
            raise OptionError(f"there is no plot of kind {kind!r}", hint=f"kinds are {', '.join(KINDS)}")
        if not os.path.isdir(os.path.dirname(path) or "."):
            raise OptionError(
                f"--plot {path}: there is no folder {os.path.dirname(path)}", hint="make the folder first"
            )
        if os.path.exists(path) and not is_replaced:
            raise TargetExistsError(f"cannot draw into {path}: it exists", hint="add --overwrite, or take another name")
        return cls(path, kind)

    def draw(self, result: Any) -> str:
        """Draw, and say what the picture shows; a reader of the file sees the old picture or the whole new one."""
        axes = result.plot(kind=self.kind)
        data = figure_svg(axes).encode() if self.path.lower().endswith(".svg") else figure_png(axes)
        temporary = f"{self.path}.{os.getpid()}.tmp"
        try:
            with open(temporary, "wb") as file:
                file.write(data)
            os.replace(temporary, self.path)
        except OSError as error:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise MrkernelError(f"cannot draw into {self.path}: {error.strerror}",
                                hint="take another place; the job itself has ended well") from None  # fmt: skip
        return f"{describe_plot(axes)}, drawn into {self.path}"
