"""From a magic's option line and a cell's body to a Job: parsing only, nothing is run or shown here."""

from __future__ import annotations

from mrkernel.cellspec.functions import bound_names, build_job, cell_functions
from mrkernel.cellspec.inputs import is_input, resolve_source
from mrkernel.cellspec.line import format_option, help_text, interpolate, parse, split_line
from mrkernel.cellspec.options import OPTIONS, Option, options_of
from mrkernel.cellspec.spec import CellSpec

__all__ = [
    "OPTIONS",
    "CellSpec",
    "Option",
    "bound_names",
    "build_job",
    "cell_functions",
    "format_option",
    "help_text",
    "interpolate",
    "is_input",
    "options_of",
    "parse",
    "resolve_source",
    "split_line",
]
