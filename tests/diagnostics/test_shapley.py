from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from moola_core.diagnostics.shapley import coalitions, shapley_values


def over_all_orders(outputs: np.ndarray, count: int) -> np.ndarray:
    """Shapley values by their definition: what each player adds when it comes, over all orders of coming."""
    orders = np.array(list(permutations(range(count))))
    values = np.zeros((count, outputs.shape[1]))
    there = np.zeros(len(orders), int)
    for player in orders.T:
        with_it = there | (1 << player)
        np.add.at(values, player, outputs[with_it] - outputs[there])
        there = with_it
    return values / len(orders)


@pytest.mark.parametrize("count", [1, 2, 5, 7])
def test_values_are_those_of_all_orders_and_add_up(count):
    outputs = np.random.default_rng(count).normal(size=(2**count, 3))
    values, empty, full = shapley_values(outputs)
    assert values == pytest.approx(over_all_orders(outputs, count), abs=1e-12)
    assert empty + values.sum(0) == pytest.approx(full, abs=1e-12)
    several = shapley_values(np.stack([outputs, 2 * outputs]))[0]
    assert several == pytest.approx(np.stack([values, 2 * values]), abs=1e-12)


def test_a_player_that_adds_nothing_has_none_and_one_that_adds_alone_has_all_of_it():
    member = coalitions(4)
    outputs = (3.0 * member[:, 1] + 2.0 * member[:, 0] * member[:, 3])[:, None]
    assert shapley_values(outputs)[0][:, 0] == pytest.approx([1, 3, 0, 1], abs=1e-12)
