"""Several contracts in one file: one is kept, or they are joined where the volume moves on."""

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import load_bars
from moola_core.market.questions import OpenQuestions
from moola_core.specs import ReadOptions
from tests.market.generated_files import walk
from tests.market.test_bars import frame, write

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


@pytest.mark.parametrize("column", ["symbol", "what"])
def test_instruments_one_after_the_other_at_prices_far_apart_are_no_roll(tmp_path, column):
    table = frame(200)
    table.loc[100:, ["open", "high", "low", "close"]] *= 4
    table[column] = ["ES"] * 100 + ["NQ"] * 100
    path = write(table, tmp_path / "b.csv")
    with pytest.raises(OpenQuestions, match=r"2 instruments at prices far apart: ES, NQ"):
        load_bars(path, ReadOptions(tz="UTC"))
    assert len(load_bars(path, ReadOptions(tz="UTC", stamp="start", contract="NQ"))) == 100
    table[column] = ["NQH4"] * 100 + ["NQM4"] * 100
    if column == "symbol":
        assert load_bars(write(table, path), ReadOptions(tz="UTC")).rolls.tolist() == [100]


def test_instruments_of_a_file_without_a_header_are_told_apart(tmp_path):
    table = frame(100)
    other = table.assign(**{name: table[name] / 4 for name in ("open", "high", "low", "close")})
    both = pd.concat([table.assign(symbol="NQ"), other.assign(symbol="ES")]).sort_index(kind="stable")
    both.to_csv(tmp_path / "b.csv", index=False, header=False)
    with pytest.raises(OpenQuestions, match="2 instruments at the same times"):
        load_bars(tmp_path / "b.csv", ReadOptions(tz="UTC"))
    bars = load_bars(tmp_path / "b.csv", ReadOptions(tz="UTC", contract="NQ"))
    assert np.array_equal(bars.ohlc, table[["open", "high", "low", "close"]].to_numpy())
