"""Labelled windows that are known to lie in bars which are given alone, and what is left for pre-training without them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError
from moola_core.market.frames import bars_frame, windows_frame
from moola_core.market.known import first_bars, known_windows
from moola_core.market.unlabelled import LEAST_WINDOWS, HeldOut, as_windows, candidates, reach_bars, refuse_too_few
from moola_core.specs import Pretrain, change


def written(folder, name, table):
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / name, index=False)
    return folder / name


def untimed(windows):
    return windows_frame(windows).drop(columns="start_time", errors="ignore")


def test_windows_anywhere_in_the_data_folder_and_labels_of_these_bars_are_known(demo, tmp_path):
    half = demo.windows.select(np.arange(0, len(demo.windows), 2))
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    bars = written(elsewhere, "bars.parquet", bars_frame(demo.bars))
    far = written(data / "a" / "b", "cut.parquet", untimed(half))
    found = known_windows(demo.bars, bars, data)
    assert list(found.files) == [far.resolve()] and not found.unread
    assert np.array_equal(found.first(105), np.unique(half.position))
    other = dataclasses.replace(demo.bars, ohlc=demo.bars.ohlc[::-1].copy())
    assert not known_windows(other, bars, data).files, "windows of another market are not in these bars"
    times = pd.DataFrame({"start_time": demo.bars.time[demo.windows.position].astype(str), "label": demo.windows.label})
    (elsewhere / "labels.csv").write_text(times.assign(start_time=times["start_time"] + "Z").to_csv(index=False))
    both = known_windows(demo.bars, bars, data)
    assert len(both.files) == 2 and np.array_equal(both.first(105), np.unique(demo.windows.position))


def test_labels_without_prices_do_not_count_for_bars_of_another_folder(demo, tmp_path):
    """Their times lie in these bars too, but they were made for others."""
    data = tmp_path / "data"
    ours = written(data / "ours", "bars.parquet", bars_frame(demo.bars))
    written(data / "theirs", "bars.parquet", bars_frame(demo.bars))
    times = pd.DataFrame({"start_time": demo.bars.time[demo.windows.position].astype(str), "label": demo.windows.label})
    (data / "theirs" / "labels.csv").write_text(times.assign(start_time=times["start_time"] + "Z").to_csv(index=False))
    assert known_windows(demo.bars, data / "theirs" / "bars.parquet", data).files
    found = known_windows(demo.bars, ours, data)
    assert not found.files and "none could be left out" in " ".join(found.notes(excluded=True))
    assert found.notes(excluded=False) == []


def test_a_label_file_that_cannot_be_read_is_named(demo, tmp_path):
    bars = written(tmp_path, "bars.parquet", bars_frame(demo.bars))
    table = untimed(demo.windows)
    table.loc[3, "expansion_end"] = 1000
    path = written(tmp_path, "windows.parquet", table)
    notes = known_windows(demo.bars, bars, tmp_path / "data").notes(excluded=True)
    assert str(path) in notes[0] and "pointer lies outside" in notes[0] and "none could be left out" in notes[1]


@pytest.mark.parametrize("length", [60, 105, 150, 320])
def test_labelled_windows_of_any_length_are_left_out_whole(demo, length):
    """Bar by bar: no window that pre-training may see holds a bar of a labelled one, whatever the two lengths are."""
    spec = change(Pretrain(), {"stride_bars": 13})
    start = np.random.default_rng(length).choice(len(demo.bars) - length, 40, replace=False)
    taken = np.zeros(len(demo.bars), bool)
    for at in start:
        taken[at : at + length] = True
    train, valid, counts = candidates(demo.bars, spec, as_windows(start, length, spec.sampling.window_bars))
    reach = reach_bars(spec)
    assert counts["labelled"] > 0 and len(train) and len(valid)
    assert not any(taken[first : first + reach].any() for first in (*train, *valid))
    longer = [dataclasses.replace(demo.windows, prices=np.zeros((1, length, 4)), position=start)]
    assert np.array_equal(first_bars(longer, 105), as_windows(start, length, 105))


def test_the_choices_of_a_refusal_leave_as_many_windows_as_they_say(demo):
    """Each setting that the refusal offers is tried: afterwards so many windows are left, and no fewer than are needed."""
    labelled = first_bars([demo.windows], 105)
    for changes in (
        {"stride_bars": 40},
        {"stride_bars": 60, "keep": "active"},
        {"stride_bars": 104, "valid_frac": 0.3},
    ):
        spec = change(Pretrain(), changes)
        with pytest.raises(DataError) as caught:
            refuse_too_few(demo.bars, spec, HeldOut(labelled), "pretrain.")
        offers = caught.value.hint.removeprefix("These settings would leave enough: ").split("; ")
        assert "pretrain.sampling." in offers[0] and "more bars" in caught.value.hint
        for offer in offers:
            named, _, rest = offer.partition(" (")
            given = dict(pair.removeprefix("pretrain.").split("=") for pair in named.split(" with "))
            changed = change(spec, given)
            refuse_too_few(demo.bars, changed, HeldOut(labelled))
            train, valid, _ = candidates(demo.bars, changed, labelled)
            share = changed.sampling.keep_frac if changed.sampling.keep != "all" else 1.0
            count = int(rest.split()[0])
            assert count == round(len(train) * share) + round(len(valid) * share) >= LEAST_WINDOWS
