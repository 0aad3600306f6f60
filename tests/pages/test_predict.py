from __future__ import annotations

import json

from moola_core.runs.store import Store
from tests.app_samples import make_predicted, make_run, make_span_run
from tests.pages.conftest import button, texts


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
    assert len(at.get("plotly_chart")) == 1 and "70% of the windows over it agree" in texts(at)
    assert "Do not trust their predictions" in texts(at) and "too optimistic" in texts(at)
    assert "**consolidation** with 0.80" in texts(at) and "Stated probability" not in texts(at)
    offered = [item.proto.label for item in at.get("download_button") if "Predictions" in item.proto.label]
    assert offered == [f"Predictions as {kind}" for kind in ("Parquet", "CSV", "tasks of Label Studio")]
    expansion(at).set_value(expansion(at).options[1]).run()
    assert "**retracement** with 0.80" in texts(at) and not at.slider


def expansion(at):
    return next(box for box in at.selectbox if box.label.startswith("Expansion"))


def test_steps_lead_from_one_expansion_to_the_next_and_around(show, store, dataset, monkeypatch):
    steps = iter([0, 1, 1])
    monkeypatch.setattr("moola_core.ui.stepper.taken", lambda: next(steps))
    run = make_run(store, dataset)
    make_predicted(run, dataset.with_name("bars.parquet"))
    at = show("predict", run=run.id)
    seen = []
    for _ in range(3):
        spec = json.loads(at.get("plotly_chart")[0].proto.spec)
        thick = [shape for shape in spec["layout"]["shapes"] if shape["line"]["width"] == 3]
        seen.append((expansion(at).label, [shape["x0"] + 0.5 for shape in thick]))
        if len(seen) < 3:
            at.run()
    assert seen == [("Expansion 1 of 2", [200]), ("Expansion 2 of 2", [700]), ("Expansion 1 of 2", [200])]


def test_expansions_below_the_threshold_are_left_out(show, store, dataset):
    run = make_span_run(store, dataset)
    make_predicted(run, dataset.with_name("bars.parquet"))
    at = show("predict", run=run.id)
    assert "1 of 2 expansions have a stated probability of at least 0.80" in texts(at)
    assert "Stated probability of a center within 3 bars: **0.95**" in texts(at) and expansion(at).label.endswith(
        "1 of 1"
    )
    assert "comes true less often" in texts(at)
    threshold = next(item for item in at.slider if item.label == "Least stated probability")
    threshold.set_value(0.5).run()
    assert expansion(at).label.endswith("1 of 2")
    spec = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert spec["layout"]["yaxis2"]["title"]["text"] == "stated probability"
    assert "lower than in 60% of your labelled windows" in texts(at)
    next(item for item in at.slider if item.label == "Hide the unusual, level").set_value(0.05).run()
    assert expansion(at).label.endswith("1 of 1") and "1 of them are hidden as unusual at the level 0.05" in texts(at)
    table = next(one for one in Store(store).runs() if one.kind == "predict")
    Store(store).open(table.run_id).write_result("predicted", without_expansions(store, table.run_id))
    at.run()
    assert (
        not at.exception and "No expansion has a stated probability" in texts(at) and len(at.get("plotly_chart")) == 1
    )


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
    assert at.get("plotly_chart")
    button(at, "Predict").click().run()
    assert not at.exception and not at.get("plotly_chart")
    assert "waiting in the queue" in str(at.get("progress")[0].proto.text)


def test_a_run_from_elsewhere_makes_no_page_read_a_file_outside(show, dataset, store, tmp_path):
    outside = tmp_path / "outside" / "bars.parquet"
    outside.parent.mkdir()
    outside.write_bytes(dataset.with_name("bars.parquet").read_bytes())
    child = make_predicted(make_run(store, dataset), outside)
    at = show("predict", run=child.spec.run, prediction=child.id)
    assert not at.exception and any("not in the data folder or the store" in error.value for error in at.error)
