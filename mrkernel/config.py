"""Settings, their defaults, and where a value may come from.

Precedence, lowest first: built-in defaults < user configuration file < ``[tool.mrkernel]`` of the nearest
``pyproject.toml`` < environment (``MRKERNEL_CHUNK_SIZE``) < ``%config MapReduce.chunk_size`` < the call.
"""

from __future__ import annotations

import dataclasses
import os
import re
import time
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from mrkernel.errors import OptionError

__all__ = [
    "Settings",
    "counted",
    "format_bytes",
    "format_duration",
    "parse_bytes",
    "parse_duration",
    "session_values",
    "settings",
    "use_session",
]

MIB = 1 << 20
_SETTLED_NS = 2_000_000_000
_BYTE_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
               "k": 2**10, "m": 2**20, "g": 2**30, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}  # fmt: skip
_TIME_UNITS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One value for each setting; see README's table for the same names as options and variables.

    Attributes
    ----------
    chunk_size
        Target size of a split in bytes; None lets the planner choose from the input's size.
    reducers
        Number of result partitions; None lets the driver choose from what the map stage measured.
    workers
        Worker processes of the embedded cluster; None is one for each core this process may use.
    combine
        Whether to combine pairs inside map tasks: True, False, or None to decide while running.
    attempts
        How often a task may be tried before the job fails, for causes that can pass.
    limit
        Rows a displayed result shows.
    scratch
        Folder for shuffle files and results; None is the system's temporary folder.
    prestart
        Whether ``%load_ext mrkernel`` starts the embedded cluster in the background.
    idle_timeout
        Seconds after which an embedded cluster without clients leaves.
    memory_limit
        Bytes for each worker process; None shares what the machine or container has.
    plot
        Whether a cell's result is followed by a plot.
    plot_format
        What plots are shown as: ``"png"``, or ``"svg"``, which stays sharp at any size.
    progress
        Whether a job that someone waits for shows how far it is, and its summary.
    on_error
        What a record does that cannot be parsed or whose mapper or reducer raises: ``"raise"`` ends the job,
        ``"skip"`` sets the record aside and counts it, ``"collect"`` keeps it for ``result.errors`` as well.
    profile
        Whether to find out what the workers' time goes to, for ``result.report.profile``.
    error_limit
        How many records may be set aside before the job fails: a number, a share of the records (``"1%"``), or
        None for any number.
    """

    chunk_size: int | None = None
    reducers: int | None = None
    workers: int | None = None
    combine: bool | None = None
    attempts: int = 4
    limit: int = 10
    scratch: str | None = None
    prestart: bool = True
    idle_timeout: float = 900.0
    memory_limit: int | None = None
    plot: bool = True
    plot_format: str = "png"
    progress: bool = True
    on_error: str = "raise"
    error_limit: int | float | None = 1000
    profile: bool = False

    def with_values(self, *, origin: str = "", **values: Any) -> Settings:
        """A copy with some settings replaced; strings are parsed, None means "not given".

        Raises
        ------
        OptionError
            For a name that is no setting, or a value that cannot be used; it names ``origin``.

        Examples
        --------
        >>> Settings().with_values(chunk_size="16 MiB").chunk_size
        16777216
        """
        where = f"{origin}: " if origin else ""
        parsed = {}
        for name, value in values.items():
            if name not in _PARSERS:
                close = get_close_matches(name, _PARSERS, n=1)
                hint = f"did you mean {close[0]!r}?" if close else f"settings are {', '.join(_PARSERS)}"
                raise OptionError(f"{where}there is no setting {name!r}", hint=hint)
            if value is not None:
                try:
                    parsed[name] = _PARSERS[name](value)
                except ValueError as error:
                    raise OptionError(f"{where}{name} = {value!r} cannot be used: {error}") from None
        return dataclasses.replace(self, **parsed)


def parse_bytes(value: int | str) -> int:
    """Bytes from an int or a text such as ``"16 MiB"``, ``"1.5GB"``, ``"64k"`` (binary without the B).

    >>> parse_bytes("1.5 MB")
    1500000
    """
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(value))
        unit = match and _BYTE_UNITS.get(match[2].lower() or "b")
        if not match or unit is None:
            raise ValueError('a size is a number of bytes or a text such as "16 MiB"')
        number = int(float(match[1]) * unit)
    if number <= 0:
        raise ValueError("a size must be at least one byte")
    return number


def parse_duration(value: float | str) -> float:
    """Seconds from a number or a text such as ``"5 min"``.

    >>> parse_duration("5 min")
    300.0
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    else:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(value).lower())
        unit = match and _TIME_UNITS.get(match[2] or "s")
        if not match or unit is None:
            raise ValueError('a duration is a number of seconds or a text such as "5 min"')
        seconds = float(match[1]) * unit
    if not seconds > 0:
        raise ValueError("a duration must be positive")
    return seconds


def counted(number: int, noun: str) -> str:
    """A number of things for people: ``"1 row"``, ``"1,204,553 rows"``.

    >>> counted(1, "task"), counted(2000, "task")
    ('1 task', '2,000 tasks')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_bytes(number: float) -> str:
    """A size for people, in decimal units as file managers show them: ``"18.3 MB"``.

    >>> format_bytes(18_300_000)
    '18.3 MB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(number) < 1000 or unit == "GB":
            break
        number /= 1000
    return counted(round(number), "byte") if unit == "bytes" else f"{number:.1f} {unit}"


def format_duration(seconds: float) -> str:
    """A time for people: ``"0.4 s"``, ``"2 min 05 s"``.

    >>> format_duration(125)
    '2 min 05 s'
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _positive(value: Any) -> int:
    number = int(value)
    if number < 1 or isinstance(value, bool) or (isinstance(value, float) and value != number):
        raise ValueError("it must be a whole number of at least 1")
    return number


def _positive_or_auto(value: Any) -> int | None:
    return None if str(value).strip().lower() == "auto" else _positive(value)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise ValueError("it must be on or off")


def _on_off_auto(value: Any) -> bool | None:
    return None if str(value).strip().lower() == "auto" else _boolean(value)


def _picture(value: Any) -> str:
    text = str(value).strip().lower()
    if text not in {"png", "svg"}:
        raise ValueError("it must be png or svg")
    return text


def _on_error(value: Any) -> str:
    text = str(value).strip().lower()
    if text not in {"raise", "skip", "collect"}:
        raise ValueError("it must be raise, skip or collect")
    return text


def _error_limit(value: Any) -> int | float | None:
    text = str(value).strip().lower()
    if text in {"none", "off"}:
        return None
    is_share = text.endswith("%")
    try:
        number = float(text.removesuffix("%").replace("_", "")) / (100 if is_share else 1)
    except ValueError:
        number = -1.0
    is_odd = number > 1 if is_share else number >= 1 and number != number // 1
    if isinstance(value, bool) or not 0 <= number < 1e18 or is_odd:
        raise ValueError('it must be a number of records, a share of them such as "1%", or none')
    return number if is_share or 0 < number < 1 else int(number)


_PARSERS: dict[str, Any] = {
    "chunk_size": parse_bytes, "reducers": _positive_or_auto, "workers": _positive, "combine": _on_off_auto,
    "attempts": _positive, "limit": _positive, "scratch": str, "prestart": _boolean,
    "idle_timeout": parse_duration, "memory_limit": parse_bytes, "plot": _boolean, "plot_format": _picture,
    "progress": _boolean, "on_error": _on_error, "error_limit": _error_limit,
    "profile": _boolean,
}  # fmt: skip


def _user_file() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mrkernel" / "config.toml"


def _project_table() -> tuple[dict[str, Any], Path | None]:
    for folder in (Path.cwd(), *Path.cwd().parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            return _toml(file).get("tool", {}).get("mrkernel", {}), file
    return {}, None


def _toml(file: Path) -> dict[str, Any]:
    try:
        found = file.stat()
        # Two edits in one tick of the file system's clock leave one time: a file that is this new is read again.
        is_settled = time.time_ns() - found.st_mtime_ns > _SETTLED_NS
        parsed = _parsed if is_settled else _parsed.__wrapped__
        return parsed(file, found.st_mtime_ns, found.st_size)
    except (tomllib.TOMLDecodeError, OSError, UnicodeDecodeError) as error:
        raise OptionError(f"cannot read settings from {file}: {error}") from None


@lru_cache(maxsize=8)
def _parsed(file: Path, _changed_ns: int, _size: int) -> dict[str, Any]:
    """The tables of a file; parsed once for each job, a project's would cost each a millisecond."""
    return tomllib.loads(file.read_text(encoding="utf-8"))


_session: dict[str, Any] = {}


def use_session(**values: Any) -> None:
    """Set values for this process, as ``%config MapReduce.x = …`` does; None takes a value back."""
    Settings().with_values(origin="session", **values)
    for name, value in values.items():
        if value is None:
            _session.pop(name, None)
        else:
            _session[name] = value


def session_values() -> dict[str, Any]:
    """The values that :func:`use_session` has set and not taken back."""
    return dict(_session)


def settings(**call: Any) -> Settings:
    """The settings in force here and now, with the call's own values on top.

    Raises
    ------
    OptionError
        Naming the file, variable or call that holds a wrong name or value.
    """
    result = Settings()
    if _user_file().is_file():
        result = result.with_values(origin=str(_user_file()), **_toml(_user_file()))
    table, file = _project_table()
    result = result.with_values(origin=str(file), **table)
    environment = {name: os.environ.get(f"MRKERNEL_{name.upper()}") for name in _PARSERS}
    result = result.with_values(origin="environment", **environment)
    return result.with_values(origin="session", **_session).with_values(**call)
