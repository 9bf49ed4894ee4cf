"""Every error that mrkernel raises on purpose.

    MrkernelError
    ├── OptionError (ValueError)              an option's name or value cannot be used
    ├── JobSpecError (TypeError)              a Job's functions do not fit together
    │   └── NotPicklableError                 a function holds something that cannot travel to a worker
    ├── SourceError (OSError)                 input cannot be used
    │   ├── SourceNotFoundError (FileNotFoundError)
    │   ├── SourceReadError                   broken compression, bad encoding, rows that do not parse
    │   ├── SourceChangedError                a file changed between planning and reading
    │   └── SchemaMismatchError (ValueError)  files of one source do not have one schema
    ├── FormatError (ValueError)              a format is unknown or does not fit the location
    ├── SinkError (OSError)                   output cannot be written
    │   └── TargetExistsError (FileExistsError)
    ├── KeyTypeError (TypeError)              a key cannot be grouped by
    ├── ValueTypeError (TypeError)            a value does not fit the aggregate or the output format
    ├── TaskFailedError (RuntimeError)        the user's function raised; carries the Failure
    │   └── BadRecordsError                   more records were bad than error_limit allows; carries the first
    ├── ClusterError (RuntimeError)           the cluster cannot be started or reached, or lost its workers
    ├── MissingDependencyError (ImportError)  an optional package is not installed
    ├── JobCancelledError                     the job was cancelled
    └── JobInterruptedError (KeyboardInterrupt)  the kernel's Interrupt stopped the job

An error has a message (what was being done, to what, what was found) and, where there is a thing to do,
a ``hint``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mrkernel.events import Failure

__all__ = [
    "BadRecordsError",
    "ClusterError",
    "FormatError",
    "JobCancelledError",
    "JobInterruptedError",
    "JobSpecError",
    "KeyTypeError",
    "MissingDependencyError",
    "MrkernelError",
    "NotPicklableError",
    "OptionError",
    "SchemaMismatchError",
    "SinkError",
    "SourceChangedError",
    "SourceError",
    "SourceNotFoundError",
    "SourceReadError",
    "TargetExistsError",
    "TaskFailedError",
    "ValueTypeError",
]


class MrkernelError(Exception):
    """Root of every error raised on purpose.

    Parameters
    ----------
    message
        What was being done, to what, and what was found.
    hint
        A thing to do, shown on a line of its own.

    Examples
    --------
    >>> print(MrkernelError("cannot read a.csv", hint="check the path"))
    cannot read a.csv
    Hint: check the path
    """

    def __init__(self, message: str = "", *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # The default rebuilds from args alone and would lose the attributes on the way back from a worker.
        return (_rebuild, (type(self), self.message, dict(self.__dict__)))

    def _render_traceback_(self) -> list[str]:
        """Lines IPython shows instead of a traceback through our frames."""
        return [f"{type(self).__name__}: {line}" if n == 0 else line for n, line in enumerate(str(self).split("\n"))]


def _rebuild(kind: type[MrkernelError], message: str, state: dict[str, object]) -> MrkernelError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class OptionError(MrkernelError, ValueError):
    """An option's name or value cannot be used."""


class JobSpecError(MrkernelError, TypeError):
    """A Job's functions do not fit together."""


class NotPicklableError(JobSpecError):
    """A function holds something that cannot travel to a worker process."""


class SourceError(MrkernelError, OSError):
    """Input cannot be used."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """A location names nothing that exists."""


class SourceReadError(SourceError):
    """A file exists but its content cannot be read: compression, encoding or rows."""


class SourceChangedError(SourceError):
    """A file changed between planning and reading."""


class SchemaMismatchError(SourceError, ValueError):
    """The files of one source do not have one schema."""


class FormatError(MrkernelError, ValueError):
    """A format is unknown, or cannot be told from the location."""


class SinkError(MrkernelError, OSError):
    """Output cannot be written."""


class TargetExistsError(SinkError, FileExistsError):
    """The target holds something already, and neither overwrite nor append was said."""


class KeyTypeError(MrkernelError, TypeError):
    """A key cannot be grouped by."""


class ValueTypeError(MrkernelError, TypeError):
    """A value does not fit the aggregate or the output format."""


class TaskFailedError(MrkernelError, RuntimeError):
    """A function of the job raised.

    Attributes
    ----------
    failure
        The plain record of what happened, or None.
    """

    def __init__(self, message: str = "", *, failure: Failure | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.failure = failure


class BadRecordsError(TaskFailedError):
    """More records were set aside than the limit allows; ``failure`` is the first of them."""


class ClusterError(MrkernelError, RuntimeError):
    """The cluster cannot be started or reached, or lost its workers."""


class MissingDependencyError(MrkernelError, ImportError):
    """An optional package is not installed."""


class JobCancelledError(MrkernelError):
    """The job was cancelled before it finished."""


class JobInterruptedError(MrkernelError, KeyboardInterrupt):
    """The kernel's Interrupt stopped the job."""
