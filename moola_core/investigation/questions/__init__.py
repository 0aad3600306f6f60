"""The questions, a module a kind; importing the package registers all of them."""

from moola_core.registry import import_members

import_members(__name__, __path__)
