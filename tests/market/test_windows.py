import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError
from moola_core.market.windows import bar_spans, load_windows, locate, windows_from_arrays
from moola_core.specs import ReadOptions


def predecessor(demo, n=20):
    """A table in the predecessor's schema: no times, prices as nested lists."""
    windows = demo.windows.select(np.arange(n))
    return pd.DataFrame(
        {
            "label": windows.label,
            "expansion_start": windows.start.astype(int),
            "expansion_end": windows.end.astype(int),
            "features": [[list(bar) for bar in window] for window in windows.prices],
            "window_id": windows.window_id,
        }
    )


def test_the_predecessors_schema_loads_and_is_located(demo, tmp_path):
    predecessor(demo).to_parquet(tmp_path / "w.parquet")
    windows = load_windows(tmp_path / "w.parquet", bars=demo.bars)
    assert windows.prices.shape == (20, 105, 4) and windows.classes == ("consolidation", "retracement")
    assert np.array_equal(windows.position, demo.windows.position[:20])
    assert np.array_equal(windows.start_time, demo.bars.time[windows.position])
    assert np.array_equal(windows.start, demo.windows.start[:20])


def test_back_adjusted_bars_match_and_foreign_ones_do_not(demo):
    shifted = dataclasses.replace(demo.bars, ohlc=demo.bars.ohlc + 137.25)
    assert np.array_equal(locate(demo.windows, shifted).position, demo.windows.position)
    foreign = dataclasses.replace(demo.bars, ohlc=demo.bars.ohlc[::-1].copy())
    lost = locate(demo.windows, foreign)
    assert (lost.position == -1).all() and "were not found" in lost.report.warnings[-1]


def test_shared_bars_are_known_from_positions_times_or_prices_alike(demo):
    starts = [100, 150, 204, 309, 2000, 2050, 5000]
    prices = np.stack([demo.bars.ohlc[i : i + 105] for i in starts])
    label = ["a", "b"] * 3 + ["a"]
    by_price = bar_spans(windows_from_arrays(prices, label))
    timed = windows_from_arrays(prices, label, start_time=pd.Series(demo.bars.time[starts]).astype(str))
    by_time, by_position = bar_spans(timed), bar_spans(locate(timed, demo.bars))
    for series, first in (by_price, by_time, by_position):
        ways = list(zip(series.reshape(7, -1).T, first.reshape(7, -1).T, strict=True))
        share = [
            [a != b and any(s[a] == s[b] and abs(f[a] - f[b]) < 105 for s, f in ways) for b in range(7)]
            for a in range(7)
        ]
        assert share == [[a != b and abs(starts[a] - starts[b]) < 105 for b in range(7)] for a in range(7)]


def test_two_instruments_never_share_bars(demo):
    times = pd.Series(demo.bars.time[:2]).astype(str)
    windows = windows_from_arrays(
        demo.bars.ohlc[None, :105].repeat(2, 0) * [[[1]], [[2]]], ["a", "b"], start_time=times, instrument=["NQ", "ES"]
    )
    series, _ = bar_spans(windows)
    assert (series[0] != series[1]).all()


def test_null_pointers_are_kept_as_none(demo):
    table = predecessor(demo)
    table["expansion_start"] = table["expansion_start"].where(table.index % 2 == 0)
    windows = windows_from_arrays(
        np.stack([np.array(w) for w in table["features"]]),
        table["label"],
        expansion_start=table["expansion_start"],
        expansion_end=table["expansion_end"],
    )
    assert windows.has_pointer.sum() == 10 and np.isnan(windows.end[1])


def test_other_lengths_and_more_classes(demo):
    prices = np.stack([demo.bars.ohlc[i : i + 60] for i in range(0, 600, 60)])
    windows = windows_from_arrays(prices, ["a", "b", "c", "a", "b"] * 2)
    assert windows.bars == 60 and windows.classes == ("a", "b", "c")
    for length in (9, 501):
        with pytest.raises(DataError, match="10 to 500"):
            windows_from_arrays(np.ones((2, length, 4)), ["a", "b"])
    with pytest.raises(DataError, match="Two or more classes"):
        windows_from_arrays(prices, ["a"] * 10)


BROKEN = {
    "does not have 105 bars": lambda t: t.at[3, "features"].pop(),
    "pointer lies outside": lambda t: t.__setitem__("expansion_end", t["expansion_end"].where(t.index != 3, 105)),
    "ends before it starts": lambda t: t.__setitem__("expansion_end", t["expansion_end"].where(t.index != 3, 2)),
    "occurs twice": lambda t: t.__setitem__("window_id", t["window_id"].where(t.index != 3, t["window_id"][4])),
    "has no label": lambda t: t.__setitem__("label", t["label"].where(t.index != 3)),
    "high is below the body": lambda t: t.at[3, "features"][50].__setitem__(1, 1.0),
    "missing or infinite": lambda t: t.at[3, "features"][50].__setitem__(0, float("nan")),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_window_is_named_or_dropped(demo, tmp_path, rule):
    table = predecessor(demo)
    BROKEN[rule](table)
    path = tmp_path / "w.parquet"
    table.to_parquet(path)
    with pytest.raises(DataError, match=rule) as caught:
        load_windows(path)
    assert str(table["window_id"][3]) in str(caught.value) and "w.parquet" in str(caught.value)
    dropped = load_windows(path, ReadOptions(repair="drop"))
    assert len(dropped) == (18 if rule == "occurs twice" else 19) and "Dropped" in dropped.report.warnings[0]


def test_class_names_may_be_mapped(demo, tmp_path):
    table = predecessor(demo).replace({"label": {"consolidation": "0", "retracement": "1"}})
    table.to_parquet(tmp_path / "w.parquet")
    windows = load_windows(tmp_path / "w.parquet", ReadOptions(class_map={"0": "consolidation"}))
    assert windows.classes == ("1", "consolidation")


def label_rows(demo, n=12):
    at = demo.windows.position[:n]
    spans = [demo.windows.start[:n].astype(int), demo.windows.end[:n].astype(int)]
    return at, pd.DataFrame(
        {
            "start_time": pd.Series(demo.bars.time[at]).astype(str),
            "label": demo.windows.label[:n],
            "expansion_start": spans[0],
            "expansion_end": spans[1],
        }
    )


@pytest.mark.parametrize("kind", ["numbers", "times", "parquet"])
def test_labels_without_prices_are_cut_from_bars(demo, tmp_path, kind):
    at, table = label_rows(demo)
    if kind == "times":
        for name in ("expansion_start", "expansion_end"):
            table[name] = pd.Series(demo.bars.time[at + table[name].to_numpy()]).astype(str)
    path = tmp_path / ("l.parquet" if kind == "parquet" else "l.csv")
    table.to_parquet(path) if kind == "parquet" else table.to_csv(path, index=False)
    windows = load_windows(path, ReadOptions(tz="UTC"), demo.bars)
    assert np.array_equal(windows.prices, demo.windows.prices[:12])
    assert np.array_equal(windows.start, demo.windows.start[:12]) and np.array_equal(windows.end, demo.windows.end[:12])


def test_rows_that_match_no_bars_are_listed(demo, tmp_path):
    _, table = label_rows(demo)
    table.loc[2, "start_time"] = "1999-01-01 00:00:00"
    table.to_csv(tmp_path / "l.csv", index=False)
    windows = load_windows(tmp_path / "l.csv", ReadOptions(tz="UTC"), demo.bars)
    assert len(windows) == 11 and "row 2 (1999-01-01T00:00)" in windows.report.warnings[0]
    with pytest.raises(DataError, match="--bars"):
        load_windows(tmp_path / "l.csv", ReadOptions(tz="UTC"))


def test_label_studio_exports_load(demo, tmp_path):
    at, table = label_rows(demo)
    tasks = [{"id": 0, "data": {"start_time": "x"}, "annotations": []}]
    for i, row in table.iterrows():
        moments = [str(demo.bars.time[at[i] + row[name]]) for name in ("expansion_start", "expansion_end")]
        region = {"value": {"start": moments[0], "end": moments[1], "timeserieslabels": ["expansion"]}}
        choice = {"value": {"choices": [row["label"]]}}
        tasks.append(
            {
                "id": i + 1,
                "data": {"start_time": row["start_time"], "grade": "B"},
                "annotations": [{"result": [choice, region]}],
            }
        )
    (tmp_path / "ls.json").write_text(json.dumps(tasks))
    windows = load_windows(tmp_path / "ls.json", ReadOptions(tz="UTC"), demo.bars)
    assert np.array_equal(windows.start, demo.windows.start[:12]) and set(windows.grade) == {"B"}
    for bad in ("{}", "[", "[]"):
        (tmp_path / "bad.json").write_text(bad)
        with pytest.raises(DataError, match=r"holds no rows|cannot be read as JSON"):
            load_windows(tmp_path / "bad.json", ReadOptions(tz="UTC"), demo.bars)


def test_windows_across_a_gap_stay_marked(demo):
    edge = demo.bars.gaps[0].after
    prices = np.stack([demo.bars.ohlc[i : i + 105] for i in (edge - 50, edge + 1)])
    windows = locate(windows_from_arrays(prices, ["a", "b"]), demo.bars)
    assert windows.spans_gap.tolist() == [True, False]


def test_the_content_hash_follows_labels_pointers_and_prices(demo):
    one = demo.windows.select(np.arange(10))
    assert one.content_hash == demo.windows.select(np.arange(10)).content_hash
    other = dataclasses.replace(one, label=np.roll(one.label, 1))
    assert len({one.content_hash, other.content_hash, demo.windows.content_hash}) == 3
