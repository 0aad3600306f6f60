"""yfinance, downloads and histories of Yahoo."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, names_of

DOWNLOAD = ("Close", "High", "Low", "Open", "Volume")  # below it a line of tickers


@VENDORS.register("yfinance")
class YFinance(Vendor):
    """Times are starts; the last bar may still be running."""

    stamp = "start"

    def score(self, layout: Layout) -> tuple[float, str]:
        names = names_of(layout)
        if {"dividends", "stock_splits"} <= names or "adj_close" in names or layout.columns[1:6] == DOWNLOAD:
            return 0.8, "it has the columns of a Yahoo download"
        return 0.0, ""
