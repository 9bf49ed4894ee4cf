"""From what a user calls a location (path, folder, glob, URL) to the files it stands for.

Local files never go through fsspec; everything with a scheme but ``file://`` does.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Any

from mrkernel.errors import MissingDependencyError, SourceError, SourceNotFoundError

__all__ = ["COMPRESSIONS", "Entry", "compression_of", "expand", "file_suffix", "file_system", "fingerprint", "is_url",
           "local_path", "safe_name"]  # fmt: skip

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}
_GLOB = re.compile(r"[*?\[]")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://|[a-zA-Z][a-zA-Z0-9+.-]*(://[^:]*)?::")
# Written beside data by Hadoop, Spark, parquet tools and by ourselves; a glob such as out/* means the data.
_BOOKKEEPING = frozenset({"_SUCCESS", "_metadata", "_common_metadata", "_temporary"})
# What servers say about a version; a time of creation is worded differently by listing and looking up, and left out.
_MARKS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "CRC")
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "az": "azure", "http": "http",
           "https": "http"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of an input.

    Attributes
    ----------
    path
        Absolute path, or URL: what a worker opens.
    shown
        The path as the user wrote it, or the URL without secrets: what messages say.
    size
        Bytes as stored; None if a server does not tell.
    fingerprint
        What identifies this version of the content: size and modification time, or what the server gives.
    """

    path: str
    shown: str
    size: int | None
    fingerprint: tuple[Any, ...]


def is_url(location: str) -> bool:
    """True for what fsspec has to open (``s3://…``, ``zip://a.csv::b.zip``), False for local paths.

    >>> is_url("s3://bucket/key"), is_url("books/*.txt"), is_url("file:///data/a.csv")
    (True, False, False)
    """
    return bool(_SCHEME.match(location)) and not location.startswith("file://")


def local_path(location: str) -> str:
    """A local location without ``file://``, with ``~`` expanded."""
    return os.path.expanduser(location.removeprefix("file://"))


def safe_name(location: str) -> str:
    """A location for people: a URL loses user, password and query, which may hold secrets.

    >>> safe_name("https://me:pw@host/a.csv?token=1")
    'https://host/a.csv'
    """
    if not is_url(location):
        return location.removeprefix("file://")
    parts = [re.sub(r"(?<=://)[^/@]*@", "", part) for part in location.split("::")]
    return "::".join(
        part.split("?")[0] if re.match("https?://", part) or "=" in part.partition("?")[2] else part for part in parts
    )


def compression_of(path: str) -> str | None:
    """The codec that a file's last suffix stands for, or None.

    >>> compression_of("a.csv.gz")
    'gzip'
    """
    return COMPRESSIONS.get(_last_suffix(path))


def file_suffix(path: str) -> str:
    """The suffix that tells the format, in lower case, without a compression suffix; "" if there is none.

    >>> file_suffix("logs/a.CSV.gz"), file_suffix("README")
    ('.csv', '')
    """
    suffix = _last_suffix(path)
    return _last_suffix(path[: -len(suffix)]) if suffix in COMPRESSIONS else suffix


def expand(location: str, storage_options: Mapping[str, Any] | None = None) -> list[Entry]:
    """The files that a location stands for, sorted by path.

    A folder is all files below it; hidden files and those that start with ``_`` are left out, as are the
    bookkeeping files that a glob matches.

    Raises
    ------
    SourceNotFoundError
        For a path that does not exist, an empty folder, a glob without a match.
    MissingDependencyError
        For a URL whose scheme needs a package that is not installed.
    """
    return _expand_url(location, storage_options or {}) if is_url(location) else _expand_local(location)


def file_system(url: str, storage_options: Mapping[str, Any] | None = None) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path within it."""
    import fsspec

    try:
        found: tuple[Any, str] = fsspec.core.url_to_fs(url, **(storage_options or {}))
    except ImportError as error:
        extra = _EXTRAS.get(url.split("://", maxsplit=1)[0])
        hint = f"pip install 'mrkernel[{extra}]'" if extra else "install the package that fsspec names"
        raise MissingDependencyError(f"cannot open {safe_name(url)}: {error}", hint=hint) from None
    except ValueError as error:
        raise SourceError(f"cannot open {safe_name(url)}: {error}", hint="check the URL's scheme") from None
    return found


def _last_suffix(path: str) -> str:
    return PurePosixPath(path.split("::", maxsplit=1)[0].split("?", maxsplit=1)[0]).suffix.lower()


def _expand_local(location: str) -> list[Entry]:
    path = local_path(location)
    try:
        if os.path.isdir(path):
            found = sorted(_walk(path))
            if not found:
                raise SourceNotFoundError(f"the folder {location} holds no files",
                                          hint="hidden files and names that start with _ are left out")  # fmt: skip
        elif os.path.exists(path):
            found = [path]
        elif _GLOB.search(path):
            found = sorted(filter(_is_data, glob.glob(path, recursive=True)))
            if not found:
                raise SourceNotFoundError(f"no file matches {location}", hint=_near(path))
        else:
            raise SourceNotFoundError(f"there is no file or folder {location}", hint=_near(path))
        return [_local_entry(name) for name in found]
    except (PermissionError, FileNotFoundError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"cannot look at {location}: {error}") from None


def _local_entry(path: str) -> Entry:
    stat = os.stat(path)
    return Entry(
        path=os.path.abspath(path), shown=path, size=stat.st_size, fingerprint=(stat.st_size, stat.st_mtime_ns)
    )


def _walk(folder: str, above: frozenset[str] = frozenset()) -> Iterable[str]:
    # A link to a folder that holds it would otherwise give each file dozens of times.
    above |= {os.path.realpath(folder)}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((".", "_")):
                continue
            if entry.is_dir():
                if os.path.realpath(entry.path) not in above:
                    yield from _walk(entry.path, above)
            elif entry.is_file():
                yield entry.path


def _is_data(path: str) -> bool:
    name = os.path.basename(path)
    return name not in _BOOKKEEPING and not name.startswith(".mr-") and os.path.isfile(path)


def _near(path: str) -> str:
    """What to try instead of a path that does not exist, naming what is there; a glob stays one."""
    folder, name = os.path.split(path)
    below: list[str] = []
    while folder and not os.path.isdir(folder):
        below.insert(0, name)
        folder, name = os.path.split(folder)
    present = sorted(n for n in os.listdir(folder or ".") if not n.startswith("."))[:1000]
    if below:
        close = get_close_matches(name, [n for n in present if os.path.isdir(os.path.join(folder, n))], n=3, cutoff=0.5)
    else:
        close = _near_globs(name, present) if _GLOB.search(name) else get_close_matches(name, present, n=3, cutoff=0.5)
        close = close or [n for n in present if os.path.splitext(n)[1] == os.path.splitext(path)[1] != ""][:3]
    if close:
        return f"did you mean {' or '.join(repr(os.path.join(folder, n, *below)) for n in close)}?"
    shown = folder or os.getcwd()
    return (
        f"{shown} holds {', '.join(present[:5])}{', …' if len(present) > 5 else ''}" if present else f"{shown} is empty"
    )


def _near_globs(name: str, present: list[str]) -> list[str]:
    """The glob with the nearest suffix that matches something: one file is not what a glob asks for."""
    stem, suffix = os.path.splitext(name)
    suffixes = sorted({os.path.splitext(n)[1] for n in present} - {"", suffix})
    near = get_close_matches(suffix, suffixes, n=3, cutoff=0.5)
    return [stem + one for one in near if fnmatch.filter(present, stem + one)]


def _expand_url(location: str, storage_options: Mapping[str, Any]) -> list[Entry]:
    system, path = file_system(location, storage_options)
    try:
        if _GLOB.search(path):
            infos = [info for name, info in system.glob(path, detail=True).items() if _is_wanted(name, info, path)]
            problem = "no file matches"
        elif "http" in _protocols(system) or not system.isdir(path):
            infos, problem = [system.info(path)], ""
        else:
            infos = [info for name, info in system.find(path, detail=True).items() if _is_wanted(name, info, path)]
            problem = "no file is below"
    except FileNotFoundError:
        raise SourceNotFoundError(f"there is nothing at {safe_name(location)}", hint="check the URL") from None
    if not infos:
        raise SourceNotFoundError(f"{problem} {safe_name(location)}", hint="check the URL")
    infos.sort(key=lambda info: str(info["name"]))
    return [_remote_entry(location, system, info) for info in infos]


def _is_wanted(name: str, info: Mapping[str, Any], root: str) -> bool:
    if info.get("type") != "file":
        return False
    if _GLOB.search(root):
        base = name.rsplit("/", 1)[-1]
        return base not in _BOOKKEEPING and not base.startswith(".mr-")
    below = name.removeprefix(root).strip("/").split("/")
    return not any(part.startswith((".", "_")) for part in below)


def _protocols(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


def _remote_entry(location: str, system: Any, info: Mapping[str, Any]) -> Entry:
    first, *rest = location.split("::")
    name = str(info["name"])
    if "http" in _protocols(system):
        url = name
    elif rest:
        url = "::".join([f"{first.split('://')[0]}://{name}", *rest])
    else:
        url = system.unstrip_protocol(name)
    size = info.get("size")
    marks = tuple(str(info[key]) for key in _MARKS if info.get(key))
    return Entry(path=url, shown=safe_name(url), size=size, fingerprint=(size, *marks))


def fingerprint(path: str, storage_options: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
    """The fingerprint that a file has now, to compare with the planned one."""
    if not is_url(path):
        stat = os.stat(path)
        return (stat.st_size, stat.st_mtime_ns)
    system, name = file_system(path, storage_options)
    system.invalidate_cache()
    return _remote_entry(path, system, system.info(name)).fingerprint
