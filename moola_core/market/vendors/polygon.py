"""Polygon (Massive), flat files and aggregates."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, names_of


@VENDORS.register("polygon")
class Polygon(Vendor):
    """Times are starts, as epoch nanoseconds or milliseconds; a flat file holds many tickers."""

    stamp = "start"

    def score(self, layout: Layout) -> tuple[float, str]:
        names = names_of(layout)
        if {"window_start", "transactions"} <= names or {"o", "h", "l", "c", "t", "vw"} <= names:
            return 0.9, "it has the columns of Polygon's aggregates"
        return 0.0, ""
