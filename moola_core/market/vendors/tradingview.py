"""TradingView, exported chart data."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor


@VENDORS.register("tradingview")
class TradingView(Vendor):
    """Times are starts, as epoch seconds or with an offset; the last bar may still be running."""

    stamp = "start"

    def score(self, layout: Layout) -> tuple[float, str]:
        first = [column.strip() for column in layout.columns[:5]]
        usual = layout.header and first == ["time", "open", "high", "low", "close"]
        if usual and {"Volume", "Plot", "VWAP"} & set(layout.columns):
            return 0.7, "its columns are those of an exported chart"
        return 0.0, ""
