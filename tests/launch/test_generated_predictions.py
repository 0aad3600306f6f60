"""Predictions from anywhere: the rows that their writer meant, or the reason why not, and never half a run."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import moola_core as moola
from moola_core.errors import DataError
from moola_core.launch.worker import diagnose
from moola_core.launch.worker.imported import PredictionReading, import_predictions
from moola_core.market.demo import make_demo, write_demo
from moola_core.market.windows import load_windows
from moola_core.runs.store import Store
from moola_core.specs import Data, Finetune
from tests.launch.generated_predictions import CLASSES, REFUSED, SPAN, P, answers_of, random_file, truth_of


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    return load_windows(write_demo(tmp_path_factory.mktemp("small"), make_demo("helpful", 6_000, 20, 3))["windows"])


@pytest.fixture
def bring_in(tmp_path, windows, monkeypatch):
    monkeypatch.setattr(diagnose, "RUN_DIAGNOSTICS", {})  # they have tests of their own
    store = Store(tmp_path / "s")
    spec = Finetune(estimator="imported", data=Data(windows=windows.path))
    return lambda source, answers=None: import_predictions(store, source, spec, answers=answers)


def check(made, run) -> None:
    """The run holds the rows that the file stands for, its classes judged by what they allow."""
    assert run.record.state == "done" and run.record.facts.windows == made.truth["window_id"].nunique()
    keys = ["repeat", "window_id"]
    ours = run.predictions.sort_values(keys, ignore_index=True)
    truth = made.truth.sort_values(keys, ignore_index=True)
    assert ours[keys].equals(truth[keys].astype(ours[keys].dtypes))
    together = pd.DataFrame({"ours": ours["fold"], "theirs": truth["fold"]}).drop_duplicates()
    assert together["ours"].is_unique and together["theirs"].is_unique
    assert np.allclose(ours[SPAN], truth[SPAN], atol=1e-4, equal_nan=True)
    answer = np.where(truth[P[0]] >= truth[P[1]], *CLASSES)
    clear = (truth[P[0]] - truth[P[1]]).abs() > 2 * made.tolerance
    assert (ours["predicted"].to_numpy() == answer)[clear].all()
    metrics = run.result("evaluation")["metrics"]
    assert ("auroc" in metrics) == made.has_probabilities and metrics["accuracy"]["mean"] is not None
    if made.has_probabilities:
        assert np.allclose(ours[P], truth[P], atol=made.tolerance)


@pytest.mark.parametrize("seed", range(15))
def test_a_generated_table_gives_its_writers_rows(bring_in, windows, tmp_path, seed):
    made = random_file(np.random.default_rng(seed), windows.trainable()[0], tmp_path)
    check(made, bring_in(made.path, answers_of(made)))


@pytest.mark.soak
def test_1000_generated_tables_give_their_writers_rows(bring_in, windows, tmp_path):
    for seed in range(15, 1015):
        made = random_file(np.random.default_rng(seed), windows.trainable()[0], tmp_path)
        check(made, bring_in(made.path, answers_of(made)))


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_table_does_not_show_is_asked_and_what_is_wrong_refused(bring_in, windows, tmp_path, name):
    spoil, words = REFUSED[name]
    table = truth_of(windows.trainable()[0], np.random.default_rng(3), 1, 4)
    spoil(table).to_csv(tmp_path / "theirs.csv", index=False)
    with pytest.raises(DataError) as refused:
        bring_in(tmp_path / "theirs.csv")
    assert re.search(words, str(refused.value)) and Store(tmp_path / "s").runs() == []


def test_data_frames_and_arrays_are_taken_as_they_are(bring_in, windows):
    torch = pytest.importorskip("torch")
    kept = windows.trainable()[0]
    table = truth_of(kept, np.random.default_rng(3), 1, 4)
    plain = bring_in(table).predictions
    arrays = {"window_id": list(table["window_id"]), "fold": torch.tensor(table["fold"].to_numpy())}
    arrays |= {"probabilities": torch.tensor(table[P].to_numpy()), "classes": list(CLASSES)}
    arrays |= {name: table[name].to_numpy() for name in SPAN}
    assert bring_in(arrays).predictions.equals(plain)
    ordered = bring_in(table.drop(columns="window_id"), PredictionReading(in_order=True)).predictions
    assert ordered.equals(plain)
    with pytest.raises(DataError, match=r"differ in length: window_id \(\d+,\), fold \(3,\)"):
        bring_in({"window_id": arrays["window_id"], "fold": [1, 2, 3]})
    with pytest.raises(DataError, match="there are no classes"):
        bring_in({name: values for name, values in arrays.items() if name != "classes"})


def test_leave_one_out_is_not_called_constant_and_is_measured_over_all_windows(bring_in, windows):
    kept = windows.trainable()[0]
    table = truth_of(kept, np.random.default_rng(3), 1, 4)
    right = kept.label.astype(str) == CLASSES[0]
    table[P[0]] = np.where(right, 0.8, 0.2)
    table[P[1]] = 1 - table[P[0]]
    run = bring_in(table.assign(fold=np.arange(len(table))))
    found = run.result("evaluation")
    assert not any(share["constant"] for share in found["fold_shares"])
    assert found["auroc_within_folds"] is None or found["auroc_within_folds"]["value"] == 1
    assert any("fold of its own" in note for note in run.record.warnings)


def test_a_part_that_was_held_out_is_one_fold_of_its_windows(bring_in, windows):
    table = truth_of(windows.trainable()[0], np.random.default_rng(3), 1, 4)
    run = bring_in(table[table["fold"] == 0])
    kept = int((table["fold"] == 0).sum())
    assert run.record.facts.windows == kept and run.record.facts.not_predicted == len(table) - kept
    assert any(f"the other {kept}" in note for note in run.record.warnings)


def test_training_rows_are_left_out_and_in_sample_is_marked(bring_in, windows):
    table = truth_of(windows.trainable()[0], np.random.default_rng(3), 1, 4)
    both = pd.concat([table.assign(split="test"), table.assign(split="train", p_retracement=0.5, p_consolidation=0.5)])
    assert bring_in(both).predictions.equals(bring_in(table).predictions)
    run = bring_in(table.drop(columns="fold"), PredictionReading(folds="in-sample"))
    assert "in-sample" in run.record.tags and any(
        "had trained on these windows" in note for note in run.record.warnings
    )


def test_the_api_imports_predictions(windows, tmp_path, monkeypatch):
    monkeypatch.setattr(diagnose, "RUN_DIAGNOSTICS", {})
    table = truth_of(windows.trainable()[0], np.random.default_rng(3), 1, 4)
    run = moola.import_predictions(table, windows.path, store=tmp_path / "s", name="theirs")
    assert run.record.name == "theirs" and run.record.tags == ("imported",)


def test_probabilities_may_be_mappings_from_class_to_number(bring_in, windows, tmp_path):
    table = truth_of(windows.trainable()[0], np.random.default_rng(3), 1, 4)
    rows = table.drop(columns=P).assign(
        probabilities=[dict(zip(CLASSES, p, strict=True)) for p in table[P].to_numpy().tolist()]
    )
    rows.to_json(tmp_path / "theirs.jsonl", orient="records", lines=True)
    assert np.allclose(bring_in(tmp_path / "theirs.jsonl").predictions[P], bring_in(table).predictions[P])
