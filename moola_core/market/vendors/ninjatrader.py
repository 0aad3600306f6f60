"""NinjaTrader, exported historical data."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, cells_are


@VENDORS.register("ninjatrader")
class NinjaTrader(Vendor):
    """No header, semicolons; times are the ends of the bars, in UTC."""

    stamp = "end"
    tz = "UTC"

    def score(self, layout: Layout) -> tuple[float, str]:
        if layout.separator == ";" and cells_are(layout, r"\d{8}( \d{6})?", *[r"-?\d+([.,]\d+)?"] * 4):
            return 0.8, "it has no header, semicolons, and times such as 20240102 230100"
        return 0.0, ""
