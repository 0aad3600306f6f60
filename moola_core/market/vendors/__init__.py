"""Sources of bars with conventions of their own: one file each, registered by name."""

from moola_core.market.vendors.vendor import LEAST_SCORE, VENDORS, Vendor, recognise
from moola_core.registry import import_members

__all__ = ["LEAST_SCORE", "VENDORS", "Vendor", "recognise"]

import_members(__name__, __path__)
