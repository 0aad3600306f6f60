"""What sections are made of: texts, figures, tables, charts, links and choices, of no format yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from moola_core.diagnostics.results.interval import Claim

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from moola_core.specs import SpecModel


@dataclass(frozen=True)
class Number:
    """A number as it is stored (`value`), as it is read (`shown`), and where it is stored.

    source: `RUN/FILE.json#/json/pointer` under the store's runs; empty where the number was computed from stored ones, such as
    the gap to a target.
    """

    value: float | int | None
    shown: str
    source: str = ""


Cell = str | Number
Row = tuple[Cell, ...]


@dataclass(frozen=True)
class Text:
    """A paragraph; `title` heads it, `strong` is set in bold before it.

    warning: what must not be read past; claims: of a paragraph that judges, the intervals and thresholds that it rests on; behind: what the
    section's other paragraphs rest on, which a page folds below them.
    """

    text: str
    strong: str = ""
    warning: bool = False
    title: str = ""
    claims: tuple[Claim, ...] = ()
    behind: bool = False


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
class Link:
    """A way to `page` with `values` of what is selected there; `text` is on its button."""

    text: str
    page: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Links:
    """Buttons that open pages, with a `title` folded under it; a file and a terminal show none."""

    items: tuple[Link, ...]
    title: str = ""


@dataclass(frozen=True)
class Chart:
    """A figure that `draw` makes for an appearance, light or dark; `name` is unique in its section, half: two of them fit a line.

    links: what a click on a point of the figure's one trace opens, a link a point; buttons under it do the same for the keyboard.
    """

    name: str
    title: str
    draw: Callable[[str], go.Figure]
    note: str = ""
    half: bool = False
    links: Links | None = None


@dataclass(frozen=True)
class Command:
    """A line for a terminal, with what it does as its `title`."""

    title: str
    line: str


@dataclass(frozen=True)
class Step:
    """What to do next: a page shows the `text` with the button of its `link`; a file and a terminal show the `command` in its place,
    where there is one."""

    text: Text
    link: Link
    command: str = ""


@dataclass(frozen=True)
class Supported:
    """A sentence and the run that it rests on: a page shows the way to it at the end of the line, a file and a terminal name it."""

    text: Text
    run_id: str
    link: Link | None


@dataclass(frozen=True)
class Launch:
    """A run to start: a page shows a button that starts `spec` and then opens `opens`, by default the run; a file and a terminal show the
    `command`.

    name, note, tags, parent: of the run, as in its record.
    """

    spec: SpecModel
    name: str
    note: str
    command: Command
    tags: tuple[str, ...] = ()
    parent: str | None = None
    opens: Link | None = None


@dataclass(frozen=True)
class Values:
    """Values as they are stored: a page folds them under the `title`; a file and a terminal leave them out."""

    title: str
    values: dict[str, Any]
    note: str = ""


@dataclass(frozen=True)
class WindowLinks:
    """Windows to look at: a page shows a button for each of `links`, (window id, text); a file and a terminal show the `table`.

    run_id: whose predictions the opened window shows; by default the selected run's.
    """

    name: str
    links: tuple[tuple[str, str], ...]
    table: Table
    run_id: str | None = None


@dataclass(frozen=True)
class Choice:
    """Blocks of which one set is shown at a time: a page lets the reader choose among `options`, (text, blocks).

    A file and a terminal show the first option; all of them where `every` is set; none where it is for the page only.
    """

    name: str
    title: str
    options: tuple[tuple[str, tuple[Block, ...]], ...]
    every: bool = False
    page_only: bool = False


@dataclass(frozen=True)
class Columns:
    """Blocks side by side on a page; a file and a terminal show one column after the other."""

    columns: tuple[tuple[Block, ...], ...]


@dataclass(frozen=True)
class Card:
    """Blocks that belong together: a page frames them; `name` is unique in the section."""

    name: str
    blocks: tuple[Block, ...]


Simple = Text | Figures | Table | Chart | Command
Block = Simple | Step | Supported | Launch | Links | Values | WindowLinks | Choice | Columns | Card


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """A report of the run `run_id`; kind: what it is of, as in `formatting.KIND_TITLES`. `facts` head it; `absent` says of each section that is not there why."""

    run_id: str
    kind: str
    title: str
    facts: tuple[tuple[str, Cell], ...]
    sections: tuple[Section, ...]
    absent: tuple[tuple[str, str], ...]
    made: str
    version: str


def shown(cell: Cell) -> str:
    """The cell as it is read."""
    return cell.shown if isinstance(cell, Number) else cell


def flat(blocks: Iterable[Block]) -> Iterator[Simple]:
    """The blocks as a file and a terminal show them: without buttons, links, choices and columns."""
    for block in blocks:
        if isinstance(block, WindowLinks):
            yield block.table
        elif isinstance(block, Step):
            yield block.text
            if block.command:
                yield Command("Command for it", block.command)
        elif isinstance(block, Supported):
            yield replace(block.text, text=f"{block.text.text} [run {block.run_id}]")
        elif isinstance(block, Choice):
            for _, inner in block.options[: 0 if block.page_only else None if block.every else 1]:
                yield from flat(inner)
        elif isinstance(block, Columns):
            for inner in block.columns:
                yield from flat(inner)
        elif isinstance(block, Card):
            yield from flat(block.blocks)
        elif isinstance(block, Launch):
            yield block.command
        elif not isinstance(block, Links | Values):
            yield block


def charts(section: Section) -> list[Chart]:
    """The section's charts that a file shows, in order."""
    return [block for block in flat(section.blocks) if isinstance(block, Chart)]


def lines(blocks: Iterable[Block]) -> list[tuple[Block, ...]]:
    """The blocks as they stand under each other: each alone, but two charts of half the width side by side."""
    rows: list[tuple[Block, ...]] = []
    for block in blocks:
        half = isinstance(block, Chart) and block.half
        before = rows[-1] if rows else ()
        if half and len(before) == 1 and isinstance(before[0], Chart) and before[0].half:
            rows[-1] = (before[0], block)
        else:
            rows.append((block,))
    return rows
