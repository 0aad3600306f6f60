"""What a source of bars is: how its files are recognised, and the conventions that they do not state themselves."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from moola_core.market.readers.layout import Layout
from moola_core.market.tables import plain
from moola_core.registry import Registry


class Vendor:
    """A source of bars with conventions of its own.

    A subclass under ``@VENDORS.register("name")`` is all that a source needs.

    Attributes
    ----------
    stamp : {"start", "end"} or None
        Whether its times are the start or the end of a bar.
    tz : str or None
        The time zone of its naive times; None where it differs from user to user.
    date_order : {"dmy", "mdy", "ymd"} or None
        The order of day and month in its dates.
    scale : float or None
        What its whole-number prices are multiplied by.
    """

    stamp: ClassVar[Literal["start", "end"] | None] = None
    tz: ClassVar[str | None] = None
    date_order: ClassVar[str | None] = None
    scale: ClassVar[float | None] = None

    def score(self, layout: Layout) -> tuple[float, str]:
        """How surely a file is from this source, from 0 to 1, and the reason in words."""
        raise NotImplementedError


VENDORS: Registry[type[Vendor]] = Registry("source of bars", "moola.vendors")
LEAST_SCORE = 0.5


def names_of(layout: Layout) -> set[str]:
    """The names of a file's columns as `tables.plain` writes them; none where it has no header."""
    return {plain(column) for column in layout.columns} if layout.header else set()


def cells_are(layout: Layout, *patterns: str) -> bool:
    """Whether the file has no header and every row of it starts with cells that match the patterns, one for each cell."""
    return (
        not layout.header
        and bool(layout.rows)
        and all(
            len(row) >= len(patterns) and all(re.fullmatch(p, cell) for p, cell in zip(patterns, row, strict=False))
            for row in layout.rows
        )
    )


def recognise(layout: Layout) -> tuple[str, Vendor, float, str]:
    """The name of the source that a file is from, the source, how sure that is and why; of no known source, the file's format."""
    vendors = {name: vendor() for name, vendor in VENDORS.items()}
    best = max(((name, vendor, *vendor.score(layout)) for name, vendor in vendors.items()), key=lambda item: item[2])
    return best if best[2] >= LEAST_SCORE else (layout.format, Vendor(), LEAST_SCORE, "")
