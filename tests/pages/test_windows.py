from __future__ import annotations

import base64

import numpy as np
import pandas as pd
import pytest

from moola_core.runs import flags
from moola_core.runs.flags import Flag, Labelled
from tests.app_samples import make_run, make_span_run
from tests.pages.conftest import button, say, sent, texts, viewers


@pytest.fixture
def run(dataset, store):
    return make_run(store, dataset)


def test_the_place_that_the_browser_reports_is_the_selected_window_and_in_the_url(show, run):
    """The steps are the browser's, which tests/browser makes; here its reports are given."""
    at = show("windows")
    first = sent(at)
    assert (first["at"], first["total"], first["windows"][0]["id"]) == (0, 117, "demo_0000")
    say(at, shown={"load": first["load"], "at": 4})
    assert at.session_state["window"] == at.query_params["window"] == "demo_0004"
    again = sent(at)
    assert (again["load"], again["at"], again["content"]) == (first["load"], 0, first["content"]), "it is not sent back"
    for nonsense in (
        {"load": "old", "at": 9},
        {"load": first["load"], "at": 117},
        {"load": first["load"], "at": "x"},
        7,
    ):
        say(at, shown=nonsense)
        assert not at.exception and at.session_state["window"] == "demo_0004"


def test_flags_and_comments_are_kept_listed_and_filtered(show, run, store, dataset):
    at = show("windows")
    assert "No window is flagged" in texts(at)
    say(at, edits={"drawn": "here", "list": [[1, "demo_0002", True, ""], [2, "demo_0005", False, "late?"]]})
    assert sent(at)["flags"] == {"demo_0002": [True, ""], "demo_0005": [False, "late?"]}
    assert at.dataframe[0].value["window_id"].tolist() == ["demo_0002", "demo_0005"]
    assert any(item.proto.label == "Export the list" for item in at.get("download_button"))
    # What was said once counts once, though the browser says it with each later flag.
    flags.note(store, Labelled("elsewhere", str(dataset)), {"demo_0002": Flag()})
    say(at, edits={"drawn": "here", "list": [[1, "demo_0002", True, ""], [3, "demo_0007", True, ""]]})
    assert set(sent(at)["flags"]) == {"demo_0005", "demo_0007"}
    at = show("windows", noted="flagged")
    assert [one["id"] for one in sent(at)["windows"]] == ["demo_0007"]


@pytest.mark.parametrize(
    ("asked", "window"),
    [("demo_0042", "demo_0042"), ("7", "demo_0006"), ("demo_01", "demo_0100"), ("time", "demo_0003")],
)
def test_a_window_is_gone_to_by_its_id_its_number_or_a_time(show, run, dataset, asked, window):
    if asked == "time":
        start = pd.read_parquet(dataset).set_index("window_id")["start_time"]["demo_0003"]
        asked = str((start + pd.Timedelta(minutes=1)).tz_convert("America/New_York").tz_localize(None))
    at = show("windows")
    next(item for item in at.text_input if item.label.startswith("Go to")).set_value(asked).run()
    assert at.session_state["window"] == window
    chunk = sent(at)
    assert chunk["windows"][chunk["at"] - chunk["first"]]["id"] == window


def test_a_window_that_is_not_there_is_not_gone_to(show, run):
    at = show("windows")
    next(item for item in at.text_input if item.label.startswith("Go to")).set_value("nowhere").run()
    assert "No window here is nowhere" in texts(at) and at.session_state["window"] == "demo_0000"


def test_the_url_chooses_window_and_filters(show, run, dataset):
    table = pd.read_parquet(dataset)
    wanted = table[(table["label"] == "retracement") & (table["grade"] == "B")]["window_id"].astype(str)
    at = show("windows", window=wanted.iloc[3], true="retracement", grade="B")
    assert at.session_state["window"] == wanted.iloc[3]
    assert (sent(at)["at"], sent(at)["total"]) == (3, len(wanted))


def test_values_of_a_link_that_are_not_understood_are_named_and_ignored(show, run):
    at = show("windows", true="no such class", error="many", order="sideways")
    assert at.session_state["true"] == "" and at.session_state["error"] == 0 and at.session_state["order"] == "file"
    said = " ".join(item.value for item in at.warning).replace("\\", "")
    assert "true=no such class" in said and "error=many" in said and "order=sideways" in said
    assert "a whole number from 0 to 60" in said and len(viewers(at)) == 1
    assert not {"true", "error", "order"} & set(at.query_params)


@pytest.mark.parametrize("error", ["²", "٣", "-1", "1e3", "9" * 5000, "61", "0x1", "1_0", "\x00", " "])
def test_a_number_in_a_link_that_is_none_does_not_break_the_page(show, run, error):
    at = show("windows", error=error)
    assert at.session_state["error"] == 0 and len(viewers(at)) == 1
    assert bool(at.warning) == bool(error.strip())


def test_a_link_to_a_window_that_is_not_there_shows_no_other_window(show, run):
    at = show("windows", window="gone")
    assert "There is no window gone in this dataset" in texts(at) and not viewers(at)
    button(at, "Show the first window").click().run()
    assert not at.exception and len(viewers(at)) == 1


def test_a_link_to_a_window_that_its_filters_leave_out_says_so(show, run, dataset):
    table = pd.read_parquet(dataset)
    wanted = str(table[table["label"] == "retracement"]["window_id"].iloc[2])
    at = show("windows", window=wanted, true="consolidation")
    assert "does not pass these filters" in texts(at) and not viewers(at)
    button(at, "Drop the filters").click().run()
    assert at.session_state["window"] == wanted and len(viewers(at)) == 1


def test_wrong_windows_are_those_that_the_predictions_say(show, run):
    predictions = run.predictions
    wrong = predictions[predictions["label"] != predictions["predicted"]]["window_id"].unique()
    at = show("windows", outcome="wrong")
    chunk = sent(at)
    assert {one["id"] for one in chunk["windows"]} == set(wrong) and chunk["total"] == len(wrong)
    assert all(one["outcome"] == "wrong" for one in chunk["windows"])
    assert all(int(mark, 16) & 1 for mark in chunk["marks"]) and len(chunk["marks"]) == len(wrong)


def test_no_window_passes_the_filters(show, run):
    at = show("windows", error="60")
    assert "No window passes" in texts(at)
    button(at, "Drop the filters").click().run()
    assert not at.exception and len(viewers(at)) == 1


def numbers(text: str, kind: str = "<f4") -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def test_the_viewer_gets_candles_pointers_and_the_bars_around_a_window(show, run, dataset):
    chunk = sent(show("windows", outcome="right"))
    one = chunk["windows"][5]
    table = pd.read_parquet(dataset).set_index("window_id").loc[one["id"]]
    prices = numbers(one["prices"]).reshape(-1, 4) + one["base"]
    own = slice(one["before"], one["before"] + 105)
    assert prices[own] == pytest.approx(np.array(table["features"].tolist(), float), abs=0.01)
    assert one["before"] == 40 and len(prices) == 105 + 80
    seconds = one["start"] + numbers(one["times"], "<i4").astype(np.int64)
    assert seconds[one["before"]] == table["start_time"].timestamp()
    bars = pd.read_parquet(dataset.with_name("bars.parquet"))
    around = bars[bars["time"].isin(pd.to_datetime(seconds, unit="s", utc=True))]
    assert prices == pytest.approx(around[["open", "high", "low", "close"]].to_numpy(), abs=0.01)
    assert one["true"] == [table["expansion_start"], table["expansion_end"]] and len(one["predicted"]) == 2
    assert one["strips"] is None and one["swings"] == [], "they are off at first"


def test_strips_and_swings_are_sent_when_they_are_switched_on(show, run):
    at = show("windows")
    for label in ("Feature strips", "Swing marks"):
        next(item for item in at.toggle if item.label == label).set_value(True).run()
    chunk = sent(at)
    assert len(numbers(chunk["windows"][0]["strips"])) == 105 * len(chunk["names"])
    assert all(kind in (0, 1) and 0 <= bar < 105 for kind, bar in chunk["windows"][0]["swings"])


def test_times_are_those_of_the_exchange(show, run):
    assert sent(show("windows"))["zone"] == "America/New_York"


def test_a_model_of_spans_shows_each_bar_the_runners_up_and_its_stated_probability(show, dataset, store):
    run = make_span_run(store, dataset)
    window = run.predictions["window_id"].iloc[0]
    stated = run.predictions.query("window_id == @window and repeat == 1")["p_span"].item()
    at = show("windows", run=run.id, window=window, repeat="1")
    chunk = sent(at)
    one = chunk["windows"][chunk["at"] - chunk["first"]]
    assert one["stated"] == pytest.approx([stated] * 3) and one["scores"]["stated"] == pytest.approx([stated])
    spans = run.table("spans", [window]).to_pandas().query("repeat == 1")
    runner_up = spans[spans["rank"] == 1].iloc[0]
    assert [runner_up["start"], runner_up["end"], pytest.approx(runner_up["p"])] in one["scores"]["runners"]
    next(item for item in at.toggle if item.label == "Probability of each bar").set_value(False).run()
    assert all(one["scores"] is None for one in sent(at)["windows"])


def test_repeats_are_averaged(show, dataset, store):
    run = make_span_run(store, dataset)
    window = run.predictions["window_id"].iloc[0]
    per_bar = run.table("per_bar", [window]).to_pandas()
    chunk = sent(show("windows", run=run.id, window=window))
    shown = numbers(chunk["windows"][chunk["at"] - chunk["first"]]["scores"]["bars"]).reshape(105, 3)
    expected = per_bar.groupby("bar")[["p_start", "p_end", "p_inside"]].mean()
    assert shown == pytest.approx(expected.to_numpy(), abs=1e-6)


def test_a_network_has_no_probabilities_of_bars_and_no_switch_for_them(show, run):
    at = show("windows", run=run.id, outcome="right")
    assert [item.label for item in at.toggle] == ["Feature strips", "Swing marks"]
    assert all(one["scores"] is None and one["stated"] is None for one in sent(at)["windows"])
