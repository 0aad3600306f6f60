"""Bars that moola wrote."""

from __future__ import annotations

from moola_core.market.readers.layout import Layout
from moola_core.market.vendors.vendor import VENDORS, Vendor

MARK = "moola bars"


@VENDORS.register("moola")
class Moola(Vendor):
    """Times are starts in UTC; the file says so itself."""

    stamp = "start"
    tz = "UTC"

    def score(self, layout: Layout) -> tuple[float, str]:
        return (1.0, "moola wrote it") if layout.title == MARK else (0.0, "")
