"""Targets at a URL, through fsspec: a weaker promise than local ones give.

Object stores cannot rename a folder. Parts are uploaded under ``.mr-…/`` and moved to their final names at commit,
``_SUCCESS`` last: a reader that waits for ``_SUCCESS`` sees the whole output, one that does not may see some of the
parts. With ``overwrite`` ``_SUCCESS`` goes first and old parts go after the new ones are there. A single file
appears at once where the store's move is atomic for one key.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from mrkernel.errors import TargetExistsError
from mrkernel.io.locations import file_system, safe_name
from mrkernel.io.targets import Target

__all__ = ["RemoteTarget"]


class RemoteTarget(Target):
    """A file, or a folder of parts, at a URL."""

    def __init__(self, path: str, *, overwrite: bool, append: bool, is_file: bool,
                 storage_options: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        super().__init__(path.rstrip("/"), overwrite=overwrite, append=append)
        self.name = safe_name(path)
        self.is_file = is_file
        self.storage_options = dict(storage_options or {})

    def check(self, suffixes: Sequence[str]) -> None:
        """Refuse what exists, unless it is to be overwritten or added to."""
        if not (self.overwrite or self.append) and self._system.exists(self._root):
            raise TargetExistsError(f"cannot write {self.name}: it exists already",
                                    hint="say overwrite=True to replace it")  # fmt: skip

    def temporary(self, index: int, suffix: str) -> str:
        return f"{self._staging}/{index:05d}-{secrets.token_hex(6)}{suffix}"

    def create(self, path: str) -> BinaryIO:
        self._system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        file: BinaryIO = self._system.open(path, "wb")
        return file

    def open(self, path: str) -> BinaryIO:
        file: BinaryIO = self._system.open(path, "rb")
        return file

    def sync(self, file: BinaryIO) -> None:
        """Closing uploads; there is nothing to sync."""

    def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._system.rm_file(path)

    def publish(self, files: Sequence[tuple[str, str, str]], suffix: str) -> list[str]:
        """Move files to their final names, then write ``_SUCCESS``, then remove what was there before."""
        system = self._system
        if self.is_file:
            self.check((suffix,))
            system.mv(files[0][0], self._root)
            self.abort()
            return [self.path]
        before = [name for name in system.find(self._root) if "/.mr-" not in name] if system.exists(self._root) else []
        if before and not (self.overwrite or self.append):
            self.check((suffix,))
        # Names of a run never meet those of another: replacing in place would show a mixture under old names.
        finals = ["/".join(filter(None, (self._root, folder, f"{name[:10]}-{self.token}{name[10:]}")))
                  for _, folder, name in files]  # fmt: skip
        if self.overwrite:
            self.remove(f"{self._root}/_SUCCESS")
        for (temporary, _, _), final in zip(files, finals, strict=True):
            system.makedirs(final.rsplit("/", 1)[0], exist_ok=True)
            system.mv(temporary, final)
        system.makedirs(self._root, exist_ok=True)
        if self.overwrite:
            for name in before:
                self.remove(name)
        system.pipe_file(f"{self._root}/_SUCCESS", b"")
        self.abort()
        return [self.path + final.removeprefix(self._root) for final in finals]

    def abort(self) -> None:
        with suppress(FileNotFoundError):
            self._system.rm(self._staging, recursive=True)

    @property
    def _system(self) -> Any:
        return file_system(self.path, self.storage_options)[0]

    @property
    def _root(self) -> str:
        return file_system(self.path, self.storage_options)[1]

    @property
    def _staging(self) -> str:
        if self.is_file:
            return f"{self._root.rsplit('/', 1)[0]}/.mr-{self.token}"
        return f"{self._root}/.mr-{self.token}"
