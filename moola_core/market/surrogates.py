"""Bars in random order: a market that has the same bars and nothing that depends on what comes after what."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from moola_core.market.bars import Bars


def shuffled(bars: Bars, kind: np.ndarray, rng: np.random.Generator) -> Bars:
    """The same bars in random order, chained to one path of prices (shuffled surrogates, Theiler et al. 1992).

    Each bar is taken relative to the close before it, the first one and those after a gap or a roll relative to their own open, and keeps
    its shape; the path begins at the first open. Times, volume and contracts stay where they are.

    Parameters
    ----------
    bars : Bars
        n bars.
    kind : ndarray of int, shape (n,)
        Bars change places only with bars of the same kind.
    rng : Generator
        Where the order comes from.

    Returns
    -------
    Bars
    """
    before = np.r_[bars.ohlc[:1, 0], bars.ohlc[:-1, 3]]
    before[bars.breaks] = bars.ohlc[bars.breaks, 0]
    relative = bars.ohlc / before[:, None]
    order = np.empty(len(bars), np.int64)
    for one in np.unique(kind):
        places = np.flatnonzero(kind == one)
        order[places] = rng.permutation(places)
    relative = relative[order]
    close = bars.ohlc[0, 0] * np.exp(np.cumsum(np.log(relative[:, 3])))
    path = relative * np.r_[bars.ohlc[0, 0], close[:-1]][:, None]
    return replace(bars, ohlc=path)
