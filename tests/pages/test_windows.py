from __future__ import annotations

import base64
import json

import numpy as np
import pandas as pd
import pytest

from tests.app_samples import make_run, make_span_run
from tests.pages.conftest import button, texts


@pytest.fixture
def run(dataset, store):
    return make_run(store, dataset)


def test_steps_lead_through_the_windows_and_the_url_follows(show, run, monkeypatch):
    """The steps come from the browser, which tests/browser does; here they are given."""
    steps = iter([0, 1, 3, -5, 0])
    monkeypatch.setattr("moola_core.ui.stepper.taken", lambda: next(steps))
    at = show("windows")
    ids = [f"demo_{i:04d}" for i in range(117)]
    seen = []
    for _ in range(5):
        assert at.query_params["window"] == at.session_state["window"]
        seen.append(at.session_state["window"])
        if len(seen) < 5:
            at.run()
    assert seen == [ids[0], ids[1], ids[4], ids[-1], ids[-1]]


def test_the_url_chooses_window_and_filters(show, run, dataset):
    table = pd.read_parquet(dataset)
    wanted = table[(table["label"] == "retracement") & (table["grade"] == "B")]["window_id"].astype(str)
    at = show("windows", window=wanted.iloc[3], true="retracement", grade="B")
    assert at.session_state["window"] == wanted.iloc[3]
    assert f"Window 4 of {len(wanted)}" in [box.label for box in at.selectbox]


def test_values_of_a_link_that_are_not_understood_are_named_and_ignored(show, run):
    at = show("windows", true="no such class", error="many", order="sideways")
    assert at.session_state["true"] == "" and at.session_state["error"] == 0 and at.session_state["order"] == "file"
    said = " ".join(item.value for item in at.warning).replace("\\", "")
    assert "true=no such class" in said and "error=many" in said and "order=sideways" in said
    assert "a whole number from 0 to 60" in said and len(at.get("plotly_chart")) == 1
    assert not {"true", "error", "order"} & set(at.query_params)


@pytest.mark.parametrize("error", ["²", "٣", "-1", "1e3", "9" * 5000, "61", "0x1", "1_0", "\x00", " "])
def test_a_number_in_a_link_that_is_none_does_not_break_the_page(show, run, error):
    at = show("windows", error=error)
    assert at.session_state["error"] == 0 and len(at.get("plotly_chart")) == 1
    assert bool(at.warning) == bool(error.strip())


def test_a_link_to_a_window_that_is_not_there_shows_no_other_window(show, run):
    at = show("windows", window="gone")
    assert "There is no window gone in this dataset" in texts(at) and not at.get("plotly_chart")
    button(at, "Show the first window").click().run()
    assert not at.exception and len(at.get("plotly_chart")) == 1


def test_a_link_to_a_window_that_its_filters_leave_out_says_so(show, run, dataset):
    table = pd.read_parquet(dataset)
    wanted = str(table[table["label"] == "retracement"]["window_id"].iloc[2])
    at = show("windows", window=wanted, true="consolidation")
    assert "does not pass these filters" in texts(at) and not at.get("plotly_chart")
    button(at, "Drop the filters").click().run()
    assert at.session_state["window"] == wanted and len(at.get("plotly_chart")) == 1


def test_wrong_windows_are_those_that_the_predictions_say(show, run):
    predictions = run.predictions
    wrong = predictions[predictions["label"] != predictions["predicted"]]["window_id"].unique()
    at = show("windows", outcome="wrong")
    assert f"Window 1 of {len(wrong)}" in [box.label for box in at.selectbox]
    assert "wrong" in texts(at)


def test_no_window_passes_the_filters(show, run):
    at = show("windows", error="60")
    assert "No window passes" in texts(at)
    button(at, "Drop the filters").click().run()
    assert not at.exception and len(at.get("plotly_chart")) == 1


def test_the_chart_holds_both_pointers_swings_and_strips(show, run):
    at = show("windows", outcome="right")
    spec = json.loads(at.get("plotly_chart")[0].proto.spec)
    names = [trace.get("name") for trace in spec["data"]]
    assert {"price", "true expansion", "swing high", "swing low", "features"} <= set(names)
    assert len(spec["layout"]["shapes"]) == 3  # the true pointer, and one a repeat
    at.toggle[0].set_value(False).run()
    spec = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert "features" not in [trace.get("name") for trace in spec["data"]]


def test_times_are_those_of_the_exchange(show, run, dataset):
    start = pd.read_parquet(dataset)["start_time"].iloc[0]
    shown = pd.Timestamp(start).tz_convert("America/New_York").strftime("%a %d %b %Y %H:%M")
    assert any(caption.value.startswith(shown) and "New York" in caption.value for caption in show("windows").caption)


def drawn(at) -> tuple[set[str], dict]:
    spec = json.loads(at.get("plotly_chart")[0].proto.spec)
    return {trace.get("name") for trace in spec["data"]}, spec["layout"]


SCORES = {"start", "end", "inside", "runners-up"}


def test_a_model_of_spans_shows_each_bar_the_runners_up_and_its_stated_probability(show, dataset, store):
    run = make_span_run(store, dataset)
    window = run.predictions["window_id"].iloc[0]
    stated = run.predictions.query("window_id == @window and repeat == 1")["p_span"].item()
    at = show("windows", run=run.id, window=window, repeat="1")
    names, layout = drawn(at)
    assert names >= SCORES and f"{stated:.2f}" in layout["annotations"][0]["text"]
    assert f"Stated probability of a center within 3 bars: **{stated:.2f}**" in texts(at)
    spans = run.table("spans", window).to_pandas().query("repeat == 1")
    runner_up = spans[spans["rank"] == 1].iloc[0]
    bands = [(shape["x0"] + 0.5, shape["x1"] - 0.5) for shape in layout["shapes"]]
    assert (runner_up["start"], runner_up["end"]) in bands
    next(item for item in at.toggle if item.label == "Probability of each bar").set_value(False).run()
    names, layout = drawn(at)
    assert not names & SCORES and not layout.get("annotations")


def test_repeats_are_averaged(show, dataset, store):
    run = make_span_run(store, dataset)
    window = run.predictions["window_id"].iloc[0]
    per_bar = run.table("per_bar", window).to_pandas()
    spec = json.loads(show("windows", run=run.id, window=window).get("plotly_chart")[0].proto.spec)
    inside = next(trace for trace in spec["data"] if trace.get("name") == "inside")["y"]
    expected = per_bar.groupby("bar")["p_inside"].mean()
    shown = np.frombuffer(base64.b64decode(inside["bdata"]), inside["dtype"]) if isinstance(inside, dict) else inside
    assert shown == pytest.approx(expected.to_numpy())


def test_a_network_has_no_probabilities_of_bars_and_no_switch_for_them(show, run):
    at = show("windows", run=run.id, outcome="right")
    assert not drawn(at)[0] & SCORES and [item.label for item in at.toggle] == ["Feature strips"]
    assert "Stated probability" not in texts(at)
