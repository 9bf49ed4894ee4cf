"""Scratch folders: one for each cluster, named after its owner, so that a dead owner's leftovers can be found."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
from pathlib import Path

from mrkernel.errors import ClusterError

__all__ = ["create", "is_alive", "lock", "mark", "remove", "sweep"]

_LOCK = "server.lock"


def mark(pid: int) -> str | None:
    """The process's identity, ``"pid.start time"``, or None if it is gone: a reused pid has another start time."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return _mark_without_proc(pid) if not Path("/proc/self/stat").exists() else None
    except OSError:
        return None
    # The command name may hold blanks and brackets; the fields after its closing bracket start with the state.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else f"{pid}.{fields[19]}"


def _mark_without_proc(pid: int) -> str | None:
    import psutil

    try:
        return f"{pid}.{psutil.Process(pid).create_time():.0f}"
    except psutil.Error:
        return None


def is_alive(identity: str) -> bool:
    """Whether the process that :func:`mark` named is still the one with that pid."""
    return mark(int(identity.split(".", maxsplit=1)[0])) == identity


def create(parent: str | None = None) -> str:
    """A new folder for this process below ``parent`` (default: the system's temporary folder), mode 0700.

    Raises
    ------
    ClusterError
        If it cannot be made there.
    """
    folder = os.path.join(_parent(parent), f"{_prefix()}{mark(os.getpid())}-{secrets.token_hex(4)}")
    try:
        os.makedirs(_parent(parent), exist_ok=True)
        os.mkdir(folder, mode=0o700)
    except OSError as error:
        raise ClusterError(f"cannot make the cluster's scratch folder {folder}: {error.strerror}",
                           hint="set scratch to a folder with room that you may write in") from error  # fmt: skip
    return folder


def remove(folder: str) -> None:
    """Delete the folder and all in it; what cannot be deleted stays."""
    shutil.rmtree(folder, ignore_errors=True)


def lock(folder: str) -> int:
    """Hold the folder for as long as the returned descriptor is open, so that nobody sweeps it."""
    descriptor = os.open(os.path.join(folder, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def sweep(parent: str | None = None) -> list[str]:
    """Delete the folders of this user whose owner is gone and which no server holds; returns what was deleted."""
    swept = []
    for folder in Path(_parent(parent)).glob(f"{_prefix()}*"):
        owner = folder.name.removeprefix(_prefix()).split("-")[0]
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid() or is_alive(owner) or _is_locked(folder):
                continue
        except (OSError, ValueError):
            continue
        remove(str(folder))
        swept.append(str(folder))
    return swept


def _is_locked(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _parent(parent: str | None) -> str:
    return os.path.abspath(os.path.expanduser(parent)) if parent else tempfile.gettempdir()


def _prefix() -> str:
    # Pids only mean something on this host and in this pid namespace; a shared folder may be seen from others.
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    place = hashlib.blake2b(f"{socket.gethostname()} {space}".encode(), digest_size=4).hexdigest()
    return f"mrkernel-{os.getuid()}-{place}-"
