"""What one magic line asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["CellSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSpec:
    """The options of one magic, checked one by one; what they name is looked up later.

    Attributes
    ----------
    magic
        ``"mapreduce"``, ``"mapper"`` or ``"reducer"``.
    target
        The NAME of ``%%mapper NAME``; else empty.
    inputs
        Locations, or one notebook variable's name.
    settings
        Only those given on the line, checked, by their names in :class:`mrkernel.config.Settings`.
    plot
        True or False where the line says so; None leaves it to the settings.
    kept
        Names of kept functions by role (``{"mapper": "words"}``).
    wants_help
        Whether ``-h`` was given; then nothing else holds.
    """

    magic: str
    target: str = ""
    inputs: tuple[str, ...] = ()
    format: str | None = None
    format_options: dict[str, Any] = field(default_factory=dict)
    output: str | None = None
    save: str | None = None
    overwrite: bool = False
    append: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    sort: str | None = None
    plot: bool | None = None
    explain: bool = False
    background: bool = False
    kept: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    wants_help: bool = False
