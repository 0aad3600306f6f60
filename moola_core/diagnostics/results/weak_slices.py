"""Parts of the windows in which a run is worse than in the rest."""

from __future__ import annotations

from dataclasses import dataclass

MOST_WINDOWS = 200  # of a part whose ids are kept


@dataclass(frozen=True)
class WeakSlice:
    """A part of the windows, compared with the rest.

    Attributes
    ----------
    part : str
        Which windows: a grade, a source, a period, an hour, a third by some quantity.
    what : str
        ``"class"``: inside and outside are AUROCs; ``"pointer"``: mean errors of the center in bars.
    n : int
        Windows in it.
    inside, outside : float
        The score in it and in the rest.
    q : float
        The false discovery rate at which it is a discovery, over all parts that were searched.
    windows : tuple of str
        Its windows, at most 200.
    """

    part: str
    what: str
    n: int
    inside: float
    outside: float
    q: float
    windows: tuple[str, ...]
