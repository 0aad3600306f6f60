from __future__ import annotations

import json
import shutil

import pytest

from tests.app_samples import make_run
from tests.pages.conftest import button, sent, texts


@pytest.fixture
def run(dataset, store):
    return make_run(store, dataset)


def test_metrics_have_spread_and_the_majority_beside_them(show, run):
    mean, spread, majority = "1", "4", "5"  # numbers of the columns
    table = show("results").dataframe[0].value.set_index("0")
    stored = run.result("evaluation")
    assert table.loc["Macro F1", mean] == stored["metrics"]["f1_macro"]["mean"]
    assert table.loc["Accuracy", spread] == stored["metrics"]["accuracy"]["std"]
    assert table.loc["Accuracy", majority] == stored["majority"]["accuracy"]
    assert table.loc["Recall, retracement", mean] == stored["metrics"]["recall"]["retracement"]["mean"]


@pytest.mark.parametrize(("place", "repeat"), [(0, "all"), (2, "1")])
def test_a_click_on_a_cell_opens_exactly_its_windows(show, run, place, repeat):
    at = show("results")
    at.session_state["confusion-repeat"] = place
    at.run()
    at.session_state[f"confusion-repeat-{place}-confusion"] = {"selection": {"points": [{"point_index": 1}]}}
    at.run()
    assert not at.exception and at.title[0].value == "Windows"
    rows = run.predictions
    rows = rows[(rows["label"] == "consolidation") & (rows["predicted"] == "retracement")]
    rows = rows if repeat == "all" else rows[rows["repeat"] == 1]
    assert {one["id"] for one in sent(at)["windows"]} == set(rows["window_id"])
    assert (at.query_params["true"], at.query_params["predicted"]) == ("consolidation", "retracement")


def test_the_cells_are_buttons_too(show, run):
    at = show("results")
    cell = "true consolidation, predicted retracement"
    next(one for one in at.button if one.label.startswith(cell)).click().run()
    assert not at.exception and at.title[0].value == "Windows"
    assert (at.query_params["true"], at.query_params["predicted"]) == ("consolidation", "retracement")


def test_the_squares_hold_the_stored_counts(show, run):
    specs = [json.loads(chart.proto.spec) for chart in show("results").get("plotly_chart")]
    cells = next(s["data"][0]["customdata"] for s in specs if s["data"][0].get("marker", {}).get("symbol") == "square")
    counts = run.result("evaluation")["confusions"][0]["counts"]
    assert [cell[2] for cell in cells] == [value for row in counts for value in row]


def test_constant_folds_are_warned_of(show, dataset, store):
    make_run(store, dataset, constant=True)
    at = show("results")
    assert "10 of 10 folds predicted one class" in at.warning[0].value


def test_the_windows_with_the_largest_error_are_one_click_away(show, run):
    at = show("results")
    button(at, "See the windows with the largest error").click().run()
    assert at.session_state["order"] == "error" and at.title[0].value == "Windows"
    assert "Windows" in texts(at)


def test_the_settings_of_a_run_are_kept_as_a_preset(show, dataset, store):
    run = make_run(store, dataset)
    at = show("results", run=run.id)
    button(at, "Keep").click().run()
    assert "cannot be the name of a preset" in texts(at)
    at.text_input(key=f"preset_name_{run.id}").set_value("quick").run()
    button(at, "Keep").click().run()
    assert "preset of moola's own" in texts(at)
    at.text_input(key=f"preset_name_{run.id}").set_value("mine").run()
    button(at, "Keep").click().run()
    path = dataset.parents[1] / "presets" / "mine.json"
    try:
        assert run.id in path.read_text(encoding="utf-8") and any("mine" in one.value for one in at.success)
    finally:
        shutil.rmtree(path.parent)
