from __future__ import annotations

import json

import pandas as pd
import pytest

from tests.app_samples import make_run
from tests.pages.conftest import button, texts


@pytest.fixture
def run(dataset, store):
    return make_run(store, dataset)


def test_next_and_previous_step_through_the_windows_and_the_url_follows(show, run):
    at = show("windows")
    first = at.session_state["window"]
    button(at, "Next").click().run()
    second = at.session_state["window"]
    assert second != first and at.query_params["window"] == second
    button(at, "Previous").click().run()
    assert at.session_state["window"] == first


def test_the_url_chooses_window_and_filters(show, run, dataset):
    table = pd.read_parquet(dataset)
    wanted = table[(table["label"] == "retracement") & (table["grade"] == "B")]["window_id"].astype(str)
    at = show("windows", window=wanted.iloc[3], true="retracement", grade="B")
    assert at.session_state["window"] == wanted.iloc[3]
    assert f"Window 4 of {len(wanted)}" in [box.label for box in at.selectbox]


def test_a_url_that_names_nothing_known_is_ignored(show, run):
    at = show("windows", window="gone", true="no such class", error="many")
    assert at.session_state["true"] == "" and at.session_state["error"] == 0
    assert at.session_state["window"] != "gone"


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
