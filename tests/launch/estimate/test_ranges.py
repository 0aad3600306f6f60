"""Ranges against simulated stores, sums and what is left against draws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moola_core.launch.estimate.ranges import LEVELS, NOISE, Observed, Seconds, corrected, total

KEY = ("network", "small", "these settings")
UNSURE = 0.8


def simulated(rng: np.random.Generator, runs: int) -> tuple[list[Observed], float]:
    """Finished runs of several kinds on one host, newest first, and how far the next run of KEY will be off."""
    levels = [math.sqrt(level) * UNSURE for level in LEVELS]
    host = rng.normal(0, levels[0])
    kinds = {kind: host + rng.normal(0, levels[1]) for kind in ("network", "trees", "pretrain")}
    sizes = {(kind, size): off + rng.normal(0, levels[2]) for kind, off in kinds.items() for size in ("small", "large")}
    keys = {
        (*key, own): off + rng.normal(0, levels[3])
        for key, off in sizes.items()
        for own in ("these settings", "others")
    }
    drawn = [list(keys)[i] for i in rng.integers(len(keys), size=runs)]
    return [Observed(key, keys[key] + rng.normal(0, NOISE)) for key in drawn], keys[KEY] + rng.normal(0, NOISE)


@pytest.mark.parametrize("runs", [0, 3, 25])
def test_eight_true_times_in_ten_lie_within_the_range(runs):
    rng, inside, widths = np.random.default_rng(runs), 0, []
    for _ in range(600):
        observed, off = simulated(rng, runs)
        stated = corrected(100.0, UNSURE, KEY, observed)
        inside += stated.low <= 100 * math.exp(off) <= stated.high
        widths.append(stated.high / stated.low)
    assert 0.76 < inside / 600 < 0.88
    assert np.median(widths) < {0: 12, 3: 7, 25: 3.2}[runs]


def test_nearer_runs_count_more():
    far = [Observed(("trees", "", "x"), math.log(2))] * 3
    near = [Observed(KEY, math.log(2))] * 3
    like = [Observed(("network", "small", "other settings"), math.log(2))] * 3
    medians = [corrected(100.0, UNSURE, KEY, observed).median for observed in ([], far, like, near)]
    assert medians == sorted(medians) and medians[0] == pytest.approx(100)
    assert 100 < medians[-1] < 200  # three runs do not move it all the way


def test_a_run_on_a_busy_host_moves_little():
    calm = [Observed(KEY, math.log(1.5) + off) for off in (-0.1, 0.05, 0.1, -0.05, 0.0, 0.08, -0.08)]
    busy = [*calm[:3], Observed(KEY, math.log(1.5 * 10)), *calm[3:]]
    before, after = (corrected(100.0, UNSURE, KEY, observed).median for observed in (calm, busy))
    assert after / before < 1.1


def test_the_newest_runs_count():
    """A host that became twice as slow is estimated to be that after as many runs as count."""
    observed = [Observed(KEY, math.log(2))] * 8 + [Observed(KEY, 0.0)] * 20
    assert corrected(100.0, UNSURE, KEY, observed).median == pytest.approx(200, rel=0.1)


def test_a_sum_has_the_mean_of_its_parts_and_a_spread_between_apart_and_together():
    parts = [Seconds.about(20, 0.4), Seconds.about(60, 0.3), Seconds.about(5, 0.8)]
    rng = np.random.default_rng(1)
    apart = sum(rng.lognormal(part.log_median, part.deviation, 200_000) for part in parts)
    z = rng.normal(size=200_000)
    together = sum(np.exp(part.log_median + part.deviation * z) for part in parts)
    whole = total(parts)
    assert whole.mean == pytest.approx(apart.mean(), rel=0.01)
    assert apart.std() < whole.spread < together.std()
    assert total([]).median < 1e-3 and total(parts[:1]).median == pytest.approx(20)


@pytest.mark.parametrize("elapsed", [0.5, 15, 40, 90])
def test_what_is_left_is_that_of_runs_that_have_not_ended(elapsed):
    whole = Seconds.about(30, 0.5)
    draws = np.random.default_rng(2).lognormal(whole.log_median, whole.deviation, 400_000)
    left = draws[draws > elapsed] - elapsed
    stated = whole.left(elapsed)
    assert stated.median == pytest.approx(np.median(left), rel=0.05, abs=0.6)
    assert stated.high / stated.low == pytest.approx(np.quantile(left, 0.9) / np.quantile(left, 0.1), rel=0.4)
    assert 0 < stated.low < stated.median < stated.high


def test_what_is_left_never_ends_while_it_runs():
    left = [Seconds.about(30, 0.4).left(elapsed).median for elapsed in (1000, 10_000, 1e6)]
    assert all(0 < one < 30 for one in left)
