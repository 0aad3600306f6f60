"""Tables of labels: how long the windows are, where their expansions end, what the columns are called."""

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError
from moola_core.market.bars import bars_from_arrays
from moola_core.market.windows import load_windows
from moola_core.specs import ReadOptions
from tests.market.generated_files import walk

TIMES = np.datetime64("2024-01-02T23:00", "ns") + np.arange(1500) * np.timedelta64(60, "s")
FIRST = np.arange(12) * 120 + 7
LABEL = np.array(["a", "b"])[np.arange(12) % 2]


@pytest.fixture(scope="module")
def bars():
    return bars_from_arrays(TIMES, walk(np.random.default_rng(0), 1500, 16800.0))


def read(folder, bars, reading=None, **columns):
    """Windows of a table with these columns next to starts and labels."""
    starts = [f"{moment}Z" for moment in TIMES[FIRST]]
    pd.DataFrame({"start_time": starts, "label": LABEL, **columns}).to_csv(folder / "l.csv", index=False)
    return load_windows(folder / "l.csv", reading or ReadOptions(), bars)


@pytest.mark.parametrize(
    ("name", "value"),
    [("n_bars", 60), ("duration_minutes", 60), ("duration_s", 3600), ("duration", "01:00:00"), ("Dauer", "60 min")],
)
def test_the_length_of_windows_in_any_unit(tmp_path, bars, name, value):
    windows = read(tmp_path, bars, **{name: value})
    assert windows.bars == 60 and windows.position.tolist() == FIRST.tolist()


@pytest.mark.parametrize(
    ("name", "value", "words"), [("duration", 60, "bars, minutes or seconds"), ("seconds", 90, "no whole number")]
)
def test_a_length_that_is_not_clear_is_refused(tmp_path, bars, name, value, words):
    with pytest.raises(DataError, match=words):
        read(tmp_path, bars, **{name: value})


def test_an_expansion_may_be_its_start_and_its_length(tmp_path, bars):
    windows = read(tmp_path, bars, expansion_start=FIRST * 0 + 20, expansion_length=np.arange(12) + 3)
    assert (windows.start == 20).all() and windows.end.tolist() == [20 + 2 + i for i in range(12)]


def test_half_an_expansion_is_named(tmp_path, bars):
    windows = read(tmp_path, bars, expansion_start=20)
    assert not windows.has_pointer.any()
    assert any("expansion_start and no expansion_end" in note for note in windows.report.warnings)


def test_german_names(tmp_path, bars):
    table = pd.DataFrame({"Beginn": TIMES[FIRST], "Ende": TIMES[FIRST + 105], "Klasse": LABEL})
    table.to_csv(tmp_path / "l.csv", index=False, sep=";")
    windows = load_windows(tmp_path / "l.csv", ReadOptions(tz="UTC"), bars)
    assert windows.position.tolist() == FIRST.tolist() and windows.label.tolist() == LABEL.tolist()


def test_a_file_without_starts_is_refused_with_the_names_that_it_has(tmp_path, bars):
    pd.DataFrame({"label": LABEL, "middle": TIMES[FIRST]}).to_csv(tmp_path / "l.csv", index=False)
    with pytest.raises(DataError, match="the file has label, middle"):
        load_windows(tmp_path / "l.csv", ReadOptions(), bars)
