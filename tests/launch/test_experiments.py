"""The doctor's experiments: what is tried, in which order, within which budget; and once, for long, with real fits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import moola_core as moola
from moola_core.cli import main
from moola_core.diagnostics.doctor import conclusions, known_market
from moola_core.diagnostics.repairs import Repair
from moola_core.diagnostics.results import Diagnosis, Evaluation, Interval
from moola_core.diagnostics.results.experiments import MetricGain, UsualScore
from moola_core.diagnostics.results.weak_slices import WeakSlice
from moola_core.errors import RunError, SpecError
from moola_core.launch import worker
from moola_core.launch.worker import doctor, experiments
from moola_core.launch.worker.children import Children
from moola_core.market.windows import load_windows
from moola_core.presets import preset
from moola_core.runs import Store, codec
from moola_core.specs import Diagnose, build, change

SMALL = {"epochs": 2, "repeats": 2, "folds": 3, "hidden": 4, "processes": 1}
WRONG = {"learning_rate": 0.9, "weight_decay": 0.3, "dropout": 0.8, "jitter_std": 0.4}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def run(store, demo_files):
    made = store.create(
        change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | SMALL | WRONG)
    )
    worker.run(made)
    return made


@pytest.fixture(scope="module")
def evidence(run):
    """What the run is judged by; it stays the same while nothing is fitted."""
    return doctor.evidence_of(run)


@pytest.fixture
def tried(store, run, evidence, monkeypatch):
    """Experiments in which no fit is made: a run is better by 0.3 where its setting `cause` is the reference's, within `reach`."""

    def settled(cause, reach=0.1, budget_s=600.0, seconds=1.0, only="", auroc=None, center=2.0):
        good = preset("quick").finetune()
        done = []

        def execute(child, listen):
            done.append(child.spec)
            child.update(state="done", seconds=seconds)

        def gains_over(about, child):
            there = cause and only in child.spec.data.windows
            gain = 0.3 if there and getattr(child.spec.training, cause) == getattr(good.training, cause) else 0.0
            width = reach / child.spec.training.repeats
            return (MetricGain("auroc", 0.5, 0.5 + gain, Interval(gain, gain - width, gain + width)),)

        monkeypatch.setattr(doctor, "evidence_of", lambda about: evidence)
        monkeypatch.setattr(experiments, "gains_over", gains_over)
        usual = {"by-heart": 1.0, "random-order": 0.5} | (auroc or {})

        def auroc_of(child):
            value = usual.get(Path(child.spec.data.windows).stem, 0.8)
            return Interval(value, value - 0.1, min(value + 0.1, 1.0))

        monkeypatch.setattr(experiments, "_auroc", auroc_of)
        monkeypatch.setattr(known_market, "usual", lambda name, metric="auroc": Interval(0.8, 0.75, 0.85))
        errors = (UsualScore("center_mae_bars", center, Interval(2.0, 1.5, 2.5)),)
        monkeypatch.setattr(experiments, "_pointers", lambda child, name: errors)
        asked = store.create(build(Diagnose, {"name": "doctor", "run": run.id, "budget_s": budget_s}))
        diagnosis = codec.restore(Diagnosis, run.result("doctor"))
        return experiments.settle(asked, run, diagnosis, Children(asked, None, execute, "experiment")), done, asked

    return settled


@pytest.mark.parametrize("cause", ["learning_rate", "weight_decay", "jitter_std"])
def test_the_setting_that_restores_the_score_is_found(tried, cause):
    result, fitted, _ = tried(cause)
    assert result.culprits == (f"training.{cause}",) and result.restored == pytest.approx(1.0)
    assert {f"training.{name}" for name in WRONG if name != "dropout"} < set(result.departures)
    assert all(spec.training.repeats == 1 and spec.training.seed == run_seed(fitted) for spec in fitted)
    assert next(iter(result.alone)) == f"training.{cause}" and result.alone[f"training.{cause}"] == pytest.approx(1.0)
    assert len(result.alone) > 1 and max([0.0, *list(result.alone.values())[1:]]) == 0.0, "others were tried alone too"


def run_seed(specs):
    return specs[0].training.seed


def test_more_repeats_are_fitted_only_where_one_does_not_decide(tried):
    result, fitted, _ = tried("weight_decay", reach=0.4)
    assert result.culprits == ("training.weight_decay",)
    assert [spec.training.repeats for spec in fitted][:3] == [1, 1, 2] and fitted[-1].training.repeats == 2


def test_where_no_setting_restores_it_other_windows_are_tried(tried):
    result, fitted, asked = tried("")
    assert result.culprits == () and "not shown to be better" in result.conclusion
    heart = next(one for one in result.tried if one.title.endswith("copies of each"))
    windows = load_windows(asked.store_root / "runs" / asked.id / "windows" / "by-heart.parquet")
    assert len(windows) == len(set(windows.window_id)) == 80 and heart.auroc.value == 1.0
    prices = windows.prices.reshape(80, -1)
    assert len(np.unique(prices, axis=0)) == 8
    assert [spec.faults.shuffled_folds for spec in fitted if "by-heart" in spec.data.windows] == [True]
    on_market = [one for one in result.tried if one.where == "a demo market"]
    assert [bool(one.changes) for one in on_market] == [False, False, True, False]
    assert [one.usual is not None for one in on_market] == [True, False, False, True]
    assert [fitted[i].preset for i in (0, -1)] == ["quick", "network"], (
        "known settings first, the sharpest of them last"
    )
    assert {Path(spec.data.windows).stem for spec in fitted} == {"windows", "by-heart", "demo", "random-order"}
    assert [spec.training.repeats for spec in fitted[-3:-1]] == [5, 5], "as it is, and as the reference"


def test_a_setting_that_shows_on_a_known_market_alone_is_found_there(tried):
    result, _, _ = tried("weight_decay", only="demo.parquet")
    assert result.culprits == ("training.weight_decay",) and result.where == "a demo market"
    assert result.conclusion.startswith("On a demo market, with the settings of quick: AUROC")


def test_known_settings_that_do_worse_than_usual_on_a_known_market_leave_the_training_itself(tried):
    result, fitted, _ = tried("", auroc={"demo": 0.74})
    worse = conclusions.unsound(result)
    assert worse is not None and "AUROC is 0.74" in result.conclusion and "0.75 to 0.85" in result.conclusion
    plain = next(
        spec for spec in fitted if Path(spec.data.windows).stem == "demo" and spec.model.dropout != WRONG["dropout"]
    )
    assert plain.training.learning_rate == preset("quick").finetune().training.learning_rate
    assert len(fitted) == 1, "what is wrong with training is in every other fit too"
    assert conclusions.unsound(tried("", auroc={"demo": 0.76})[0]) is None


def test_pointers_of_known_settings_are_judged_on_the_known_market_too(tried):
    result, fitted, _ = tried("weight_decay", center=2.6)
    assert "the center error is 2.60 bars" in result.conclusion and "1.50 to 2.50" in result.conclusion
    assert not result.culprits and len(fitted) == 1
    assert conclusions.unsound(tried("", center=2.4)[0]) is None
    assert conclusions.unsound(tried("", center=1.4)[0]) is None, "better than usual is no fault"


def test_the_sharpest_preset_is_fitted_only_where_its_time_is_left(tried):
    result, fitted, _ = tried("")
    assert fitted[-1].preset == "network" and not result.untried
    spent = (
        result.seconds - 1.0
    )  # each of these fits takes a second, and this preset is known to take nine times as long as `quick`
    result, fitted, _ = tried("", budget_s=spent + 1.2 * 9 - 0.1)
    assert fitted[-1].preset != "network"
    assert result.untried == ("the settings of network and no others on a demo market",)


def test_pointers_of_a_real_fit_are_read_from_its_evaluation(run, monkeypatch):
    scores = {one.metric: one for one in experiments._pointers(run, "quick")}
    center = codec.restore(Evaluation, run.result("evaluation")).metrics["center_mae_bars"]["mean"]
    assert set(scores) == {"center_mae_bars", "length_mae_bars"} and scores["center_mae_bars"].value == center
    assert scores["center_mae_bars"].usual == known_market.usual("quick", "center_mae_bars")
    assert experiments._pointers(run, "stones") == ()


def test_labels_in_random_order_that_are_told_are_a_leak(tried):
    result, fitted, asked = tried("", auroc={"random-order": 0.7})
    leaked = conclusions.told_at_random(result)
    assert leaked is not None and leaked.low > 0.5 and "reach the training" in result.conclusion
    own, other = (load_windows(spec.data.windows) for spec in (asked_of(asked), fitted[-1]))
    told = dict(zip(own.window_id, own.label, strict=True))
    assert sorted(other.label) == sorted(told[name] for name in other.window_id)
    assert any(label != told[name] for name, label in zip(other.window_id, other.label, strict=True))
    assert conclusions.told_at_random(tried("", auroc={"random-order": 0.62})[0]) is None, "not sure at 99%"
    assert not any("random-order" in spec.data.windows for spec in tried("", auroc={"windows": 0.55})[1])


def asked_of(asked):
    return Store(asked.store_root).open(asked.spec.run).spec


def test_what_is_usual_on_the_known_market_is_a_prediction_interval(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    inside = []
    for i in range(400):
        fits = rng.normal(0.7, 0.03, 21)
        table = tmp_path / f"{i}.json"
        table.write_text(json.dumps({"auroc": {"quick": list(fits[:20])}}))
        monkeypatch.setattr(known_market, "TABLE", table)
        own = known_market.usual("quick")
        inside.append(own.low <= fits[20] <= own.high)
    assert np.mean(inside) == pytest.approx(known_market.LEVELS["auroc"], abs=0.012)
    assert known_market.usual("stones") is None


def test_settings_are_compared_with_the_last_healthy_run_on_the_same_windows(tried, store, run):
    def earlier(number, counts, **changes):
        made = store.create(change(run.spec, {"learning_rate": 0.004, **changes}))
        made.folder.rename(made.folder.with_name(f"20000101-00000{number}-000-aaaa"))
        made = store.open(f"20000101-00000{number}-000-aaaa")
        facts = replace(made.record.facts, doctor=counts)
        return made.update(run_id=made.id, state="done", data_hashes=run.record.data_hashes, facts=facts)

    try:
        earlier(1, {"info": 2})
        earlier(2, {"warning": 1})
        earlier(3, {"info": 2}, learning_rate=run.spec.training.learning_rate)
        result, _, _ = tried("")
        assert result.reference == "run 20000101-000001-000-aaaa"
        assert result.departures == {"training.learning_rate": [WRONG["learning_rate"], 0.004]}
    finally:
        for number in (1, 2, 3):
            store.delete(f"20000101-00000{number}-000-aaaa")
    assert tried("")[0].reference == "quick"


def test_nothing_is_begun_that_the_budget_does_not_reach(tried):
    result, fitted, _ = tried("weight_decay", budget_s=1000.0, seconds=300.0)
    assert len(fitted) == 3 and result.untried and result.seconds == 900.0
    result, fitted, _ = tried("weight_decay", budget_s=0.001)
    assert not fitted and "no time" in result.conclusion and not result.culprits


def test_what_is_there_is_not_fitted_again(tried, store):
    _, _, asked = tried("learning_rate")
    before = dict(store.open(asked.id).record.facts.children)
    made = Children(store.open(asked.id), None, lambda child, listen: pytest.fail("it is there"), "experiment")
    diagnosis = codec.restore(Diagnosis, store.open(asked.spec.run).result("doctor"))
    again = experiments.settle(store.open(asked.id), store.open(asked.spec.run), diagnosis, made)
    assert again.culprits == ("training.learning_rate",) and store.open(asked.id).record.facts.children == before


def test_a_run_gains_nothing_over_itself_and_better_ranks_show(store, run):
    gains = experiments.gains_over(run, run)
    assert [gain.metric for gain in gains] == ["auroc", "center_mae_bars"]
    assert all(gain.interval.value == 0 for gain in gains)
    table = run.predictions
    true = (table["label"] == table["label"].max()).to_numpy()
    last = sorted(name for name in table if name.startswith("p_") and name != "p_span")[-1]
    first = next(name for name in table if name.startswith("p_") and name not in ("p_span", last))
    better = store.create(run.spec)
    better.update(state="done")
    sure = np.where(true, 0.9, 0.1)
    better.write_table("predictions", {name: table[name].to_numpy() for name in table} | {last: sure, first: 1 - sure})
    (gain, *_) = experiments.gains_over(run, better)
    assert gain.metric == "auroc" and gain.other == pytest.approx(1.0, abs=1e-6) and gain.interval.low > 0
    assert gain.interval.value == pytest.approx(gain.other - gain.own)


def test_a_repair_that_surely_gains_is_the_cause_and_its_copy_can_be_launched(store, run, demo_files, monkeypatch):
    """Labels that slipped by a row; no fit is made: a mended copy is better by 0.3."""
    frame = pd.read_parquet(demo_files["windows"])
    slipped = store.root / "slipped.parquet"
    frame.assign(label=np.roll(frame["label"].to_numpy(), 1)).to_parquet(slipped)
    made = store.create(change(preset("quick").finetune(), {"data.windows": str(slipped)} | SMALL))
    worker.run(made)
    monkeypatch.setattr(experiments, "gains_over", lambda about, child: ())
    better = MetricGain("auroc", 0.5, 0.8, Interval(0.3, 0.1, 0.5))
    monkeypatch.setattr(experiments, "gains_of_repair", lambda about, child: (better,))
    monkeypatch.setattr(experiments, "_auroc", lambda child: None)
    monkeypatch.setattr(experiments, "_pointers", lambda child, name: ())
    asked = store.create(build(Diagnose, {"name": "doctor", "run": made.id, "budget_s": 600.0}))
    children = Children(asked, None, lambda child, listen: child.update(state="done", seconds=1.0), "experiment")
    found = experiments.settle(asked, made, codec.restore(Diagnosis, made.result("doctor")), children)
    assert found.repair == "each window given the class 1 row below" and not found.culprits
    assert "AUROC 0.50 → 0.80" in found.conclusion and "your own file is not changed" in found.conclusion
    finding = next(one for one in doctor.examined(made, found).findings if one.check == "experiments")
    copy = load_windows(finding.spec["data"]["windows"])
    right = dict(zip(frame["window_id"].astype(str), frame["label"], strict=True))
    assert len(copy) == len(load_windows(slipped).trainable()[0]), (
        "every row of the file has another below it that is used"
    )
    assert all(right[str(name)] == own for name, own in zip(copy.window_id, copy.label, strict=True))
    assert set(finding.evidence["windows"]) <= set(right)


def test_a_part_that_is_left_out_is_not_blamed_for_places_that_a_constant_finds(store, run, monkeypatch):
    part = Repair("without grade B", ("w1",), load_windows(run.spec.data.windows).trainable()[0], ("auroc",))
    nearer = MetricGain("center_mae_bars", 12.0, 8.0, Interval(4.0, 2.0, 6.0))
    monkeypatch.setattr(experiments, "repairs", lambda evidence, slices: [part])
    monkeypatch.setattr(experiments, "gains_over", lambda about, child: ())
    monkeypatch.setattr(experiments, "gains_of_repair", lambda about, child: (nearer,))
    monkeypatch.setattr(experiments, "_auroc", lambda child: None)
    monkeypatch.setattr(experiments, "_pointers", lambda child, name: ())
    asked = store.create(build(Diagnose, {"name": "doctor", "run": run.id, "budget_s": 600.0}))
    children = Children(asked, None, lambda child, listen: child.update(state="done", seconds=1.0), "experiment")
    weak = WeakSlice("grade B", "class", 20, 0.5, 0.8, 0.001, ("w1",))
    odd = replace(codec.restore(Diagnosis, run.result("doctor")), slices=(weak,))
    found = experiments.settle(asked, run, odd, children)
    assert not found.repair and not next(one for one in found.tried if one.file).gains


def test_fits_that_cannot_be_evaluated_end_no_experiments(store, run, monkeypatch):
    def fails(*given):
        raise RunError("has no result evaluation.")

    monkeypatch.setattr(experiments, "_auroc", fails)
    monkeypatch.setattr(experiments, "gains_over", lambda about, child: np.zeros(2).reshape(3))
    asked = store.create(build(Diagnose, {"name": "doctor", "run": run.id, "budget_s": 600.0}))
    children = Children(asked, None, lambda child, listen: child.update(state="done", seconds=1.0), "experiment")
    found = experiments.settle(asked, run, codec.restore(Diagnosis, run.result("doctor")), children)
    assert found.tried and all(one.why_not for one in found.tried) and not found.culprits
    assert "could not be fitted" in found.conclusion


def test_a_repair_is_judged_on_the_windows_that_both_have(store, run):
    table = run.predictions
    kept = sorted(table["window_id"].astype(str).unique())[:-10]
    less = store.create(run.spec)
    less.update(state="done")
    rows = table["window_id"].astype(str).isin(kept).to_numpy()
    less.write_table("predictions", {name: table[name].to_numpy()[rows] for name in table})
    assert experiments.gains_over(run, less) == ()
    gains = experiments.gains_of_repair(run, less)
    assert [gain.interval.value for gain in gains] == [0, 0]


def test_other_folds_are_not_compared(store, run, demo_files):
    other = store.create(change(run.spec, {"seed": 99, "repeats": 1}))
    worker.run(other)
    assert experiments.gains_over(run, other) == ()


def test_the_ranking_is_read_from_the_evaluation(run):
    stored = codec.restore(Evaluation, run.result("evaluation")).auroc_within_folds
    assert stored == experiments._auroc(run)


def test_the_command_line_takes_a_budget(run, evidence, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "evidence_of", lambda about: evidence)  # read three times
    assert main(["doctor", run.id, "--budget", "1s", "--store", str(run.store_root)]) == 0
    assert "findings" in capsys.readouterr().out
    assert main(["doctor", "--example", "--budget", "5m"]) != 0
    assert "--budget" in capsys.readouterr().err


def test_what_was_not_fitted_here_is_refused(store, run):
    with pytest.raises(SpecError, match="budget_s"):
        build(Diagnose, {"name": "calibration", "run": run.id, "budget_s": 5})
    with pytest.raises(RunError, match="queued"):
        moola.examine(store.create(run.spec), budget="5m")


@pytest.mark.soak
def test_a_run_without_faults_learns_a_few_windows_by_heart(store, demo_files):
    spec = change(
        preset("quick").finetune(), {"data.windows": str(demo_files["windows"]), "repeats": 1, "processes": 1}
    )
    made = store.create(spec)
    worker.run(made)
    own = moola.examine(made, budget="1h").experiments
    heart = next(one for one in own.tried if one.title.endswith("copies of each"))
    assert own.culprits == () and heart.auroc.value > 0.9


@pytest.mark.soak
def test_a_rate_that_is_far_too_low_is_found_by_real_fits(store, demo_files):
    slow = {"learning_rate": 1e-7, "weight_decay": 0.02, "repeats": 1, "processes": 1}
    made = store.create(change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | slow))
    worker.run(made)
    diagnosis = moola.examine(made, budget="1h")
    assert diagnosis.experiments.culprits == ("training.learning_rate",)
    assert diagnosis.findings[0].check == "experiments"
