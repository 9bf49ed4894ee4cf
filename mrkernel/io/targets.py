"""Local targets: how files become visible all at once, or not at all.

Everything is written under names that start with ``.mr-`` in the target's own folder, so that the last step is a
rename within one file system. Data is on disk (fsync) before its final name is.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import BinaryIO

from mrkernel.errors import SinkError, TargetExistsError

__all__ = ["LocalFile", "LocalFolder", "Target"]

# What a folder of ours holds; overwriting one that holds anything else would delete what is not ours.
_OURS = re.compile(r"part-\d{5}.*|_SUCCESS|[^/]+=[^/]*|\.mr-.*|_metadata|_common_metadata|\..*\.crc")
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


class Target(ABC):
    """Where output goes: temporary names first, then all final names at once."""

    def __init__(self, path: str, *, overwrite: bool, append: bool) -> None:
        self.path = path
        self.name = path
        self.overwrite = overwrite
        self.append = append
        # One token for all copies of a sink: what any worker has written can be found, and removed, by the driver.
        self.token = secrets.token_hex(6)

    @abstractmethod
    def check(self, suffixes: Sequence[str]) -> None:
        """Raise TargetExistsError or SinkError if nothing could be written here."""

    @abstractmethod
    def temporary(self, index: int, suffix: str) -> str:
        """A new name to write a part under; each attempt gets its own."""

    @abstractmethod
    def create(self, path: str) -> BinaryIO:
        """Open a temporary name for writing."""

    @abstractmethod
    def open(self, path: str) -> BinaryIO:
        """Open a temporary name for reading."""

    @abstractmethod
    def sync(self, file: BinaryIO) -> None:
        """Make sure that the content outlives a crash."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a temporary name; no error if it is not there."""

    @abstractmethod
    def publish(self, files: Sequence[tuple[str, str, str]], suffix: str) -> list[str]:
        """Give (temporary name, folder inside the target, file name) their final names; returns these."""

    @abstractmethod
    def abort(self) -> None:
        """Remove every temporary name of this sink."""


class _Local(Target):
    def __init__(self, path: str, *, overwrite: bool, append: bool) -> None:
        super().__init__(path, overwrite=overwrite, append=append)
        self.full = os.path.abspath(path)
        self.parent, self.base = os.path.split(self.full)

    def create(self, path: str) -> BinaryIO:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "xb")

    def open(self, path: str) -> BinaryIO:
        return open(path, "rb")

    def sync(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())

    def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(path)

    def check_parent(self) -> None:
        """Raise SinkError if the nearest folder that exists cannot be written to."""
        folder = self.parent
        while not os.path.exists(folder) and folder != "/":
            folder = os.path.dirname(folder)
        if not os.path.isdir(folder):
            raise SinkError(f"cannot write {self.name}: {folder} is not a folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SinkError(f"cannot write {self.name}: {folder} cannot be written to", hint="choose another folder")

    def exists_error(self) -> TargetExistsError:
        """What to raise when the target is there already."""
        return TargetExistsError(f"cannot write {self.name}: it exists already",
                                 hint="say overwrite=True to replace it once the new one is whole")  # fmt: skip

    def swap(self, new: str) -> None:
        """Put ``new`` in the target's place; the old one is set aside, and back if that fails."""
        old = os.path.join(self.parent, f".mr-{self.token}-old-{self.base}")
        os.rename(self.full, old)
        try:
            os.rename(new, self.full)
        except BaseException:
            os.rename(old, self.full)
            raise
        with suppress(OSError):
            _sync_folder(self.parent)
        if os.path.isdir(old) and not os.path.islink(old):
            shutil.rmtree(old, ignore_errors=True)
        else:
            os.unlink(old)


class LocalFile(_Local):
    """One file; replaced in one step."""

    def check(self, suffixes: Sequence[str]) -> None:
        """Refuse a file that exists, unless it is to be overwritten."""
        self.check_parent()
        if os.path.isdir(self.full):
            raise TargetExistsError(f"cannot write {self.name}: it is a folder", hint="choose another name")
        if os.path.lexists(self.full) and not self.overwrite:
            raise self.exists_error()

    def temporary(self, index: int, suffix: str) -> str:
        return os.path.join(self.parent, f".mr-{self.token}-{index:05d}-{secrets.token_hex(4)}-{self.base}")

    def publish(self, files: Sequence[tuple[str, str, str]], suffix: str) -> list[str]:
        """Rename the one file; a target that came up meanwhile is not replaced without ``overwrite``."""
        temporary = files[0][0]
        if self.overwrite:
            os.replace(temporary, self.full)
        else:
            self._publish_new(temporary)
        _sync_folder(self.parent)
        self.abort()
        return [self.path]

    def abort(self) -> None:
        if os.path.isdir(self.parent):
            for name in os.listdir(self.parent):
                if name.startswith(f".mr-{self.token}-"):
                    self.remove(os.path.join(self.parent, name))

    def _publish_new(self, temporary: str) -> None:
        try:
            # A rename would replace what another writer has put there since check(); a link does not.
            os.link(temporary, self.full)
        except FileExistsError:
            raise self.exists_error() from None
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if os.path.lexists(self.full):
                raise self.exists_error() from None
            os.replace(temporary, self.full)


class LocalFolder(_Local):
    """A folder of parts and ``_SUCCESS``, made as a hidden sibling and renamed in one step.

    With ``append`` new parts are added one by one under new numbers: a reader may see some of them before all are
    there, and each is whole. If one cannot be added, those that were are taken back.
    """

    def check(self, suffixes: Sequence[str]) -> None:
        """Refuse a target with content, unless it is to be overwritten or added to."""
        self.check_parent()
        if os.path.lexists(self.full) and not os.path.isdir(self.full):
            if self.append or not self.overwrite:
                raise TargetExistsError(f"cannot write {self.name}: it is a file", hint="choose another name")
            return
        names = sorted(os.listdir(self.full)) if os.path.isdir(self.full) else []
        if names and not (self.overwrite or self.append):
            raise self.exists_error()
        foreign = next((name for name in names if not _OURS.fullmatch(name)), None)
        if foreign and self.overwrite:
            raise SinkError(f"cannot overwrite {self.name}: it holds {foreign}, which no job has written",
                            hint="choose another folder, or remove this one yourself")  # fmt: skip
        other = next((name for name in names if name.startswith("part-") and not name.endswith(tuple(suffixes))), None)
        if other and self.append:
            raise SinkError(f"cannot append to {self.name}: it holds {other}, which is of another format",
                            hint="choose the same format, or another folder")  # fmt: skip

    def temporary(self, index: int, suffix: str) -> str:
        return os.path.join(self._staging, f"{index:05d}-{secrets.token_hex(6)}{suffix}")

    def publish(self, files: Sequence[tuple[str, str, str]], suffix: str) -> list[str]:
        """Rename the finished folder into place, or the parts into the folder."""
        is_added = self.append and os.path.isdir(self.full)
        finals = self._append(files, suffix) if is_added else self._replace(files)
        self.abort()
        return finals

    def abort(self) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)

    @property
    def _staging(self) -> str:
        return os.path.join(self.parent, f".mr-{self.token}-{self.base}")

    def _replace(self, files: Sequence[tuple[str, str, str]]) -> list[str]:
        ready = os.path.join(self._staging, "ready")
        for temporary, folder, name in files:
            os.makedirs(os.path.join(ready, folder), exist_ok=True)
            os.rename(temporary, os.path.join(ready, folder, name))
        os.makedirs(ready, exist_ok=True)
        self._write_success(ready)
        for folder in {ready, *(os.path.join(ready, folder) for _, folder, _ in files)}:
            _sync_folder(folder)
        if self.overwrite and os.path.lexists(self.full) and (not os.path.isdir(self.full) or os.listdir(self.full)):
            self.swap(ready)
        else:
            try:
                os.rename(ready, self.full)
            except OSError as error:
                if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                    raise self.exists_error() from None
                raise
            _sync_folder(self.parent)
        return [os.path.join(self.path, folder, name) for _, folder, name in files]

    def _append(self, files: Sequence[tuple[str, str, str]], suffix: str) -> list[str]:
        done: list[str] = []
        number = 1 + max((_number(name) for _, _, names in os.walk(self.full) for name in names), default=-1)
        try:
            for temporary, folder, name in files:
                os.makedirs(os.path.join(self.full, folder), exist_ok=True)
                final = os.path.join(folder, f"part-{number + _number(name):05d}{name[10:]}")
                _link_or_rename(temporary, os.path.join(self.full, final), self.exists_error)
                done.append(final)
            for folder in {self.full, *(os.path.join(self.full, folder) for _, folder, _ in files)}:
                _sync_folder(folder)
            self._write_success(self.full)
        except BaseException:
            for final in done:
                self.remove(os.path.join(self.full, final))
            raise
        return [os.path.join(self.path, final) for final in done]

    def _write_success(self, folder: str) -> None:
        with open(os.path.join(folder, "_SUCCESS"), "wb") as file:
            self.sync(file)


def _link_or_rename(temporary: str, final: str, exists: Callable[[], TargetExistsError]) -> None:
    if os.path.lexists(final):
        raise exists()
    os.rename(temporary, final)


def _number(name: str) -> int:
    match = re.match(r"part-(\d{5})", name)
    return int(match[1]) if match else -1


def _sync_folder(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
