"""How often Python looks for garbage: for objects that refer to each other and to which nothing else refers."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

OBJECTS = 10_000
DEFAULTS = (700, 2_000)  # of Python up to 3.12, and from 3.13 on


def look_less_often() -> None:
    """Look after 10,000 new objects, not after 700; where the user has said otherwise, or looks for none, that stays.

    While torch, pandas and scikit-learn are imported, looking took a sixth of the time, and finds nothing.
    """
    first, *others = gc.get_threshold()
    if first in DEFAULTS:
        gc.set_threshold(OBJECTS, *others)


@contextmanager
def loading() -> Iterator[None]:
    """Look for no garbage while modules are imported inside, nor ever among what there is then."""
    gc.disable()
    try:
        yield
    finally:
        keep_what_is_loaded()
        gc.enable()


def keep_what_is_loaded() -> None:
    """Never look at what there is now: a long-lived process goes through its modules each time, which stay anyway."""
    gc.freeze()
