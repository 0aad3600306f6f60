"""What a file format is, and the registry of all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, NamedTuple

import pandas as pd

from moola_core.errors import DataError, MoolaError, SpecError
from moola_core.market.readers.layout import Layout
from moola_core.market.settings import load_reading
from moola_core.market.tables import LABEL_NAMES, rename
from moola_core.registry import Registry
from moola_core.specs import ReadOptions


class Header(NamedTuple):
    """What a file holds, as far as it can be known without reading all of it.

    Attributes
    ----------
    columns : list of str
        The column names of the file.
    rows : int or None
        The number of rows; None where only reading the whole file tells it.
    """

    columns: list[str]
    rows: int | None = None


class Reader(ABC):
    """A file format of bars, of labels, or of both.

    A subclass under ``@READERS.register("name")`` is all that a format needs. Its methods may raise any error for a file that is
    damaged; the functions of :mod:`moola_core.market.readers` turn it into a DataError that names the file.

    Attributes
    ----------
    suffixes : tuple of str
        File name endings in lower case, such as ``(".csv", ".csv.gz")``. Where several formats match, the longest ending wins; formats
        with the same ending are tried in the order in which they were registered.
    holds : tuple of str
        What a file of this format can hold: ``"bars"``, ``"labels"``.
    needs : tuple of str or None
        The package that reads the format, and the optional dependency of moola that installs it.
    maps_columns : bool
        Whether the columns of a file have names of their own, which ``--column`` maps to ours.
    holds_lists : bool
        Whether a cell can hold a list, so that :meth:`write` takes windows with their prices.

    Raises
    ------
    SpecError
        When a subclass names no suffixes.
    """

    suffixes: ClassVar[tuple[str, ...]]
    holds: ClassVar[tuple[str, ...]] = ("bars", "labels")
    needs: ClassVar[tuple[str, str] | None] = None
    maps_columns: ClassVar[bool] = True
    holds_lists: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        if not getattr(cls, "suffixes", ()):
            raise SpecError(
                "it has no suffixes.",
                where=f"file format {cls.__name__}",
                hint='Name the endings of its files, such as suffixes = (".csv",).',
            )

    @abstractmethod
    def header(self, path: Path, reading: ReadOptions) -> Header:
        """The column names and, where it is cheap to know, the number of rows."""

    @abstractmethod
    def table(self, path: Path, reading: ReadOptions) -> pd.DataFrame:
        """The rows of the file under the names that the file gives them."""

    @abstractmethod
    def write(self, table: pd.DataFrame, path: Path) -> None:
        """Write a table so that :meth:`table` gives its rows back."""

    def labels(self, path: Path, reading: ReadOptions) -> tuple[pd.DataFrame, list[str]]:
        """The rows under our column names, one for each window, and notes on what was decided or left out."""
        return rename(self.table(path, reading), reading, LABEL_NAMES), []

    def layout(self, path: Path, reading: ReadOptions) -> Layout:
        """What the file looks like before its values are read; a source of bars is recognised by it."""
        return Layout(self.suffixes[0].strip("."), tuple(self.header(path, reading).columns))


READERS: Registry[type[Reader]] = Registry("file format", "moola.readers")
SERIES_ENDINGS = (".ts", ".arff")


def _known_suffixes() -> tuple[str, ...]:
    """The file name endings of all formats, in the order of the formats."""
    return tuple(dict.fromkeys(suffix for reader in READERS.values() for suffix in reader.suffixes))


def suffix_of(path: str | Path) -> str:
    """The longest known ending of the file's name, in lower case; empty where none is known."""
    name = Path(path).name.lower()
    return max((suffix for suffix in _known_suffixes() if name.endswith(suffix)), key=len, default="")


def reader_of(path: str | Path) -> Reader:
    """The reader of a file, by its name, and by its content where several formats share the ending.

    Raises
    ------
    DataError
        When there is no such file, or no format has its ending.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError("no such file.", where=str(path), hint="Check the path.")
    readers = _readers_of(path)
    _refuse_without_package(readers, path)
    return next(_that_can_read(readers, path), readers[0]) if len(readers) > 1 else readers[0]


def _readers_of(path: Path) -> list[Reader]:
    """The readers of all formats that have the file's ending. Raises DataError when there are none."""
    ending = suffix_of(path)
    if not ending:
        known = ", ".join(_known_suffixes())
        if path.suffix.lower() in SERIES_ENDINGS:
            raise DataError(
                "a file of the UCR archive or of aeon, which holds one series a row and no prices.",
                where=str(path),
                hint=f"Give windows with open, high, low and close for each bar. Known endings: {known}.",
            )
        raise DataError("unknown kind of file.", where=str(path), hint=f"Known endings: {known}.")
    return [reader() for reader in READERS.values() if ending in reader.suffixes]


def _refuse_without_package(readers: list[Reader], path: Path) -> None:
    """Raise DataError when the only reader of the file needs a package that is not installed."""
    package, extra = readers[0].needs or ("", "")
    if len(readers) == 1 and package and find_spec(package) is None:
        raise DataError(
            f"reading it needs the package {package}.", where=str(path), hint=f'Run pip install "moola[{extra}]".'
        )


def _that_can_read(readers: list[Reader], path: Path) -> Iterator[Reader]:
    for reader in readers:
        try:
            _header_by(reader, path)
        except DataError:
            continue
        yield reader


def _header_by(reader: Reader, path: Path, reading: ReadOptions | None = None) -> Header:
    """The header of a file. Raises DataError when it cannot be read."""
    with _explained(path):
        return reader.header(path, reading or load_reading(path))


def read_header(path: str | Path, reading: ReadOptions | None = None) -> Header:
    """The column names and, where it is cheap to know, the number of rows of a file.

    Raises
    ------
    DataError
        When there is no such file, its format is unknown, or it is damaged.
    """
    return _header_by(reader_of(path), Path(path), reading)


def read_layout(path: str | Path, reading: ReadOptions) -> Layout:
    """What a file looks like before its values are read. Raises DataError as :func:`read_table` does."""
    path = Path(path)
    with _explained(path):
        return reader_of(path).layout(path, reading)


def read_table(path: str | Path, reading: ReadOptions | None = None) -> pd.DataFrame:
    """The rows of a file under the names that the file gives them.

    Raises
    ------
    DataError
        When there is no such file, its format is unknown, or it is damaged.
    """
    path = Path(path)
    with _explained(path):
        return reader_of(path).table(path, reading or load_reading(path))


def read_labels(path: str | Path, reading: ReadOptions) -> tuple[pd.DataFrame, list[str]]:
    """The rows of a file under our column names, one for each window, and notes on what was decided or left out.

    Raises
    ------
    DataError
        When there is no such file, its format is unknown, it is damaged, or its labels are not clear.
    """
    path = Path(path)
    with _explained(path):
        return reader_of(path).labels(path, reading)


def reader_name(path: str | Path) -> str:
    """The name under which the reader of a file is registered."""
    kind = type(reader_of(path))
    return next(name for name, reader in READERS.items() if reader is kind)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table in the format that the file name says. Raises DataError when no format has its ending."""
    path = Path(path)
    _readers_of(path)[0].write(table, path)


def holds_lists(path: str | Path) -> bool:
    """Whether a file of this name can hold windows with their prices."""
    return _readers_of(Path(path))[0].holds_lists


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Any error of reading the file is a DataError, unless the reader explained it itself."""
    try:
        yield
    except MoolaError:
        raise
    except Exception as error:
        lines = str(error).splitlines()
        reason = (lines[0] if lines else type(error).__name__).rstrip(".")
        raise DataError(f"cannot be read: {reason}.", where=str(path), hint="Export the file again.") from error
