from __future__ import annotations

from moola_core.runs.store import Store
from tests.app_samples import make_predicted, make_run
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
    at.select_slider[0].set_value(1).run()
    assert "retracement" in texts(at)


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
