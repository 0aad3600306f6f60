"""Times in tables of foreign files."""

import numpy as np
import pandas as pd
import pytest

from moola_core.market.times import parse_times
from moola_core.specs import ReadOptions


@pytest.mark.parametrize("far", [1e300, np.inf, -np.inf, 1e20])
def test_numbers_beyond_all_times_are_no_times(far):
    times, _ = parse_times(pd.Series([1.7e9, 1.7e9 + 60, far]), ReadOptions(), "file")
    assert times[0] == np.datetime64("2023-11-14T22:13:20") and np.isnat(times).tolist() == [False, False, True]


def test_whole_nanoseconds_keep_every_digit_beside_one_that_does_not_fit():
    exact = 1_700_000_000_123_456_789
    times, _ = parse_times(pd.Series([exact, exact, 2**64 - 1], dtype="uint64"), ReadOptions(), "file")
    assert times[0].astype("int64") == exact and np.isnat(times[2])
