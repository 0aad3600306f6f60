"""yfinance, downloads and histories of Yahoo."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.tables import plain
from moola_core.market.vendors.vendor import VENDORS, Vendor, names_of


@VENDORS.register("yfinance")
class YFinance(Vendor):
    """Times are starts; the last bar may still be running."""

    stamp = "start"

    def score(self, layout: Layout) -> tuple[float, str]:
        names = names_of(layout)
        if {"dividends", "stock_splits"} <= names or "adj_close" in names or plain(layout.columns[0]) == "price":
            return 0.8, "it has the columns of a Yahoo download"
        return 0.0, ""
