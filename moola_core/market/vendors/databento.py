"""Databento OHLCV, as CSV or from its client."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, names_of


@VENDORS.register("databento")
class Databento(Vendor):
    """Times are starts in UTC; prices are whole multiples of 1e-9 unless they were asked for as decimals."""

    stamp = "start"
    scale = 1e-9

    def score(self, layout: Layout) -> tuple[float, str]:
        names = names_of(layout)
        if {"rtype", "publisher_id"} <= names or {"ts_event", "instrument_id"} <= names:
            return 0.95, "it has Databento's columns rtype, publisher_id or instrument_id"
        return 0.0, ""
