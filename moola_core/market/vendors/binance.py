"""Binance klines, from its archive or its interface."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, cells_are, names_of


@VENDORS.register("binance")
class Binance(Vendor):
    """Open time and close time in epoch milliseconds, microseconds since 2025; the archive of spot klines has no header."""

    stamp = "start"

    def score(self, layout: Layout) -> tuple[float, str]:
        if {"open_time", "close_time"} <= names_of(layout):
            return 0.9, "it has an open time and a close time"
        epoch = r"\d{13}|\d{16}"
        if cells_are(layout, epoch, ".*", ".*", ".*", ".*", ".*", epoch):
            return 0.9, "its rows are klines: an open time, prices, a volume and a close time"
        return 0.0, ""
