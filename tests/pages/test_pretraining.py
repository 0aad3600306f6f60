from __future__ import annotations

import dataclasses

import pytest

from moola_core.diagnostics.results import Interval, Measure
from moola_core.runs.store import Store
from tests.app_samples import make_learned, make_pretraining, make_run
from tests.pages.conftest import button, texts


def test_a_pretraining_run_says_what_it_learned_and_leads_on(show, store, dataset):
    run = make_pretraining(store, dataset)
    at = show("results", run=run.id)
    assert "It learned to rebuild hidden bars" in texts(at) and "0.1500 to 0.2500" in texts(at)
    assert "Whether pre-training made the labels easier to read cannot be told" in texts(at)
    assert len(at.get("plotly_chart")) == 3 and "60 sharing bars with labelled windows" in texts(at)
    button(at, "Fine-tune from this run").click().run()
    assert at.title[0].value == "Launch" and at.session_state["checkpoint"] == run.id
    assert f"--checkpoint {run.id}" in at.code[0].value


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"masked_mae": 0.02, "masked_input_mae": 0.6}, "The target was visible"),
        ({"masked_mae": 0.45, "masked_input_mae": 0.45, "gain": Interval(-0.05, -0.08, -0.02)}, "It learned nothing"),
        ({"masked_mae": 0.39, "masked_input_mae": 0.39, "gain": Interval(0.01, -0.03, 0.05)}, "cannot be told"),
        (
            {
                "masked_mae": None,
                "masked_input_mae": None,
                "features": (),
                "trivial": {},
                "examples": (),
                "probe": None,
                "noise_floor": None,
                "measures": (Measure("log loss", 1.2, 1.1, "lower", Interval(-0.1, -0.15, -0.05)),),
            },
            "It did not learn its task",
        ),
    ],
)
def test_a_bad_pretraining_is_called_what_it_is(show, store, dataset, changes, words):
    run = make_pretraining(store, dataset, dataclasses.replace(make_learned(), **changes))
    assert words in texts(show("results", run=run.id))


def test_all_pages_take_a_pretraining_run(show, store, dataset):
    make_run(store, dataset)
    run = make_pretraining(store, dataset)
    assert "predicts no labels" in texts(show("windows", run=run.id))
    at = show("runs", run=run.id)
    assert {"Epochs", "Took"} <= {metric.label for metric in at.metric} and len(at.get("plotly_chart")) == 2
    assert "Macro F1" in str(show("overview", run=run.id).markdown) or not show("overview", run=run.id).exception


def test_pretraining_is_launched_from_the_app(show, store, dataset, monkeypatch):
    started: list = []
    monkeypatch.setattr("moola_core.launch.local.start", started.append)
    at = show("launch", kind="pretrain", preset="quick")
    assert at.code[0].value.startswith("moola pretrain --bars") and "--windows" in at.code[0].value
    next(box for box in at.text_input if box.key.endswith("sampling.stride_bars")).set_value("13").run()
    assert "--set sampling.stride_bars=13" in at.code[0].value
    button(at, "Start the run").click().run()
    (record,) = Store(store).runs()
    assert record.kind == "pretrain" and len(started) == 1
    assert Store(store).open(record.run_id).spec.sampling.stride_bars == 13


def test_pretraining_on_bars_alone_says_on_the_launch_page_what_is_left_out(show, tmp_path, dataset):
    """The file of windows lies in another folder of the data folder: it is known, named, and leaves too little or enough."""
    # Next to bars of their own, so that they are not paired with the bars that are alone.
    for name, folder in (("windows.parquet", "labelled"), ("bars.parquet", "labelled"), ("bars.parquet", "alone")):
        (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / folder / name).write_bytes(dataset.with_name(name).read_bytes())
    named = {"dataset": "alone/bars.parquet", "kind": "pretrain", "preset": "quick"}
    at = show("launch", data=tmp_path / "data", **named)
    said = texts(at).replace("\\", "")
    assert "only 93 of 765 windows are left" in said and "labelled/windows.parquet lie in these bars" in said
    assert button(at, "Start the run").disabled
    next(box for box in at.text_input if box.key.endswith("sampling.stride_bars")).set_value("13").run()
    said = texts(at).replace("\\", "")
    assert "labelled/windows.parquet lie in these bars and are left out" in said
    assert not button(at, "Start the run").disabled
    (tmp_path / "data" / "labelled" / "windows.parquet").unlink()
    assert "none could be left out" in texts(show("launch", data=tmp_path / "data", **named))
