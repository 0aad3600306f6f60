"""TradeStation, exported bars."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, names_of


@VENDORS.register("tradestation")
class TradeStation(Vendor):
    """Times are the ends of the bars, in the time zone of the exchange."""

    stamp = "end"
    date_order = "mdy"

    def score(self, layout: Layout) -> tuple[float, str]:
        names = names_of(layout)
        if {"date", "time", "up", "down"} <= names and "volume" not in names:
            return 0.9, "it has the columns Up and Down in place of a volume"
        return 0.0, ""
