"""Every error that a user may meet.

    MoolaError
    ├── SpecError        a setting is wrong or unknown
    ├── DataError        a file of bars or labelled windows cannot be used
    ├── DeviceError      the requested device is not usable
    ├── CheckpointError  weights do not fit
    ├── StoreError       the artifacts folder cannot be read or written
    ├── ReportError      a report cannot be made or written
    └── RunError         a run does not exist or is in the wrong state
        └── FailedRun    a run ended on an error of the program's own

Each says what is wrong, where, and how to fix it. Bad input ends a command with status 2, any other failure with 1.
"""

from __future__ import annotations

import difflib
import errno
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

# What libraries raise on a file that is damaged or is not what it should be.
UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    ImportError,
    NotImplementedError,
    RecursionError,
    MemoryError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class MoolaError(Exception):
    """An error for a user's eyes: `what` happened, `where`, and how to fix it (`hint`)."""

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(what)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" {self.hint}" if self.hint else ""
        return f"{place}{self.what}{advice}"

    def __reduce__(self) -> tuple:
        # Exceptions cross process borders; the default would lose the keyword arguments.
        return (_rebuild, (type(self), self.what, self.where, self.hint))


class SpecError(MoolaError):
    exit_status = 2


class DataError(MoolaError):
    exit_status = 2


class DeviceError(MoolaError):
    exit_status = 2


class CheckpointError(MoolaError):
    exit_status = 2


class StoreError(MoolaError):
    pass


class ReportError(MoolaError):
    pass


class RunError(MoolaError):
    exit_status = 2


class FailedRun(RunError):
    exit_status = 1


FULL, READ_ONLY = (errno.ENOSPC, errno.EDQUOT), (errno.EROFS, errno.EACCES, errno.EPERM)


OUT_OF_MEMORY = "out of memory."


def from_system(error: OSError | MemoryError) -> MoolaError:
    """An error of the system, about a file, a folder or memory, as an error for a user's eyes."""
    if isinstance(error, MemoryError):
        return MoolaError(OUT_OF_MEMORY, hint="Close other programs, or take fewer bars, windows or processes.")
    if error.errno in FULL:
        hint = "Free some space on that disk, for example by deleting runs that you no longer need."
    elif error.errno in READ_ONLY:
        hint = "Make it readable and writable for the user who runs moola, or choose another folder."
    else:
        hint = "Check that it is there and can be read and written."
    return StoreError(f"{error.strerror or error}.", where=str(error.filename or ""), hint=hint)


# With this variable set, an error that nobody foresaw keeps its traceback: for those who change the program.
TRACEBACK = "MOOLA_TRACEBACK"


def unexpected(error: BaseException, where: str = "") -> MoolaError:
    """What a program meets in values that are not what it wrote, or in an error of its own, as an error for a user's eyes.

    Raises `error` itself where MOOLA_TRACEBACK is set.
    """
    if isinstance(error, MoolaError):
        return error
    if isinstance(error, OSError | MemoryError):
        return from_system(error)
    if os.environ.get(TRACEBACK):
        raise error
    message = (str(error).splitlines() or [""])[0][:200]
    return MoolaError(
        f"what is stored is not what this version of moola writes, or moola has an error here ({type(error).__name__}: {message}).",
        where=where,
        hint="Launch the run again, delete it, or restore its files from a copy.",
    )


@contextmanager
def of_data(where: str) -> Iterator[None]:
    """Inside, what nobody foresaw of somebody's file is a DataError that names it."""
    try:
        yield
    except (MoolaError, OSError, MemoryError):
        raise
    except UNREADABLE as error:
        if os.environ.get(TRACEBACK):
            raise
        message = (str(error).splitlines() or [""])[0][:200]
        raise DataError(
            f"its values cannot be understood ({type(error).__name__}: {message}).",
            where=where,
            hint="Look at the first rows of the file, and at what was saved next to it (.moola.json).",
        ) from error


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that names the known word closest to `name`, or lists what is known when nothing is close."""
    words = list(known)
    close = difflib.get_close_matches(name, words, n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(words)}."


def _rebuild(kind: type[MoolaError], what: str, where: str, hint: str) -> MoolaError:
    return kind(what, where=where, hint=hint)
