"""Kibot, intraday bars."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, cells_are


@VENDORS.register("kibot")
class Kibot(Vendor):
    """No header; month before day; times are starts in Eastern time."""

    stamp = "start"
    tz = "America/New_York"
    date_order = "mdy"

    def score(self, layout: Layout) -> tuple[float, str]:
        us = cells_are(layout, r"\d\d/\d\d/\d{4}", r"\d\d:\d\d", *[r"\d+(\.\d+)?"] * 5)
        if us and layout.separator == "," and len(layout.columns) == 7:
            return 0.7, "it has no header, and month/day/year and hour:minute in two columns"
        return 0.0, ""
