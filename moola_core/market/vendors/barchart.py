"""Barchart, downloaded historical prices."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor, names_of


@VENDORS.register("barchart")
class Barchart(Vendor):
    """Month before day; times are starts, in Central time unless it was set otherwise."""

    stamp = "start"
    date_order = "mdy"

    def score(self, layout: Layout) -> tuple[float, str]:
        names = names_of(layout)
        if names & {"last", "latest"} and "change" in names and names & {"%change", "%chg"}:
            return 0.8, "it has the columns Last, Change and %Change"
        return 0.0, ""
