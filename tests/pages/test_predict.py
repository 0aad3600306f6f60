from __future__ import annotations

import base64

import numpy as np
import pandas as pd
import pytest

from moola_core.runs.store import Store
from tests.app_samples import make_predicted, make_run, make_span_run
from tests.pages.conftest import button, say, sent, texts, viewers


def test_without_a_finished_run_the_page_says_what_to_do(show, store, dataset):
    assert "No finished fine-tuning run" in texts(show("predict"))
    run = make_run(store, dataset, "failed")
    assert "No finished fine-tuning run" in texts(show("predict", run=run.id))


def test_predicting_starts_a_child_run(show, store, dataset, monkeypatch):
    started: list = []
    monkeypatch.setattr("moola_core.launch.local.start", started.append)
    run = make_run(store, dataset)
    at = show("predict", run=run.id)
    assert "Nothing was predicted yet" in texts(at)
    button(at, "Predict").click().run()
    record = next(record for record in Store(store).runs() if record.kind == "predict")
    assert record.parent == run.id and len(started) == 1
    spec = Store(store).open(record.run_id).spec
    assert spec.data.bars and not spec.data.windows and spec.stride == 5


def test_expansions_are_walked_through(show, store, dataset):
    run = make_run(store, dataset)
    make_predicted(run, dataset.with_name("bars.parquet"))
    at = show("predict", run=run.id)
    data = sent(at)
    assert "70% of the windows over it agree" in data["expansions"][0]["text"]
    assert "Do not trust their predictions" in texts(at) and "too optimistic" in texts(at)
    assert data["expansions"][0]["text"].startswith("consolidation with 0.80")
    assert "Stated probability" not in data["expansions"][0]["text"]
    offered = [item.proto.label for item in at.get("download_button") if "Predictions" in item.proto.label]
    assert offered == [f"Predictions as {kind}" for kind in ("Parquet", "CSV", "tasks of Label Studio")]
    say(at, shown={"load": data["load"], "at": 1})
    assert at.query_params["expansion"] == "700" and not at.slider
    assert at.query_params["prediction"] == next(one.run_id for one in Store(store).runs() if one.kind == "predict")


def test_a_link_leads_to_its_expansion_and_a_time_to_the_next_one(show, store, dataset):
    run = make_run(store, dataset)
    bars = dataset.with_name("bars.parquet")
    make_predicted(run, bars)
    at = show("predict", run=run.id, expansion="700")
    assert sent(at)["at"] == 1
    go = next(item for item in at.text_input if item.label == "Go to a time")
    start = pd.read_parquet(bars)["time"].iloc[100].tz_convert("America/New_York").tz_localize(None)
    go.set_value(str(start)).run()
    assert sent(at)["at"] == 0 and at.session_state["expansion"] == "200"
    go.set_value("yesterday evening").run()
    assert "is no time that can be read" in texts(at)


def test_every_bar_and_every_windows_center_is_sent(show, store, dataset):
    run = make_run(store, dataset)
    bars = dataset.with_name("bars.parquet")
    child = make_predicted(run, bars)
    data = sent(show("predict", run=run.id))
    prices = np.frombuffer(base64.b64decode(data["prices"]), "<f4").reshape(-1, 4) + data["base"]
    assert prices == pytest.approx(pd.read_parquet(bars)[["open", "high", "low", "close"]].to_numpy(), abs=0.01)
    points = {one["name"]: np.frombuffer(base64.b64decode(one["bars"]), "<i4") for one in data["points"]}
    table = child.table("predicted").to_pandas()
    center = table["first_bar"] + 50
    for name in data_classes(table):
        own = (table["predicted"] == name) & ~table["out_of_distribution"]
        assert points[name].tolist() == center[own].tolist()
    assert points["out of distribution"].tolist() == center[table["out_of_distribution"]].tolist()


def data_classes(table: pd.DataFrame) -> list[str]:
    return sorted(table["predicted"].unique())


def test_expansions_below_the_threshold_are_left_out(show, store, dataset):
    run = make_span_run(store, dataset)
    make_predicted(run, dataset.with_name("bars.parquet"))
    at = show("predict", run=run.id)
    assert "1 of 2 expansions have a stated probability of at least 0.80" in texts(at)
    (one,) = sent(at)["expansions"]
    assert "Stated probability of a center within 3 bars: 0.95" in one["text"] and one["p"] == 0.95
    assert "comes true less often" in texts(at)
    threshold = next(item for item in at.slider if item.label == "Least stated probability")
    threshold.set_value(0.5).run()
    assert len(sent(at)["expansions"]) == 2 and sent(at)["scale"] == "the stated probability"
    assert "lower than in 60% of your labelled windows" in sent(at)["expansions"][0]["text"]
    next(item for item in at.slider if item.label == "Hide the unusual, level").set_value(0.05).run()
    assert len(sent(at)["expansions"]) == 1 and "1 of them are hidden as unusual at the level 0.05" in texts(at)
    table = next(one for one in Store(store).runs() if one.kind == "predict")
    Store(store).open(table.run_id).write_result("predicted", without_expansions(store, table.run_id))
    at.run()
    assert not at.exception and "No expansion has a stated probability" in texts(at)
    assert sent(at)["expansions"] == []


def without_expansions(store, run_id: str) -> dict:
    return Store(store).open(run_id).result("predicted") | {"expansions": []}


def test_predicted_windows_are_a_table(show, store, dataset):
    run = make_run(store, dataset)
    make_predicted(run)
    assert len(show("predict", run=run.id).dataframe) == 1


def test_a_new_prediction_is_shown_in_the_place_of_the_one_before(show, store, dataset, monkeypatch):
    monkeypatch.setattr("moola_core.launch.local.start", lambda run: None)
    run = make_run(store, dataset)
    make_predicted(run, dataset.with_name("bars.parquet"))
    at = show("predict", run=run.id)
    assert viewers(at)
    button(at, "Predict").click().run()
    assert not at.exception and not viewers(at)
    assert "waiting in the queue" in str(at.get("progress")[0].proto.text)


def test_a_run_from_elsewhere_makes_no_page_read_a_file_outside(show, dataset, store, tmp_path):
    outside = tmp_path / "outside" / "bars.parquet"
    outside.parent.mkdir()
    outside.write_bytes(dataset.with_name("bars.parquet").read_bytes())
    child = make_predicted(make_run(store, dataset), outside)
    at = show("predict", run=child.spec.run, prediction=child.id)
    assert not at.exception and any("not in the data folder or the store" in error.value for error in at.error)
