"""Several contracts in one file: one is kept, or they are joined where the volume moves on."""

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.specs import ReadOptions
from tests.market.generated_files import walk

PRICES = ["open", "high", "low", "close"]
DAYS, A_DAY = 6, 60


@pytest.fixture
def mixed(tmp_path):
    """Six days of two contracts and their spread at the same times; on the fourth day the second one gets more volume."""
    rng = np.random.default_rng(0)
    times = np.concatenate(
        [pd.date_range(f"2024-03-{day:02d} 14:30", periods=A_DAY, freq="min") for day in range(11, 11 + DAYS)]
    )
    prices = walk(rng, len(times), 16800.0)
    day = np.repeat(np.arange(DAYS), A_DAY)
    tables = {
        "NQH4": (prices, np.where(day < 3, 500, 50)),
        "NQM4": (prices + 210, np.where(day < 3, 50, 500)),
        "NQH4-NQM4": (walk(rng, len(times), 200.0), np.full(len(times), 9000)),
    }
    parts = [
        pd.DataFrame(values, columns=PRICES).assign(time=times, symbol=name, volume=volume)
        for name, (values, volume) in tables.items()
    ]
    path = tmp_path / "b.parquet"
    pd.concat(parts).sort_values("time", kind="stable").to_parquet(path, index=False)
    return path, times, prices, day


def test_contracts_are_joined_the_day_after_the_volume_moved(mixed):
    path, times, prices, day = mixed
    bars = load_bars(path, ReadOptions(tz="UTC", stamp="start", roll="volume"))
    second = day >= 4  # the volume of the day before decides: it is known when the day starts
    assert np.array_equal(bars.time, times) and bars.rolls.tolist() == [4 * A_DAY]
    assert np.allclose(bars.ohlc, prices + np.where(second, 210, 0)[:, None])
    assert "joined by volume, with 1 rolls" in " ".join(bars.report.warnings)


def test_prices_before_a_roll_are_shifted_where_that_is_wanted(mixed):
    path, _, prices, _ = mixed
    bars = load_bars(path, ReadOptions(tz="UTC", stamp="start", roll="volume", adjust=True))
    jump = prices[4 * A_DAY, 0] - prices[4 * A_DAY - 1, 3]  # what the market itself moved is taken out with it
    assert np.allclose(bars.ohlc[4 * A_DAY :], prices[4 * A_DAY :] + 210)
    assert np.allclose(bars.ohlc[: 4 * A_DAY], prices[: 4 * A_DAY] + 210 + jump)


def test_one_contract_is_kept_and_an_unknown_one_is_named(mixed):
    path, times, prices, _ = mixed
    bars = load_bars(path, ReadOptions(tz="UTC", stamp="start", contract="NQM4"))
    assert np.array_equal(bars.time, times) and np.allclose(bars.ohlc, prices + 210) and not len(bars.rolls)
    with pytest.raises(DataError, match=r"no contract NQU4 in it; it has NQH4, NQM4, NQH4-NQM4"):
        load_bars(path, ReadOptions(tz="UTC", contract="NQU4"))
