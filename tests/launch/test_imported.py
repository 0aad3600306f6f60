"""Tables of anyone's predictions: a run, or a sentence and no run."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from moola_core.cli import main
from moola_core.diagnostics.doctor import CHECKS
from moola_core.diagnostics.evaluation import evaluate
from moola_core.launch.worker import diagnose, doctor
from moola_core.launch.worker.imported import import_predictions
from moola_core.market.demo import make_demo, write_demo
from moola_core.market.windows import load_windows
from moola_core.runs.folds import Folds
from moola_core.runs.store import Store
from moola_core.sections import text
from moola_core.sections.headlines import of_classes, of_majority
from moola_core.sections.registry import build
from moola_core.sections.scores import of_f1
from moola_core.specs import Finetune

CLASSES = ("consolidation", "retracement")


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    return write_demo(tmp_path_factory.mktemp("small"), make_demo("helpful", 6_000, 20, 3))["windows"]


@pytest.fixture(scope="module")
def table(windows):
    kept = load_windows(windows).trainable()[0]
    p = np.random.default_rng(1).uniform(0.05, 0.95, len(kept)).round(3)
    table = pd.DataFrame({"window_id": kept.window_id.astype(str), "fold": np.arange(len(kept)) % 4, "repeat": 0})
    for name, values in zip(CLASSES, (p, 1 - p), strict=True):
        table[f"p_{name}"] = values
    return table.assign(start_pred=30.0, end_pred=45.0)


@pytest.fixture
def bring_in(capsys, tmp_path, windows, monkeypatch):
    """Import the table on the command line: exit status, what was printed, and the run if there is one."""
    # The diagnostics take most of the time, and have tests of their own.
    monkeypatch.setattr(diagnose, "RUN_DIAGNOSTICS", {})
    monkeypatch.setattr(doctor, "store", lambda run: None)

    def run(table, end=".parquet"):
        path = tmp_path / f"theirs{end}"
        table.to_csv(path, index=False) if end == ".csv" else table.to_parquet(path)
        before = {record.run_id for record in Store(tmp_path / "s").runs()}
        command = ["import-predictions", path, "--windows", windows, "--store", tmp_path / "s", "--json"]
        status = main([str(part) for part in command])
        out, err = capsys.readouterr()
        made = [record for record in Store(tmp_path / "s").runs() if record.run_id not in before]
        assert "Traceback" not in err
        if status:
            assert status == 2 and made == [] and err.count("\n") == 1
            assert json.loads(out)["error"]["what"] in err
            return status, err, None
        assert [record.state for record in made] == ["done"] and json.loads(out)["run_id"] == made[0].run_id
        return status, out, Store(tmp_path / "s").open(made[0].run_id)

    return run


@pytest.mark.parametrize("end", [".csv", ".parquet"])
def test_folds_and_repeats_may_have_any_names(bring_in, table, end):
    named = table.assign(fold=table["fold"].map({0: "A", 1: "B", 2: "10", 3: "9"}), repeat="first")
    status, _, run = bring_in(named, end)
    assert status == 0
    theirs = dict(zip(named["window_id"], named["fold"], strict=True))
    ours = run.predictions.set_index("window_id")["fold"]
    together = pd.DataFrame({"theirs": pd.Series(theirs), "ours": ours})
    assert together.drop_duplicates().groupby("theirs").size().eq(1).all() and ours.nunique() == 4
    assert any("folds have names" in note and "A is" in note for note in run.record.warnings)


@pytest.mark.parametrize("form", ["{:.1%}", "{:.1f} %", "number"])
def test_percentages_give_the_same_run_as_fractions(bring_in, table, form):
    percent = table.copy()
    for name in CLASSES:
        p = table[f"p_{name}"]
        percent[f"p_{name}"] = 100 * p if form == "number" else (p if "%}" in form else 100 * p).map(form.format)
    (_, _, plain), (_, _, run) = bring_in(table), bring_in(percent)
    columns = [f"p_{name}" for name in CLASSES]
    assert np.allclose(run.predictions[columns], plain.predictions[columns])
    assert any("percentages" in note for note in run.record.warnings)


def test_an_empty_repeat_column_is_one_repeat_and_a_single_empty_cell_is_named(bring_in, table):
    status, _, run = bring_in(table.assign(repeat=None), ".csv")
    assert status == 0 and set(run.predictions["repeat"]) == {0}
    _, err, _ = bring_in(table.assign(repeat=[None, *[0.0] * (len(table) - 1)]), ".csv")
    assert f"has no repeat, first row 0 ({table['window_id'][0]})" in err


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.assign(fold=None), "has no fold"),
        (lambda t: t.assign(fold=1), "all windows of a repeat are in one fold"),
        (lambda t: t.assign(p_retracement="high"), "probabilities"),
        (lambda t: t.assign(p_retracement=t["p_retracement"].map("{:.1%}".format)), "without a % sign"),
        (lambda t: t.assign(p_retracement=np.nan), "probabilities"),
        (lambda t: t.assign(p_retracement="0,5"), "probabilities"),
        (lambda t: t.assign(start_pred="soon"), "start_pred that is no bar number"),
        (lambda t: t.assign(end_pred=np.inf), "end_pred that is no bar number"),
        (lambda t: t.iloc[:0], "no rows"),
        (lambda t: t.drop(columns=["p_retracement", "p_consolidation", "start_pred", "end_pred"]), "no column p_"),
    ],
)
def test_tables_that_cannot_be_imported_are_refused_in_a_sentence(bring_in, table, spoil, words):
    status, err, _ = bring_in(spoil(table), ".csv")
    assert status == 2 and words in err


def test_a_failure_after_the_checks_leaves_no_run(bring_in, table, monkeypatch, tmp_path):
    monkeypatch.setattr(diagnose, "store_all", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bring_in(table)
    assert Store(tmp_path / "s").runs() == []


JUNK = [
    None,
    "",
    " ",
    "A",
    "89.7%",
    "10.3 %",
    "0,5",
    "nan",
    "inf",
    -1,
    1e308,
    2**40,
    0.5,
    True,
    "2024-01-02",
    "ä\n",
    "1e3",
]


def test_any_table_gives_a_run_or_a_sentence_and_nothing_in_between(bring_in, table):
    rng = np.random.default_rng(5)
    statuses = []
    for number in range(20):
        spoilt = table.astype(object)
        for _ in range(int(rng.integers(1, 3))):
            column = str(rng.choice(list(spoilt.columns)))
            how = rng.integers(5)
            value = JUNK[int(rng.integers(len(JUNK)))]
            if how == 0:
                spoilt[column] = pd.Series([value] * len(spoilt), dtype=object)
            elif how == 1:
                spoilt[column] = spoilt[column].map(str)
            elif how == 2 and len(spoilt.columns) > 1:
                spoilt = spoilt.drop(columns=column)
            elif how == 3:
                spoilt = spoilt.sample(frac=float(rng.choice([0.0, 0.5, 1.0])), random_state=int(rng.integers(1e9)))
            elif len(spoilt):
                spoilt[column] = [value, *spoilt[column].tolist()[1:]]
        statuses.append(bring_in(spoilt, ".csv")[0])
        assert statuses[-1] in (0, 2), number
    assert statuses.count(0) >= 3 and statuses.count(2) >= 8


def left_out_one_by_one(kept, seed: int) -> np.ndarray:
    """Probabilities of the second class by the nearest mean of noise, each window by the means of all others."""
    rng = np.random.default_rng(seed)
    label, x = (kept.label == CLASSES[1]).astype(int), rng.normal(size=(len(kept), 5))
    p = np.empty(len(kept))
    for i in range(len(kept)):
        others = np.arange(len(kept)) != i
        away = [((x[i] - x[others & (label == c)].mean(0)) ** 2).sum() for c in (0, 1)]
        p[i] = 1 / (1 + np.exp((away[1] - away[0]) / 4))
    return p


@pytest.fixture(scope="module")
def more_windows(tmp_path_factory):
    return write_demo(tmp_path_factory.mktemp("more"), make_demo("helpful", 20_000, 60, 4))["windows"]


def leave_one_out(path, seed: int) -> pd.DataFrame:
    kept = load_windows(path).trainable()[0]
    p = left_out_one_by_one(kept, seed)
    rows = {"window_id": kept.window_id.astype(str), "fold": np.arange(len(kept)), "repeat": 0}
    return pd.DataFrame(rows | {f"p_{CLASSES[0]}": 1 - p, f"p_{CLASSES[1]}": p})


def test_leave_one_out_raises_no_alarm_and_nothing_is_said_of_settings(more_windows, tmp_path):
    store = Store(tmp_path / "s")
    leave_one_out(more_windows, 0).to_csv(tmp_path / "t.csv", index=False)
    spec = Finetune.model_validate({"estimator": "imported", "data": {"windows": str(more_windows)}})
    run = import_predictions(store, tmp_path / "t.csv", spec)
    assert Folds(run.folds).shared.size == len(run.folds), "which windows share bars is known"
    diagnosis = run.result("doctor")
    # Sixty windows are few, whatever predicts them.
    graver = {row["check"] for row in diagnosis["findings"] if row["severity"] != "info"}
    assert graver <= {"underpowered"}, graver
    judged = {row["check"] for row in diagnosis["findings"]} | set(diagnosis["passed"])
    of_settings = {"overlapping_folds", "selection_on_test", "head_too_wide", "single_position", "order_lost"}
    assert not judged & (of_settings | {name for name, check in CHECKS.items() if check.networks_only})
    assert {"constant_folds", "worse_than_majority", "miscalibrated"} & judged
    report = build(run)
    said = "\n".join(text.render(section) for section in report.sections)
    assert "constant" not in said.lower().replace("constant pointer", "") and "worse than" not in said
    assert "nothing is known of the settings" in dict(report.absent)["Configuration"]


@pytest.mark.parametrize("runs", [20, pytest.param(60, marks=pytest.mark.soak)])
def test_of_noise_left_out_one_by_one_nothing_is_judged_more_often_than_chance_has_it(more_windows, runs):
    label = load_windows(more_windows).trainable()[0].label.astype(str)
    judged = []
    for seed in range(runs):
        frame = leave_one_out(more_windows, seed).assign(label=label)
        second = frame[f"p_{CLASSES[1]}"] > 0.5
        frame = frame.assign(predicted=np.where(second, CLASSES[1], CLASSES[0]), start_true=np.nan, end_true=np.nan)
        found = evaluate(frame, 105)
        verdicts = (of_classes(found), of_majority(found), of_f1(found))
        judged.append([verdict.outcome in ("supported", "opposed") for verdict in verdicts])
    assert (np.sum(judged, axis=0) <= binom.ppf(0.99, runs, 0.05)).all(), np.mean(judged, axis=0)
