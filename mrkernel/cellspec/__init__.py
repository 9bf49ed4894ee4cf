"""From a magic's option line and a cell's body to a Job: parsing only, nothing is run or shown here."""

from __future__ import annotations

from mrkernel.cellspec.functions import aggregate, aggregate_names, bound_names, build_job, cell_functions
from mrkernel.cellspec.inputs import is_input, resolve_sides, resolve_source
from mrkernel.cellspec.line import format_option, help_text, interpolate, parse, split_line
from mrkernel.cellspec.options import OPTIONS, Option, options_of
from mrkernel.cellspec.spec import CellSpec
from mrkernel.cellspec.wording import Face, in_words_of, reworded, reworded_hint

__all__ = [
    "OPTIONS",
    "CellSpec",
    "Face",
    "Option",
    "aggregate",
    "aggregate_names",
    "bound_names",
    "build_job",
    "cell_functions",
    "format_option",
    "help_text",
    "in_words_of",
    "interpolate",
    "is_input",
    "options_of",
    "parse",
    "resolve_sides",
    "resolve_source",
    "reworded",
    "reworded_hint",
    "split_line",
]
