"""Interactive Brokers, historical bars of the TWS interface."""

from __future__ import annotations

import re

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, names_of


@VENDORS.register("interactive_brokers")
class InteractiveBrokers(Vendor):
    """Times are starts, in the time zone that was set in TWS or that stands behind them."""

    stamp = "start"

    def score(self, layout: Layout) -> tuple[float, str]:
        names = names_of(layout)
        if names & {"wap", "average"} and names & {"count", "bar_count"}:
            return 0.9, "it has a weighted average price and a count of trades"
        if layout.rows and re.fullmatch(r"\d{8}  \d\d:\d\d:\d\d.*", layout.rows[0][0]):
            return 0.8, "its times are written as TWS writes them"
        return 0.0, ""
