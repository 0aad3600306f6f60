from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch

from moola_core.cli import main
from moola_core.diagnostics.attribution import attribute
from moola_core.diagnostics.fitted import load_estimator, load_fitted
from moola_core.diagnostics.predict import Job, predict_batched, predict_sequential
from moola_core.errors import DataError, RunError
from moola_core.features.matrix import window_matrix
from moola_core.launch import worker
from moola_core.market.windows import load_windows
from moola_core.models.spans import predict_spans
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.specs import Data, Predict, change

SMALL = {"epochs": 2, "repeats": 1, "folds": 3, "hidden": 4, "processes": 1}


@pytest.fixture(scope="module")
def about(demo_files, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("predict"))
    run = store.create(change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | SMALL))
    worker.run(run)
    return run


def predict(about, **changes):
    run = Store(about.store_root).create(Predict(run=about.id, **changes), parent=about.id)
    worker.run(run)
    return run, run.table("predicted").to_pandas(), run.result("predicted")


def test_bars_are_asked_at_the_stride(about, demo_files):
    run, table, found = predict(about, data=Data(bars=str(demo_files["bars"])), stride=50)
    assert found["windows"] == len(table) > 100 and found["fits"] == 3 and found["over_bars"]
    assert (np.diff(table["first_bar"]) % 50 == 0).all()
    assert np.allclose(table["p_consolidation"] + table["p_retracement"], 1)
    assert sum(found["counts"].values()) == len(table) and 0 <= found["out_of_distribution"] <= len(table)
    assert found["training"] > 0 and run.record.progress["done"] == len(table)


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_predictions_are_written_as_a_table_or_as_tasks_of_label_studio(about, demo_files, tmp_path, capsys, ending):
    out = tmp_path / f"predicted.{ending}"
    where = ["--bars", str(demo_files["bars"]), "--stride", "200", "--store", str(about.store_root), "--out", str(out)]
    assert main(["predict", about.id, *where, "--json"]) == 0
    run = Store(about.store_root).open(json.loads(capsys.readouterr().out)["run_id"])
    table = run.table("predicted").to_pandas()
    if ending == "csv":
        assert pd.read_csv(out)["predicted"].tolist() == table["predicted"].tolist()
        return
    tasks = json.loads(out.read_text(encoding="utf-8"))
    results = [task["predictions"][0]["result"] for task in tasks]
    assert [result[0]["value"]["choices"] for result in results] == [[name] for name in table["predicted"]]
    starts = pd.to_datetime([task["data"]["start_time"] for task in tasks]).tz_localize(None)
    assert (starts == table["start_time"]).all()
    spans = table["start_pred"].round().clip(0, 104).astype(int)
    moments = pd.to_datetime([result[1]["value"]["start"] for result in results], unit="ms")
    bars = pd.read_parquet(demo_files["bars"])["time"].dt.tz_localize(None)
    assert (moments == bars.to_numpy()[table["first_bar"] + spans]).all()


@pytest.mark.usefixtures("unexamined")
@pytest.mark.parametrize("tasks", ["both", "class", "pointers"])
def test_all_fits_at_once_say_what_they_say_one_by_one(demo_files, tmp_path, device, tasks, monkeypatch):
    spec = change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"]), "tasks": tasks} | SMALL)
    run = Store(tmp_path).create(change(spec, {"epochs": 1, "layers": 2}))
    worker.run(run)
    monkeypatch.setattr("moola_core.diagnostics.predict.ROWS", 40)
    job = Job(run.folder, 7, window_matrix(load_windows(demo_files["windows"]), spec.features)[:30])
    one, stacked = predict_sequential(job), predict_batched(job, device)
    assert stacked.first == 7
    for name in ("probabilities", "pointers"):
        alone, together = getattr(one, name), getattr(stacked, name)
        assert (alone is None) == (together is None)
        if alone is not None:
            np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.usefixtures("unexamined")
def test_a_network_adds_the_statistics_in_prediction_as_in_training(demo_files, tmp_path, device, monkeypatch):
    monkeypatch.setattr("moola_core.diagnostics.network_outputs.SAMPLES", 5)
    monkeypatch.setattr("moola_core.diagnostics.attribution.BACKGROUND", 4)
    spec = change(preset("network").finetune(), {"data.windows": str(demo_files["windows"])} | SMALL)
    run = Store(tmp_path).create(change(spec, {"layers": 1, "folds": 2}))
    worker.run(run)
    fitted = load_fitted(run, 0, 0)
    kept = run.predictions
    test = kept[(kept["repeat"] == 0) & (kept["fold"] == 0)]
    windows = load_windows(demo_files["windows"])
    rows = [list(windows.window_id.astype(str)).index(name) for name in test["window_id"].astype(str)]
    with torch.no_grad():
        outputs = fitted.model(fitted.scaled(window_matrix(windows, spec.features)[rows]))
        alone = fitted.model.model(fitted.scaled(window_matrix(windows, spec.features)[rows]))
    np.testing.assert_allclose(torch.softmax(outputs.logits, 1)[:, 1], test["p_retracement"], atol=1e-6)
    np.testing.assert_allclose(predict_spans(outputs.spans).p_span, test["p_span"], atol=1e-5)
    assert not torch.allclose(outputs.spans, alone.spans, atol=0.1)
    explained = attribute(run, windows, window_matrix(windows, spec.features), 1)
    assert explained.additivity_error < 1e-4 and np.abs(explained.values).max() > 0
    job = Job(run.folder, 0, window_matrix(windows, spec.features)[:20])
    one, stacked = predict_sequential(job), predict_batched(job, device)
    np.testing.assert_allclose(stacked.probabilities, one.probabilities, atol=1e-5)


def test_a_card_is_asked_with_all_fits_at_once(about, demo_files, monkeypatch):
    """With the processor standing in for the card: the same answers come in."""
    data, used = Data(windows=str(demo_files["windows"])), []
    _, before, _ = predict(about, data=data)
    monkeypatch.setattr("moola_core.launch.worker.predict.asking_device", lambda training: "cuda")
    monkeypatch.setattr(
        "moola_core.launch.worker.predict.predict_batched",
        lambda job, device: used.append(device) or predict_batched(job, "cpu"),
    )
    _, after, _ = predict(about, data=data)
    assert used == ["cuda"] and np.allclose(before["p_retracement"], after["p_retracement"], atol=1e-5)


def test_unlabelled_windows_get_the_answers_of_labelled_ones(about, demo_files, tmp_path):
    frame = pd.read_parquet(demo_files["windows"]).head(30)
    bare = tmp_path / "bare.parquet"
    frame.drop(columns=["label", "expansion_start", "expansion_end"], errors="ignore").to_parquet(bare)
    _, table, found = predict(about, data=Data(windows=str(bare)))
    _, whole, _ = predict(about, data=Data(windows=str(demo_files["windows"])))
    assert set(table["label"]) == {"unlabelled"} and found["windows"] == 30 and not found["expansions"]
    assert np.allclose(table["p_retracement"], whole["p_retracement"].head(30))
    assert "unlabelled" not in set(whole["label"]) and set(whole["window_id"]) == set(
        load_windows(demo_files["windows"]).window_id
    )


def test_what_cannot_be_asked_says_why(about, tmp_path):
    short = tmp_path / "short.parquet"
    prices = np.full((3, 20, 4), 100.0)
    pd.DataFrame({"window_id": list("abc"), "features": [[list(bar) for bar in one] for one in prices]}).to_parquet(
        short
    )
    with pytest.raises(DataError, match="20 bars"):
        predict(about, data=Data(windows=str(short)))
    with pytest.raises(RunError, match="fine-tuning run"):
        queued = Store(about.store_root).create(about.spec)
        run = Store(about.store_root).create(Predict(run=queued.id, data=Data(windows=str(short))))
        worker.run(run)


@pytest.mark.usefixtures("unexamined")
def test_vanished_training_windows_leave_the_answers_with_a_warning(about, demo_files, tmp_path):
    moved = tmp_path / "moved.parquet"
    moved.write_bytes(demo_files["windows"].read_bytes())
    store = Store(tmp_path / "artifacts")
    run = store.create(change(about.spec, {"data.windows": str(moved), "epochs": 1}))
    worker.run(run)
    moved.unlink()
    child, table, found = predict(run, data=Data(windows=str(demo_files["windows"])))
    assert found["out_of_distribution"] is None and "out_of_distribution" not in table
    assert "could not be detected" in child.record.warnings[0]


@pytest.mark.usefixtures("unexamined")
def test_a_model_of_spans_finds_expansions_in_bars_that_do_not_overlap(demo_files, tmp_path):
    data = {"data.windows": str(demo_files["windows"])}
    run = Store(tmp_path).create(change(preset("recommended").finetune(), data | {"repeats": 1, "folds": 3}))
    worker.run(run)
    _, table, summary = predict(run, data=Data(bars=str(demo_files["bars"])), stride=100)
    expansions = summary["expansions"]
    assert len(expansions) > 20 and table["p_span"].between(0, 1).all()
    assert all(before["last"] < after["first"] for before, after in pairwise(expansions))
    best = table.loc[table["p_span"].idxmax()]
    surest = max(expansions, key=lambda one: one["p_span"])
    assert surest["p_span"] == best["p_span"] and surest["first"] == best["first_bar"] + round(best["start_pred"])


@pytest.mark.usefixtures("unexamined")
def test_a_predicted_span_is_compared_with_those_of_the_labelled_windows_by_each_fit(demo_files, tmp_path):
    small = {"data.windows": str(demo_files["windows"]), "repeats": 2, "folds": 2}
    run = Store(tmp_path).create(change(preset("recommended").finetune(), small))
    worker.run(run)
    child, table, result = predict(run, data=Data(bars=str(demo_files["bars"])), stride=300)
    kept, windows = run.predictions.dropna(subset=["start_true"]), load_windows(demo_files["windows"])
    _, same, _ = predict(run, data=Data(windows=str(demo_files["windows"])))
    fits = {fit: load_estimator(run, *fit) for fit in run.replicates()}
    for row in (0, 7):
        values = []
        for repeat, rows in kept.groupby("repeat"):
            no_higher = 0
            for fold, own in rows.groupby("fold"):
                prices = windows.prices[row : row + 1]
                (stated,) = fits[repeat, fold].predict(prices, prices).spans.p_span
                no_higher += int((own["p_span"] <= stated).sum())
            values.append((no_higher + 1) / (len(rows) + 1))
        # The window itself is among the labelled ones, and ties with its own prediction but for rounding.
        assert same["conformal_p"].iloc[row] == pytest.approx(np.mean(values), abs=1 / 60)
    assert ((table["conformal_p"] > 0) & (table["conformal_p"] <= 1)).all()
    assert result["unusual"] == (table["conformal_p"] <= 0.05).sum()
    by_stated = dict(zip(table["p_span"], table["conformal_p"], strict=True))
    assert result["expansions"] and all(one["conformal_p"] == by_stated[one["p_span"]] for one in result["expansions"])
    from moola_core.sections.registry import build

    (text,) = (
        b.text for s in build(child).sections for b in s.blocks if "95% of your labelled" in getattr(b, "text", "")
    )
    assert text.startswith(f"In {result['unusual']:,} of {len(table):,} windows")
