"""Dukascopy, historical data feed."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, names_of


@VENDORS.register("dukascopy")
class Dukascopy(Vendor):
    """Days before months; times are starts, in GMT or in the local time that stands behind them; closed markets may be filled with flat bars."""

    stamp = "start"
    date_order = "dmy"

    def score(self, layout: Layout) -> tuple[float, str]:
        if names_of(layout) & {"gmt_time", "local_time", "time_eet", "time_utc"}:
            return 0.8, "its times are called Gmt time or Local time"
        return 0.0, ""
