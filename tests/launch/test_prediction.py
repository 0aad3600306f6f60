from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from moola_core.errors import DataError, RunError
from moola_core.launch import worker
from moola_core.market.windows import load_windows
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
    assert sum(found["counts"].values()) == len(table) and 0 <= found["foreign"] <= len(table)
    assert found["training"] > 0 and run.record.progress["done"] == len(table)


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


def test_vanished_training_windows_leave_the_answers_with_a_warning(about, demo_files, tmp_path):
    moved = tmp_path / "moved.parquet"
    moved.write_bytes(demo_files["windows"].read_bytes())
    store = Store(tmp_path / "artifacts")
    run = store.create(change(about.spec, {"data.windows": str(moved), "epochs": 1}))
    worker.run(run)
    moved.unlink()
    child, table, found = predict(run, data=Data(windows=str(demo_files["windows"])))
    assert found["foreign"] is None and "foreign" not in table and "could not be told" in child.record.warnings[0]
