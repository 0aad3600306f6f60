"""FirstRate Data, intraday bars."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, cells_are


@VENDORS.register("firstratedata")
class FirstRateData(Vendor):
    """No header, times such as 2024-01-02 18:00:00; they are starts."""

    stamp = "start"

    def score(self, layout: Layout) -> tuple[float, str]:
        moment, price = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", r"-?\d+(\.\d+)?"
        if layout.separator == "," and cells_are(layout, moment, *[price] * 4):
            return 0.6, "it has no header, and times such as 2024-01-02 18:00:00"
        return 0.0, ""
