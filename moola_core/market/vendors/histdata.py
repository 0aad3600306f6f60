"""HistData, generic ASCII and MetaTrader layouts."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, cells_are


@VENDORS.register("histdata")
class HistData(Vendor):
    """No header; times are starts in Eastern Standard Time all year; prices have six decimals and the volume is 0."""

    stamp = "start"
    tz = "Etc/GMT+5"

    def score(self, layout: Layout) -> tuple[float, str]:
        price = r"\d+\.\d{5,6}"
        generic = layout.separator == ";" and cells_are(layout, r"\d{8} \d{6}", *[price] * 4, "0")
        metatrader = (r"\d{4}\.\d\d\.\d\d", r"\d\d:\d\d", *[price] * 4, "0")
        if generic or (layout.separator == "," and cells_are(layout, *metatrader)):
            return 0.9, "it has no header, prices with six decimals and no volume"
        return 0.0, ""
