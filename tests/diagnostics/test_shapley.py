from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from moola_core.diagnostics.shapley import (
    FEWEST,
    MOST,
    TOLERANCE,
    Explanation,
    Shares,
    coalitions,
    mean_errors,
    shapley_values,
)


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


def played(game: np.ndarray, one: Explanation) -> Shares:
    """The shares of games [W, B, 2^G, O] given by all their outputs."""
    while not one.done:
        kept, place = one.ask()
        number = kept @ (1 << np.arange(kept.shape[2]))
        one.tell(np.stack([own[at, row] for own, at, row in zip(game, place, number, strict=True)]))
    return one.shares


def games(windows: int, players: int, background: int, outputs: int = 2, seed: int = 0) -> np.ndarray:
    """Sums of single players, pairs and triples, of very different sizes, and other ones for each background window."""
    rng = np.random.default_rng(seed)
    member = coalitions(players).astype(float)
    terms = [member] + [member[:, [i]] * member[:, [j]] for i in range(players) for j in range(i)]
    terms += [member[:, [i]] * member[:, [i - 1]] * member[:, [i - 2]] for i in range(2, players)]
    design = np.concatenate(terms, axis=1)
    size = np.r_[2.0 ** -np.arange(players), np.full(design.shape[1] - players, 0.3)]
    weight = rng.normal(size=(windows, background, design.shape[1], outputs)) * size[:, None]
    game = design @ weight
    # With every player it is the window itself, whatever the background.
    off = game[:, :, -1:].mean(1, keepdims=True) - game[:, :, -1:]
    return game + off * member.mean(1)[:, None]


def test_few_players_and_what_is_asked_for_exactly_are_exact():
    for players, exact in ((1, False), (2, False), (3, False), (6, True)):
        game = games(2, players, 4)
        shares = played(game, Explanation(2, players, 4, (0,), exact))
        values, empty, full = shapley_values(game.mean(1))
        assert shares.values == pytest.approx(values) and not shares.errors.any()
        assert shares.empty == pytest.approx(empty) and shares.full == pytest.approx(full)


def test_sampled_values_add_up_and_their_mean_sizes_are_as_precise_as_is_said():
    off, honest = [], []
    for seed in range(12):
        game = games(6, 10, 20, seed=seed)
        one = Explanation(6, 10, 20, (seed,))
        shares = played(game, one)
        values, empty, full = shapley_values(game.mean(1))
        assert shares.full == pytest.approx(full) and shares.empty == pytest.approx(empty)
        assert shares.empty + shares.values.sum(1) == pytest.approx(full)
        known = shares.errors > 1e-9  # a pair of orders is exact for what two players do together
        honest += ((shares.values - values)[known] / shares.errors[known]).tolist() if len(one.rounds) > 1 else []
        size, exact = (np.abs(part).mean(0) for part in (shares.values, values))
        off.append(np.abs(size - exact) / exact.max(0))
        assert (mean_errors(shares.values, shares.errors) <= TOLERANCE * size.max(0)).all() or len(one.rounds) == MOST
    assert np.sqrt(np.mean(np.square(off))) < TOLERANCE, (
        "the error of each mean size, a standard error, is below 5% of the largest"
    )
    assert len(honest) > 300 and np.std(honest) == pytest.approx(1, abs=0.15), (
        "the standard errors are those of the values"
    )


def test_sampling_takes_more_rounds_for_noisier_games_and_fewer_outputs_than_all_coalitions():
    member, rng = coalitions(12), np.random.default_rng(0)
    quiet = np.broadcast_to((member @ rng.normal(size=(12, 2)))[None, None], (4, 20, 2**12, 2)).copy()
    loud = quiet.copy()
    loud[:, :, 1:-1] += 3 * rng.normal(size=(4, 20, 2**12 - 2, 2))
    rounds = []
    for game in (quiet, loud):
        one = Explanation(4, 12, 20, (0,))
        played(game, one)
        rounds.append(len(one.rounds))
    assert rounds[0] == FEWEST < rounds[1] <= MOST
    assert 2 * 20 * 2 * 11 + 21 < 2**12, "two rounds ask for fewer outputs than all coalitions against one base"
