"""Shapley values (Shapley 1953): exact from the outputs of every coalition, or sampled over orders and background windows.

What a player that is left out would have been is taken from background windows, one after another (interventional; Janzing, Minorics and
Blöbaum 2020). Orders are drawn in antithetic pairs, an order and its reverse (Mitchell et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from scipy.stats import norm

TOLERANCE = 0.05  # Monte Carlo error of a mean size, as a share of the largest
FEWEST, MOST = 1, 64  # rounds; in each every background window has one pair of orders


@dataclass(frozen=True, eq=False)
class Shares:
    """Shapley values [W, G, O] of the players in W windows, their Monte Carlo standard errors (0 where they are exact), and the outputs
    [W, O] without any player, which is the mean over the background, and with all."""

    values: np.ndarray
    errors: np.ndarray
    empty: np.ndarray
    full: np.ndarray


def coalitions(count: int) -> np.ndarray:
    """Every set of `count` players, shape (2^count, count) of bool: row i holds the players whose bits are set in i."""
    return ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(bool)


def shapley_values(outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shapley values [..., G, O] of G players from the outputs [..., 2^G, O] of `coalitions`, with the outputs [..., O] of none and of all."""
    count = outputs.shape[-2].bit_length() - 1
    member = coalitions(count)
    size = member.sum(1)
    weight = np.array([1 / (count * comb(count - 1, s)) if s < count else 0.0 for s in range(count + 1)])
    contributions = []
    for i in range(count):
        without = np.flatnonzero(~member[:, i])
        contributions.append(weight[size[without]] @ (outputs[..., without | (1 << i), :] - outputs[..., without, :]))
    return np.stack(contributions, axis=-2), outputs[..., 0, :], outputs[..., -1, :]


def mean_errors(values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Monte Carlo error [G, O] of the mean size over windows of values [W, G, O] with standard errors [W, G, O].

    The root of the variance of the mean, and of the square of its bias: noise makes small sizes larger (a folded normal, of the size that
    is left when the noise is taken off the square).
    """
    spread = np.where(errors > 0, errors, 1.0)
    at = np.sqrt(np.maximum(values**2 - errors**2, 0)) / spread
    folded = spread * (2 * norm.pdf(at) + at * (1 - 2 * norm.cdf(-at)))
    bias = np.where(errors > 0, folded - at * spread, 0.0).mean(0)
    return np.sqrt((errors**2).sum(0) / len(values) ** 2 + bias**2)


def precise(values: np.ndarray, errors: np.ndarray) -> bool:
    """Whether the error of every mean size is below `TOLERANCE` of the largest of its output."""
    return bool((mean_errors(values, errors) <= TOLERANCE * np.abs(values).mean(0).max(0)).all())


class Explanation:
    """Shapley values of the players in some windows: `ask` for outputs and `tell` them until it is `done`.

    Every coalition is asked for where that takes no more outputs than two rounds of sampling, of one background window, or where `exact`. Otherwise rounds
    are drawn, twice as many in all each time, until the values are precise.

    Parameters
    ----------
    windows, players, background : int
        How many windows are explained, how many players there are, and how many background windows.
    seed : sequence of int
        Of the orders.
    exact : bool, default False
        Ask for every coalition, whatever it takes.
    """

    def __init__(
        self, windows: int, players: int, background: int, seed: tuple[int, ...] = (0,), exact: bool = False
    ) -> None:
        self.shape = windows, players, background
        self.exact = exact or background < 2 or 2**players <= 4 * (players - 1) + 2
        self.random = np.random.default_rng(np.random.SeedSequence(seed))
        self.rounds: list[np.ndarray] = []  # each [W, B, G, O]: the mean over a pair of orders
        self.shares: Shares | None = None
        self._rank: np.ndarray = np.empty(0, int)  # place of each player in the orders that were asked for
        self._empty: np.ndarray = np.empty(0)
        self._full: np.ndarray = np.empty(0)

    @property
    def done(self) -> bool:
        return self.shares is not None

    def ask(self) -> tuple[np.ndarray, np.ndarray]:
        """Players that are kept [W, c, G], and the background windows [W, c] that the others are taken from."""
        windows, players, background = self.shape
        if self.exact:
            every, place = coalitions(players), np.repeat(np.arange(background), 2**players)
            kept = np.tile(every, (background, 1))
            return np.broadcast_to(kept, (windows, *kept.shape)), np.broadcast_to(place, (windows, len(place)))
        count = max(FEWEST, len(self.rounds))
        orders = np.broadcast_to(np.arange(players), (windows, count, background, players))
        orders = self.random.permuted(orders, axis=-1)
        self._rank = np.argsort(np.stack([orders, orders[..., ::-1]], axis=3), axis=-1)  # [W, n, B, 2, G]
        kept = self._rank[..., None, :] < np.arange(1, players)[:, None]
        place = np.broadcast_to(np.arange(background)[:, None, None], kept.shape[1:5])
        kept, place = kept.reshape(windows, -1, players), np.broadcast_to(place.reshape(-1), (windows, place.size))
        if self.rounds:
            return kept, place
        none = np.zeros((windows, background + 1, players), bool)  # each background window, and the window itself
        none[:, -1] = True
        ends = np.broadcast_to(np.r_[np.arange(background), 0], (windows, background + 1))
        return np.concatenate([none, kept], axis=1), np.concatenate([ends, place], axis=1)

    def tell(self, outputs: np.ndarray) -> None:
        """Take the outputs [W, c, O] of what was asked for."""
        windows, players, background = self.shape
        if self.exact:
            values, empty, full = shapley_values(outputs.reshape(windows, background, 2**players, -1).mean(1))
            self.shares = Shares(values, np.zeros_like(values), empty, full)
            return
        if not self.rounds:
            self._empty, self._full = outputs[:, :background], outputs[:, background]
            outputs = outputs[:, background + 1 :]
        inner = outputs.reshape(*self._rank.shape[:4], players - 1, -1)
        first = np.broadcast_to(self._empty[:, None, :, None, None], (*inner.shape[:4], 1, inner.shape[-1]))
        last = np.broadcast_to(self._full[:, None, None, None, None], first.shape)
        steps = np.diff(np.concatenate([first, inner, last], axis=4), axis=4)
        own = np.take_along_axis(steps, self._rank[..., None], axis=4).mean(3)
        self.rounds += list(np.moveaxis(own, 1, 0))
        each = np.stack(self.rounds)
        if len(each) > 1:
            errors = np.sqrt(each.var(axis=0, ddof=1).mean(1) / (background * len(each)))
        else:  # one order each does not tell orders from background windows: both count, which is more than there is
            errors = each[0].std(axis=1, ddof=1) / np.sqrt(background)
        values = each.mean((0, 2))
        if len(self.rounds) >= MOST or precise(values, errors):
            self.shares = Shares(values, errors, self._empty.mean(1), self._full)
