"""Sierra Chart, bar data as text."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, names_of


@VENDORS.register("sierra_chart")
class SierraChart(Vendor):
    """The close is called Last; times are starts, in the time zone of the chart."""

    stamp = "start"

    def score(self, layout: Layout) -> tuple[float, str]:
        names = names_of(layout)
        if "last" in names and names & {"number_of_trades", "bid_volume", "ask_volume", "num_trades"}:
            return 0.9, "it has Sierra Chart's columns Last and NumberOfTrades or BidVolume"
        return 0.0, ""
