"""What a study would find, before any fit; benchmarks/power.py holds it against simulated studies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm, t

from moola_core.diagnostics.intervals import TWO_MODELS, estimate
from moola_core.diagnostics.power import ALIKE, power
from moola_core.diagnostics.results.power import PER_PRETRAINING, PER_REPEAT
from moola_core.errors import DataError
from moola_core.overlap import Overlap

N = 80
VALUES = np.random.default_rng(0).normal(0.6, 0.3, (3, N))
APART = Overlap.none(N)


def test_it_is_the_smallest_difference_of_the_rule_that_judges():
    """Written out from the variance over windows of the verdicts (docs/methods.md)."""
    found = power(VALUES, 0.6, APART)
    variance = ALIKE * (1.9 + 4 / N) * VALUES.mean(0).var(ddof=1) / N
    for arms in (1, 3):
        factor = t.ppf(1 - 0.025 / arms, N - 1) + norm.ppf(0.8)
        wanted = factor * np.sqrt(variance * (1 + PER_REPEAT / 5) + variance * PER_PRETRAINING / 3)
        assert found.smallest(N, 5, 3, arms) == pytest.approx(wanted)
    alone = estimate(VALUES, APART, TWO_MODELS)
    alike = replace(alone, of_windows=ALIKE * alone.of_windows * (1 + PER_REPEAT), of_repeats=0.0)
    assert found.smallest(N, 1, 0, 1) == pytest.approx(alike.resolvable())


def test_more_of_anything_finds_smaller_differences_and_more_arms_larger_ones():
    found = power(VALUES, 0.6, APART)
    now = found.smallest(N, 2, 2, 1)
    assert all(
        other < now
        for other in (found.smallest(2 * N, 2, 2, 1), found.smallest(N, 4, 2, 1), found.smallest(N, 2, 4, 1))
    )
    assert found.smallest(N, 2, 2, 3) > now > found.smallest(N, 2, 0, 1)
    assert found.smallest(4 * N, 2, 0, 1) == pytest.approx(found.smallest(N, 2, 0, 1) / 2)
    assert found.smallest(N, 2, 2, 99) == found.smallest(N, 2, 2, 12)


def test_windows_that_share_bars_find_larger_differences():
    chain = Overlap(np.zeros(N, int), 20 * np.arange(N), 105)
    assert power(VALUES, 0.6, chain).factors[0] > power(VALUES, 0.6, APART).factors[0]


def test_where_no_auroc_can_be_measured_it_says_so():
    with pytest.raises(DataError, match="no AUROC can be measured"):
        power(np.full((2, N), np.nan), 0.6, APART)
    with pytest.raises(DataError, match="share bars"):
        power(VALUES, 0.6, Overlap(np.zeros(N, int), np.zeros(N, int), 105))
