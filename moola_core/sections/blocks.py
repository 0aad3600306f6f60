"""What a report is made of: sections of texts, figures, tables and charts, of no format yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Number:
    """A number as it is stored (`value`), as it is read (`shown`), and where it is stored.

    source: `RUN/FILE.json#/json/pointer` under the store's runs; empty where the number was reckoned from stored ones, such as
    the gap to a target.
    """

    value: float | int | None
    shown: str
    source: str = ""


Cell = str | Number
Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Text:
    """A paragraph; `title` heads it, `strong` is set in bold before it. warning: what must not be read past."""

    text: str
    strong: str = ""
    warning: bool = False
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """A large figure with its `title` over it and a `note` under it."""

    title: str
    number: Cell
    note: str = ""


@dataclass(frozen=True)
class Figures:
    """Large figures side by side."""

    items: tuple[Figure, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells under `columns`; `met` marks rows good (True) or bad (False), one a row, or is empty."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""
    met: tuple[bool | None, ...] = ()


@dataclass(frozen=True)
class Chart:
    """A figure that `draw` makes for an appearance, light or dark; `name` is unique in its section, half: two of them fit a line."""

    name: str
    title: str
    draw: Callable[[str], go.Figure]
    note: str = ""
    half: bool = False


@dataclass(frozen=True)
class Command:
    """A line for a terminal, with what it does as its `title`."""

    title: str
    line: str


Block = Text | Figures | Table | Chart | Command


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """A report of the run `run_id`; kind: what it is of, as in `wording.KIND_TITLES`. `facts` head it; `absent` says of each section that is not there why."""

    run_id: str
    kind: str
    title: str
    facts: tuple[tuple[str, Cell], ...]
    sections: tuple[Section, ...]
    absent: tuple[tuple[str, str], ...]
    made: str
    version: str


def charts(section: Section) -> list[Chart]:
    """The section's charts, in order."""
    return [block for block in section.blocks if isinstance(block, Chart)]


def lines(section: Section) -> list[tuple[Block, ...]]:
    """The section's blocks as they stand under each other: each alone, but two charts of half the width side by side."""
    found: list[tuple[Block, ...]] = []
    for block in section.blocks:
        half = isinstance(block, Chart) and block.half
        before = found[-1] if found else ()
        if half and len(before) == 1 and isinstance(before[0], Chart) and before[0].half:
            found[-1] = (before[0], block)
        else:
            found.append((block,))
    return found
