from __future__ import annotations

import numpy as np
import pytest

from moola_core.diagnostics.slices import describe, errors
from moola_core.market.windows import load_windows
from tests.app_samples import make_data, make_predictions


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    path = make_data(tmp_path_factory.mktemp("data"))
    return load_windows(path).trainable(("D",))[0], make_predictions(path)


def test_slices_are_the_metrics_of_their_windows(market):
    windows, predictions = market
    found = errors(predictions, windows)
    rows = {(row.by, row.value): row for row in found.slices}
    assert {"grade", "hour", "volatility", "expansion"} <= {by for by, _ in rows} and ("volatility", "low") in rows
    for grade in set(windows.grade):
        part = predictions[predictions["window_id"].isin(windows.window_id[windows.grade == grade])]
        row = rows[("grade", grade)]
        assert row.n == (windows.grade == grade).sum()
        assert (
            row.accuracy == pytest.approx((part["predicted"] == part["label"]).mean())
            and row.low <= row.accuracy <= row.high
        )
        off = (part["start_pred"] + part["end_pred"] - part["start_true"] - part["end_true"]).abs() / 2
        assert row.center_mae_bars == pytest.approx(off.mean()) and row.center_low <= off.mean() <= row.center_high


def test_thirds_are_thirds_and_hours_are_the_exchange_s(market):
    windows, _ = market
    table = describe(windows, "America/New_York")
    assert table["volatility"].value_counts().tolist() == [20, 20, 20]
    first = np.datetime_as_string(windows.start_time[0], "h")
    assert table["hour"][0] == f"{(int(first[-2:]) - 4) % 24:02d}:00"  # summer time


def test_sessions_are_slices_with_the_metrics_of_their_windows(market):
    windows, predictions = market
    rows = {row.value: row for row in errors(predictions, windows).slices if row.by == "session"}
    clock = (windows.start_time - np.timedelta64(4, "h")).astype("datetime64[m]").astype(int) % 1440  # summer time
    last = clock + windows.bars - 1
    regular, outside = (clock >= 570) & (last < 960), (last < 570) | (clock >= 960)
    parts = {"regular hours": regular, "overnight": outside, "both": ~regular & ~outside}
    assert rows and {name: row.n for name, row in rows.items()} == {
        n: int(p.sum()) for n, p in parts.items() if p.any()
    }
    for name, row in rows.items():
        part = predictions[predictions["window_id"].isin(windows.window_id[parts[name]])]
        assert row.accuracy == pytest.approx((part["predicted"] == part["label"]).mean())
    assert not any(row.by == "session" for row in errors(predictions, windows, "Asia/Tokyo").slices)


def test_the_most_confident_errors_come_first(market):
    windows, predictions = market
    found = errors(predictions, windows).confident
    assert len(found) > 3 and all(row.label != row.answer for row in found)
    assert [row.p_answer for row in found] == sorted((row.p_answer for row in found), reverse=True)


def test_a_flipped_label_is_worth_a_second_look_where_the_models_can_tell(market):
    windows, predictions = market
    sure = predictions.copy()
    truth = (sure["label"] == "retracement").astype(float)
    sure["p_retracement"], sure["p_consolidation"] = 0.1 + 0.8 * truth, 0.9 - 0.8 * truth
    flipped = sure["window_id"].iloc[0]
    sure.loc[sure["window_id"] == flipped, "label"] = "consolidation" if truth.iloc[0] else "retracement"
    found = errors(sure, windows)
    assert [row.window_id for row in found.second_look] == [flipped] and found.second_look_note == ""


def test_where_the_models_cannot_tell_no_label_is_doubted(market):
    windows, predictions = market
    blind = predictions.copy()
    blind["p_retracement"] = np.random.default_rng(0).random(len(blind))
    blind["p_consolidation"] = 1 - blind["p_retracement"]
    found = errors(blind, windows)
    assert found.second_look == () and "below 0.65" in found.second_look_note


def test_pointers_alone_have_slices_and_no_suspects(market):
    windows, predictions = market
    alone = predictions.drop(columns=["p_retracement", "p_consolidation"]).assign(predicted=None)
    found = errors(alone, windows)
    assert (
        found.slices[0].accuracy is None
        and found.slices[0].center_mae_bars > 0
        and "no probabilities" in found.second_look_note
    )
