"""Exact Shapley values from the outputs of every coalition (Shapley 1953)."""

from __future__ import annotations

from math import comb

import numpy as np

Values = tuple[np.ndarray, np.ndarray, np.ndarray]


def coalitions(count: int) -> np.ndarray:
    """Every set of `count` players, shape (2^count, count) of bool: row i holds the players whose bits are set in i."""
    return ((np.arange(2**count)[:, None] >> np.arange(count)) & 1).astype(bool)


def shapley_values(outputs: np.ndarray) -> Values:
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
