"""MetaTrader 4 and 5, exported bars."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, cells_are


@VENDORS.register("metatrader")
class MetaTrader(Vendor):
    """Dates such as 2024.01.03; times are starts, in the time zone of the broker's server."""

    stamp = "start"

    def score(self, layout: Layout) -> tuple[float, str]:
        if layout.header and {"<OPEN>", "<CLOSE>"} <= {column.upper() for column in layout.columns}:
            return 0.8, "its columns are named in angle brackets"
        if cells_are(layout, r"\d{4}\.\d\d\.\d\d", r"\d\d:\d\d(:\d\d)?"):
            return 0.8, "it has no header, and dates such as 2024.01.03"
        return 0.0, ""
