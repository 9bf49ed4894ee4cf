"""What one magic line asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mrkernel.joins import Join

__all__ = ["CellSpec", "title_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSpec:
    """The options of one magic, checked one by one; what they name is looked up later.

    Attributes
    ----------
    magic
        ``"mapreduce"``, ``"mrjoin"``, ``"mapper"`` or ``"reducer"``.
    is_line
        Whether it is the line magic, ``%mapreduce``.
    target
        The NAME of ``%%mapper NAME``; else empty.
    inputs
        Locations, or one notebook variable's name.
    left, right, join
        For ``"mrjoin"``: the same for each side, and how they are joined.
    settings
        Only those given on the line, checked, by their names in :class:`mrkernel.config.Settings`.
    plot
        True or False where the line says so; None leaves it to the settings.
    plot_kind
        The kind of plot that the line names.
    kept
        Names of kept functions by role (``{"mapper": "words"}``).
    wants_help
        Whether ``-h`` was given; then nothing else holds.
    """

    magic: str
    is_line: bool = False
    target: str = ""
    inputs: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    join: Join | None = None
    format: str | None = None
    format_options: dict[str, Any] = field(default_factory=dict)
    output: str | None = None
    save: str | None = None
    overwrite: bool = False
    append: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    sort: str | None = None
    plot: bool | None = None
    plot_kind: str | None = None
    explain: bool = False
    background: bool = False
    kept: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    wants_help: bool = False

    @property
    def title(self) -> str:
        """The magic as it is written, for messages: ``"%%mapreduce"`` or ``"%mapreduce"``."""
        return title_of(self.magic, is_line=self.is_line)


def title_of(magic: str, *, is_line: bool = False) -> str:
    """The magic as it is written in a cell.

    >>> title_of("mapreduce", is_line=True)
    '%mapreduce'
    """
    return f"{'%' if is_line else '%%'}{magic}"
