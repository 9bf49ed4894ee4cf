"""Every option of the magics, once: the parser, the help and completion all read this table."""

from __future__ import annotations

from dataclasses import dataclass

from mrkernel.joins import HOWS

__all__ = ["EXAMPLES", "FUNCTIONS", "JOIN_OPTIONS", "OPTIONS", "SUMMARIES", "Option", "options_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option.

    Attributes
    ----------
    flags
        Spellings, the long one last.
    metavar
        Name of its value in the help; empty for a switch.
    help
        One sentence.
    magics
        Which magics know it.
    setting
        Name of the setting it stands for, if it is one.
    choices
        The only values it takes, if they are few.
    is_bare
        Whether it may also stand without its value.
    several
        Whether it takes several values.
    completes
        What its value may be: ``"input"``, ``"path"``, ``"format"``, ``"mapper"``, ``"reducer"`` or nothing known.
    """

    flags: tuple[str, ...]
    help: str
    metavar: str = ""
    magics: tuple[str, ...] = ("mapreduce",)
    setting: str | None = None
    choices: tuple[str, ...] = ()
    is_bare: bool = False
    several: bool = False
    completes: str = ""

    @property
    def dest(self) -> str:
        """The name its value is kept under."""
        return self.flags[-1].lstrip("-").replace("-", "_")


OPTIONS: tuple[Option, ...] = (
    Option(flags=("-i", "--input"), metavar="INPUT", several=True, completes="input",
           help="paths, globs, folders or URLs; or one notebook variable: a DataFrame, table, list or Result"),
    Option(flags=("-f", "--format"), metavar="FORMAT", completes="format",
           help="format of the input, where its name does not tell"),
    Option(flags=("--format-option",), metavar="K=V", several=True,
           help="options of the format: delimiter=; header=false"),
    Option(flags=("-o", "--output"), metavar="NAME", help="variable that gets the Result"),
    Option(flags=("--save",), metavar="TARGET", completes="path", help="write the result there, all or nothing"),
    Option(flags=("--overwrite",),
           help="with --save: replace what is there, once the new output is whole; else that is an error"),
    Option(flags=("--append",), help="with --save FOLDER: add files to what is there"),
    Option(flags=("--mapper",), metavar="NAME", completes="mapper", help="use a mapper kept by %%mapper NAME"),
    Option(flags=("--reducer",), metavar="NAME", completes="reducer",
           help="use a reducer kept by %%reducer NAME, or an aggregate: sum, min, max, len, count, mean, …"),
    Option(flags=("--combiner",), metavar="NAME", completes="reducer",
           help="use a kept function, or an aggregate, as the combiner"),
    Option(flags=("--sort",), metavar="key", choices=("key",), help="sort the whole result by key"),
    Option(flags=("--chunk-size",), metavar="SIZE", setting="chunk_size", help='bytes for each map task: "16 MiB"'),
    Option(flags=("--reducers",), metavar="N", setting="reducers", help="number of result partitions, or auto"),
    Option(flags=("--workers",), metavar="N", setting="workers", help="worker processes of the embedded cluster"),
    Option(flags=("--combine",), metavar="on|off|auto", setting="combine", choices=("on", "off", "auto"),
           help="combine pairs inside map tasks; auto decides while running"),
    Option(flags=("--attempts",), metavar="N", setting="attempts",
           help="how often a task may be tried where its worker was lost"),
    Option(flags=("--on-error",), metavar="WHAT", setting="on_error", choices=("raise", "skip", "collect"),
           help="a record that fails: end the job, set it aside, or keep it for NAME.errors as well"),
    Option(flags=("--error-limit",), metavar="N", setting="error_limit",
           help='how many records may be set aside: 1000, "1%" of them, or none for any number'),
    Option(flags=("--profile",), setting="profile",
           help="show what the time went to: reading, your functions by line, combining, shuffle, reducing, waiting"),
    Option(flags=("--limit",), metavar="N", setting="limit", help="rows of the result to show"),
    Option(flags=("--plot",), metavar="KIND", choices=("bar", "line", "hist", "scatter", "heat"), is_bare=True,
           help="show a plot after the table: bar, line, hist, scatter, heat, or alone the kind that suits the data"),
    Option(flags=("--no-plot",), help="show no plot"),
    Option(flags=("--no-progress",), help="show the result only, not how far the job is"),
    Option(flags=("--name",), metavar="NAME", help="what the job is called in displays"),
    Option(flags=("--explain",), help="show the plan and run nothing"),
    Option(flags=("-b", "--background"),
           help="return a handle at once; what is asked of the result waits for it, and -o NAME becomes the Result"),
    Option(flags=("-h", "--help"), help="show this help", magics=("mapreduce", "mapper", "reducer")),
)  # fmt: skip

JOIN_OPTIONS: tuple[Option, ...] = (
    Option(flags=("-l", "--left"), metavar="INPUT", several=True, completes="input",
           help="the left side: paths, globs, folders or URLs; or one notebook variable"),
    Option(flags=("-r", "--right"), metavar="INPUT", several=True, completes="input",
           help="the right side"),
    Option(flags=("--on",), metavar="COLUMN", several=True, help="key columns that both sides have"),
    Option(flags=("--left-on",), metavar="COLUMN", several=True,
           help="key columns of the left side, where the right side calls them differently"),
    Option(flags=("--right-on",), metavar="COLUMN", several=True,
           help="what the right side calls them"),
    Option(flags=("--how",), metavar="HOW", choices=HOWS,
           help="inner (the default), left, right, outer; semi: rows of the left side that match, anti: that do not"),
    Option(flags=("--suffixes",), metavar="SUFFIX", several=True,
           help="two: what is added to the names of other columns that both sides have, else _x _y"),
    Option(flags=("--columns",), metavar="COLUMN", several=True, help="columns of the joined rows, else all"),
    Option(flags=("--broadcast",), metavar="on|off|auto", choices=("on", "off", "auto"),
           help="send the smaller side whole to each worker, shuffle both, or decide by size"),
)  # fmt: skip
# A join has two inputs.
_NOT_JOINING = frozenset({"input", "format", "format_option"})

SUMMARIES = {
    "mapreduce": "Run the mapper and reducer that this cell defines, or kept ones, and show the result.",
    "mrjoin": """Join two inputs on equal keys, with the rows and columns of pandas.merge, and show the result.
If this cell defines a mapper, or a kept one is named, that gets the joined rows, and the result is its job's.""",
    "mapper": "Define a mapper and keep it under NAME for later cells.",
    "reducer": "Define a reducer and keep it under NAME for later cells.",
}

EXAMPLES = {
    "mapreduce": """Count words. The result is shown, with a plot, and bound to counts:

    %%mapreduce -i books/*.txt -o counts
    def mapper(line):
        for word in line.lower().split():
            yield word, 1

    reducer = sum

Other first lines for such a cell:

    %%mapreduce -i frame -o counts --sort key --limit 20
    %%mapreduce -i flights.csv --chunk-size "16 MiB" --save out/delays.parquet --overwrite
    %%mapreduce -i data/{{year}}/*.csv -f csv --format-option delimiter=; --no-plot

A line of its own, with functions that %%mapper words and %%reducer total have kept:

    %mapreduce -i books/*.txt --mapper words --reducer total -o counts""",
    "mrjoin": """Join files with a variable. The result is shown, and bound to joined:

    %mrjoin -l orders/*.parquet -r customers --on customer -o joined

Other lines:

    %mrjoin -l flights.csv -r planes --left-on tailnum --right-on plane --how left -o flown
    %mrjoin -l orders -r returned --on order --how anti -o kept --save kept.parquet

A cell that goes on with the joined rows, which are never written where one side is small:

    %%mrjoin -l flights.csv -r planes --left-on tailnum --right-on plane -o seats
    def mapper(row):
        yield row["carrier"], row["seats"]

    reducer = sum

Alone in a cell, as %%mrjoin …, it leaves the page free to press Cancel.""",
    "mapper": """Keep a mapper, and use it:

    %%mapper words
    def mapper(line):
        for word in line.split():
            yield word, 1

    %mapreduce -i books/*.txt --mapper words -o pairs""",
    "reducer": """Keep a reducer, and use it in a cell that defines a mapper only:

    %%reducer longest
    def reducer(key, values):
        return max(values)

    %%mapreduce -i books/*.txt --reducer longest
    def mapper(line):
        yield line[:1], len(line)""",
}

FUNCTIONS = """mapper        mapper(record) yields (key, value) pairs; mapper(key, value) where the input is a Result
reducer       sum, min, max, len, list, set, one of mr.agg, or reducer(key, values) that returns a value
combiner      as the reducer, run inside map tasks; sum and its like need none
partitioner   partitioner(key, partitions) returns the number of a partition
sort_values   True, or a function that gives a value's sort key: the order in which a reducer gets them
key           the key column of a batch mapper's output; else its first column
setup, teardown
              called once in each task, before and after its work; what setup returns is mr.context().state
Whatever else the cell defines, its functions may use."""


def options_of(magic: str) -> tuple[Option, ...]:
    """The options that a magic knows."""
    if magic == "mrjoin":
        return (*JOIN_OPTIONS, *(option for option in OPTIONS if option.dest not in _NOT_JOINING))
    return tuple(option for option in OPTIONS if magic in option.magics)
