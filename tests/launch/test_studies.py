from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from moola_core import studies
from moola_core.cli import main
from moola_core.errors import CheckpointError, DataError, RunError, SpecError
from moola_core.launch import worker
from moola_core.launch.worker import ahead, diagnose, doctor, study
from moola_core.launch.worker.held_out import FoldPretrainings
from moola_core.launch.worker.imported import import_predictions
from moola_core.launch.worker.pretrain import load_material
from moola_core.market.bars import load_bars
from moola_core.market.unlabelled import reach_bars
from moola_core.market.windows import load_windows
from moola_core.models.checkpoint import load_weights, weights_of
from moola_core.models.encoders import make_encoder
from moola_core.runs import Store
from moola_core.specs import Arm, Compare, Data, Finetune, Model, Predict, Study, change, parse
from moola_core.specs.pretrain import SAW

SMALL = {"epochs": 3, "repeats": 2, "folds": 2, "hidden": 4, "processes": 1}


def base_of(demo_files, **changes):
    data = {"windows": str(demo_files["windows"]), "bars": str(demo_files["bars"])}
    return studies.study("gradients", "quick", data, SMALL | changes).base


def small_study(demo_files, **changes) -> Study:
    base = base_of(demo_files, **changes)
    arms = (
        Arm(name="as it is"),
        Arm(name="no training", changes={"training.learning_rate": 0.0}),
        Arm(name="majority class", changes={"estimator": "majority"}),
        Arm(name="logistic", changes={"estimator": "logistic"}),
    )
    return Study(name="own", base=base, arms=arms, against="as it is")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def finish(store, spec, **named):
    run = store.create(spec, **named)
    worker.run(run)
    return run


def test_a_study_makes_ordinary_runs_on_the_same_folds_and_judges_them(store, demo_files):
    run = finish(store, small_study(demo_files))
    found, children = run.result("comparison"), [r for r in store.runs("finetune") if r.parent == run.id]
    assert len(children) == 4 and {r.state for r in children} == {"done"}
    assert len({r.data_hashes["folds"] for r in children}) == 1
    assert {v["arm"] for v in found["verdicts"] if v["metric"] == "f1_macro"} >= {"no training", "majority class"}
    assert found["sentence"] and not found["no_verdict"] and run.record.progress["done"] == 4
    rates = next(row for row in found["differences"] if row["name"] == "training.learning_rate")
    assert rates["values"]["no training"] == "0.0"
    majority = next(arm for arm in found["arms"] if arm["name"] == "majority class")
    assert majority["model"] == "majority" and majority["metrics"]["recall"]["consolidation"] in (0.0, 1.0)
    gains = found["gains"]["logistic"]
    assert len(gains) == 60 and gains[0]["gain"] >= gains[-1]["gain"]


@pytest.mark.parametrize("name", ["majority", "logistic", "extra_trees", "minirocket", "locate_then_classify"])
def test_every_baseline_predicts_every_window_and_new_ones(store, demo_files, name):
    base = change(base_of(demo_files, repeats=1), {"estimator": name, "columns": ("price_path",)})
    run = finish(store, base)
    table = run.predictions
    assert len(table) == 60 and table["predicted"].notna().all() and table["start_pred"].notna().all()
    assert np.allclose(table["p_consolidation"] + table["p_retracement"], 1)
    assert (table["end_pred"] >= table["start_pred"]).all() and run.result("evaluation")["windows"] == 60
    noise = run.record.facts.label_noise
    assert (noise is not None) == (name == "locate_then_classify")
    assert noise is None or len(noise.scatter_bars) == len(noise.misplaced_frac) == len(run.replicates())
    child = store.create(Predict(run=run.id, data=Data(windows=base.data.windows)))
    worker.run(child)
    predicted = child.table("predicted").to_pandas()
    assert len(predicted) >= 60 and predicted["start_pred"].notna().all()
    assert ("p_span" in predicted) == (name == "locate_then_classify") == ("p_span" in table)


@pytest.fixture(scope="module")
def transferred(demo_files, tmp_path_factory):
    """A finished transfer study with two pre-training seeds and a placebo, and its spec before arms were left out."""
    data = {"windows": str(demo_files["windows"]), "bars": str(demo_files["bars"])}
    whole = studies.study("transfer", "quick", data, SMALL | ENCODER)
    kept = ("from scratch", "frozen", "full", "placebo", "majority class")
    spec = whole.model_copy(update={"arms": tuple(arm for arm in whole.arms if arm.name in kept)})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("moola_core.estimators.extra_trees.TREES", 20)
        return finish(Store(tmp_path_factory.mktemp("transferred")), spec), whole


@pytest.fixture
def no_shift(monkeypatch):
    """Whether the domains differ takes as long as the rest of a small study; `transferred` has it."""
    monkeypatch.setattr(study, "_write_shift", lambda run, pretrain: None)


@pytest.fixture
def only_transfer(monkeypatch):
    """Of what is computed of a run, what was transferred to it alone; `transferred` has all of it."""
    monkeypatch.setattr(diagnose, "RUN_DIAGNOSTICS", {"transfer": diagnose.RUN_DIAGNOSTICS["transfer"]})
    monkeypatch.setattr(doctor, "store", lambda run: None)


def test_transfer_pretrains_with_several_seeds_which_all_its_arms_use_in_turn(transferred):
    run, store = transferred[0], Store(transferred[0].store_root)
    encoders = [r for r in store.runs("pretrain") if not store.open(r.run_id).spec.sampling.shuffled]
    seeds = {store.open(r.run_id).spec.training.seed: r.run_id for r in encoders}
    assert len(seeds) == 2 and {r.parent for r in encoders} == {run.id}, "three at most, and no more than repeats"
    transfers = [store.open(r.run_id).spec.transfer for r in store.runs("finetune") if r.name != "transfer: placebo"]
    used = {(one.checkpoint, *one.more_checkpoints) for one in transfers}
    assert used == {("",), tuple(seeds[seed] for seed in sorted(seeds))}
    frozen = next(r for r in store.runs("finetune") if r.name == "transfer: frozen")
    assert {"checkpoint", "checkpoint1"} <= frozen.data_hashes.keys()
    weights = [
        load_weights(store.open(frozen.run_id).replicates()[repeat, 0] / "weights.safetensors") for repeat in (0, 1)
    ]
    ours = [load_weights(store.open(seeds[seed]).folder / "checkpoints" / "best.safetensors") for seed in sorted(seeds)]
    name = next(name for name in ours[0] if name.endswith("weight_hh_l0"))
    for fit, encoder in zip(weights, ours, strict=True):
        assert any(np.array_equal(encoder[name], part) for part in fit.values() if part.shape == encoder[name].shape)
    shares = [row["pretraining_share"] for row in run.result("comparison")["verdicts"]]
    assert min(shares) >= 0 and max(shares) < 1
    best = run.result("comparison")["selection"]
    scores = {arm["name"]: arm["metrics"]["f1_macro"] for arm in run.result("comparison")["arms"]}
    assert best["name"] == max(scores, key=scores.get) and best["measured"] == pytest.approx(max(scores.values()))
    names = {row["name"] for row in run.result("comparison")["differences"]}
    assert {"transfer.schedule", "trainable parameters"} <= names
    unequal = {row["name"]: row["values"] for row in run.result("comparison")["unequal"]}
    assert unequal["size"]["frozen"] != unequal["size"]["full"] and not {"windows", "folds", "seeds"} & set(unequal)
    assert run.result("shift").keys() & {"domain", "why_not"}, "whether the domains differ is measured with the study"


def per_fold_study(demo_files, **changes):
    data = {"windows": str(demo_files["windows"]), "bars": str(demo_files["bars"])}
    own = {"pretrain.training.epochs": 1, "pretrain.sampling.stride_bars": 60, "pretrain.sampling.labelled": "per_fold"}
    spec = studies.study("transfer", "quick", data, SMALL | own | changes)
    return spec.model_copy(update={"arms": tuple(arm for arm in spec.arms if arm.name in ("from scratch", "frozen"))})


def test_no_encoder_of_a_fold_was_trained_on_a_bar_that_its_fold_tests_or_stops_on(
    store, demo_files, no_shift, only_transfer
):
    """Bar by bar, from what is stored: the folds of the run, the windows' places and the windows of each pre-training."""
    run = finish(store, per_fold_study(demo_files).model_copy(update={"pretraining_seeds": 2}))
    encoders = {r.run_id: store.open(r.run_id) for r in store.runs("pretrain")}
    tuned = store.open(next(r.run_id for r in store.runs("finetune") if r.name == "transfer: frozen"))
    transfer, folds = tuned.spec.transfer, tuned.folds
    assert len(encoders) == 4 and len(transfer.encoders) == 4 and transfer.fold_checkpoints == 2
    bars = load_bars(demo_files["bars"])
    windows = load_windows(demo_files["windows"], None, bars)
    place = dict(zip(windows.window_id.astype(str), windows.position, strict=True))
    for (repeat, fold), rows in folds.groupby(["repeat", "fold"]):
        encoder = encoders[transfer.encoders[transfer.encoder_of(repeat, fold)]]
        sample = load_material(encoder.spec, store.root / "cache").sample
        seen = np.zeros(len(bars), bool)
        for first in (*sample.train, *sample.valid):
            seen[first : first + reach_bars(encoder.spec)] = True
        held = rows[rows["role"].isin(["test", "inner"])]["window_id"]
        trained = rows[rows["role"] == "train"]["window_id"]
        assert len(held) and not any(seen[place[name] : place[name] + windows.bars].any() for name in held)
        assert sum(seen[place[name] : place[name] + windows.bars].any() for name in trained) > len(trained) / 2
        assert encoder.spec.training.seed == 17 + repeat
        fitted = load_weights(tuned.replicates()[repeat, fold] / "weights.safetensors")
        before = load_weights(encoder.folder / "checkpoints" / "best.safetensors")
        frozen = [name for name in before if name.startswith("encoder.")]
        assert frozen and all(np.array_equal(before[name], fitted[name]) for name in frozen)
    comparison = run.result("comparison")
    assert comparison["saw"].startswith("Each fold of each repeat had a pre-training of its own")
    assert tuned.result("transfer")["saw"] == "per_fold" and tuned.record.facts.pretraining_seeds == (17, 18)
    other = change(tuned.spec, {"transfer.more_checkpoints": (), "transfer.fold_checkpoints": 1})
    torn = finish(store, other)
    assert torn.result("transfer")["saw"] == "see", "an encoder of one fold has seen what the others test"
    assert any("also of those that a fold tests" in warning for warning in torn.record.warnings)


@pytest.mark.usefixtures("unexamined")
def test_a_study_says_what_its_pretraining_saw_and_a_resumed_one_makes_no_encoder_twice(
    store, demo_files, capsys, no_shift
):
    spec = per_fold_study(demo_files, **{"pretrain.sampling.labelled": "see", "repeats": 1})
    run = finish(store, spec)
    assert run.result("comparison")["saw"] == SAW["see"] and len(store.runs("pretrain")) == 1
    run.update(state="cancelled")
    worker.resume(run)
    assert run.record.state == "done" and len(store.runs("pretrain")) == 1
    whole = per_fold_study(demo_files, repeats=3)
    assert whole.pretraining_counts == {"exclude": 3, "per_fold": 6, "see": 3}
    folds = FoldPretrainings(whole, store.root / "cache").of("frozen")
    assert len(folds) == 6 and len({one.sampling.left_out for one in folds}) == 6
    assert FoldPretrainings(whole, store.root / "cache").of("frozen") == folds
    with pytest.raises(SystemExit):
        main(["study", "--help"])
    said = capsys.readouterr().out
    assert all(f"pretrain.sampling.labelled={word}" in said for word in ("exclude", "per_fold", "see"))


def test_a_transfer_study_has_a_placebo_that_is_compared_and_never_recommended(transferred):
    (run, spec), store = transferred, Store(transferred[0].store_root)
    assert spec.placebos == {"full": "placebo"} and not any("placebo" in note for note in spec.notes)
    plain, inert = [], []
    for record in store.runs("pretrain"):
        encoder = store.open(record.run_id)
        (inert if encoder.spec.sampling.shuffled else plain).append(encoder)
    assert len(plain) == len(inert) == 2 and {e.spec.training.seed for e in plain} == {
        e.spec.training.seed for e in inert
    }
    for one, other in zip(*(sorted(part, key=lambda e: e.spec.training.seed) for part in (plain, inert)), strict=True):
        assert one.record.facts.train == other.record.facts.train and one.record.progress == other.record.progress
        samples = [load_material(each.spec, store.root / "cache") for each in (one, other)]
        assert np.array_equal(samples[0].sample.train, samples[1].sample.train)
        same = [samples[i].windows.take(samples[0].sample.train[:4]).numpy() for i in (0, 1)]
        assert not np.allclose(*same) and any("placebo" in warning for warning in other.record.warnings)
    found = run.result("comparison")
    pairs = {(row["arm"], row["against"]) for row in found["verdicts"]}
    assert {("full", "from scratch"), ("placebo", "from scratch"), ("full", "placebo")} <= pairs
    assert not any(
        arm == "placebo" and against == "majority class" for arm, against in pairs | {p[::-1] for p in pairs}
    )
    for row in found["verdicts"]:
        if row["against"] == "placebo":
            assert row["p_holm"] == row["p"], "alone in its family"
    assert found["placebos"] == {"full": "placebo"} and "placebo" not in found["selection"]["share"]
    assert "placebo" not in found["better_baselines"] and "its placebo, which was pre-trained" in found["sentence"]
    data = {"windows": spec.base.data.windows, "bars": spec.base.data.bars}
    given = studies.study("transfer", "quick", data, SMALL, "some.safetensors")
    assert not given.placebos and any("no placebo" in note for note in given.notes)


def test_what_a_placebo_sees_mixes_no_bars_that_are_to_stay_apart(store, demo_files):
    spec = studies.study("transfer", "quick", {name: str(demo_files[name]) for name in ("windows", "bars")}, ENCODER)
    bars = load_bars(demo_files["bars"])
    windows = load_windows(demo_files["windows"], None, bars)
    placebo = change(
        spec.pretraining_of("placebo"), {"labelled": "per_fold", "left_out": tuple(windows.window_id[:20])}
    )
    material = load_material(placebo, store.root / "cache")
    held = np.zeros(len(bars), bool)
    for first in windows.position[:20]:
        held[first : first + windows.bars] = True
    later = np.arange(len(bars)) >= material.sample.valid.min()
    before = np.r_[bars.ohlc[0, 0], bars.ohlc[:-1, 3]]
    before[bars.breaks] = bars.ohlc[bars.breaks, 0]
    true = np.round(np.log(bars.ohlc[:, 3] / before), 12)
    mixed = material.windows.ohlc
    seen = np.round(np.log(mixed[:, 3] / np.r_[mixed[0, 0], mixed[:-1, 3]]), 12)
    own = set(true[held & ~later]) - set(true[~held | later])  # moves of no other bar
    assert len(own) > 100 and not own & set(seen[~held & ~later])
    assert np.allclose(np.sort(true[later & ~held]), np.sort(seen[later & ~held]), atol=1e-9)


@pytest.mark.usefixtures("unexamined")
def test_an_arm_that_fails_is_left_out_but_the_baseline_must_not(store, demo_files):
    spec = small_study(demo_files)
    broken = Arm(
        name="broken",
        changes={
            "training.learning_rate": 1.0,
            "training.max_grad_norm": 1e9,
            "features.standardise": False,
            "data.bars": "gone.parquet",
        },
    )
    run = finish(store, spec.model_copy(update={"arms": (*spec.arms[:1], broken, *spec.arms[2:])}))
    assert "broken is left out" in run.record.warnings[0] and len(run.result("comparison")["arms"]) == 3
    with pytest.raises(Exception, match=r"gone\.parquet"):
        finish(store, spec.model_copy(update={"base": change(spec.base, {"data.bars": "gone.parquet"})}))


@pytest.mark.soak
def test_a_killed_study_goes_on_where_it_was_and_comes_to_the_same_verdict(store, demo_files, tmp_path):
    spec = small_study(demo_files, epochs=6)
    spec = spec.model_copy(update={"arms": (spec.arms[0], spec.arms[2])})  # the network, and one that needs no training
    whole = finish(store, spec)
    run = store.create(spec)
    script = "import sys; from moola_core.runs.store import Run; from moola_core.launch import worker; from pathlib import Path; worker.run(Run(Path(sys.argv[1])))"
    process = subprocess.Popen([sys.executable, "-c", script, str(run.folder)], start_new_session=True)
    kept: dict = {}
    while process.poll() is None:
        children = run.record.facts.children
        if children:
            child = store.open(next(iter(children.values())))
            if len(child.replicates()) >= 2:
                kept = hashes(child)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        time.sleep(0.02)
    assert len(kept) >= 2
    assert next(r.state for r in store.runs("study") if r.run_id == run.id) == "lost"
    worker.resume(run)
    again = hashes(child)
    assert all(again[name] == digest for name, digest in kept.items()) and len(again) == 8
    verdicts = [json.dumps(one.result("comparison")["verdicts"]) for one in (run, whole)]
    assert verdicts[0] == verdicts[1]


def hashes(run) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in run.replicates().values()
        for path in (folder / "predictions.parquet", folder / "weights.safetensors")
    }


@pytest.mark.usefixtures("unexamined")
def test_runs_on_other_folds_or_windows_are_shown_without_a_verdict(store, demo_files):
    base = base_of(demo_files, epochs=1, repeats=1)
    first, other = (finish(store, change(base, {"seed": seed})) for seed in (1, 2))
    run = finish(store, Compare(runs=(first.id, other.id)))
    found = run.result("comparison")
    assert found["verdicts"] == [] and "different folds" in found["no_verdict"] and len(found["arms"]) == 2
    with pytest.raises(RunError, match="cannot be compared with itself"):
        finish(store, Compare(runs=(first.id, first.id)))


@pytest.mark.usefixtures("unexamined")
def test_fewer_labels_leave_the_test_folds_as_they_are(store, demo_files):
    base = base_of(demo_files, epochs=1, repeats=1)
    whole, half = (finish(store, change(base, {"train_size": share})) for share in (1.0, 0.5))
    assert whole.record.data_hashes["folds"] == half.record.data_hashes["folds"]
    told = [
        next(e for e in run.events() if e["type"] == "replicate_started")["values"]["train"] for run in (whole, half)
    ]
    assert told[1] == pytest.approx(told[0] / 2, abs=2)


def test_studies_say_what_is_wrong_with_them(demo_files):
    data = {"windows": str(demo_files["windows"])}
    with pytest.raises(SpecError, match="pre-trains, which needs bars"):
        studies.study("transfer", "quick", data)
    with pytest.raises(SpecError, match="unknown study 'gradint'"):
        studies.study("gradint", "quick", data)
    good = studies.study("tasks", "quick", data).model_dump(mode="json")
    for wrong, words in (
        ({"against": "nobody"}, "is no arm"),
        ({"arms": [good["arms"][0]] * 2, "against": good["arms"][0]["name"]}, "same name"),
        ({"arms": [good["arms"][0], {"name": "x", "changes": {"training.seed": 3}}]}, "share folds and seeds"),
        ({"arms": [good["arms"][0], {"name": "x", "changes": {"loss.hubre_delta": 3}}]}, "huber_delta"),
    ):
        with pytest.raises(SpecError, match=words):
            parse(good | wrong)


@pytest.mark.parametrize("name", list(studies.NAMED))
def test_every_named_study_can_be_asked_for(demo_files, name):
    data = {"windows": str(demo_files["windows"]), "bars": str(demo_files["bars"])}
    spec = studies.study(name, "quick", data)
    assert parse(spec.model_dump_json()) == spec and spec.against == spec.arms[0].name
    assert {"majority class", "logistic on aggregates"} <= {arm.name for arm in spec.arms}


ENCODER = {
    "pretrain.training.epochs": 1,
    "pretrain.sampling.stride_bars": 60,
    "pretrain.sampling.labelled": "see",
}


ALSO = [pytest.param(name, marks=pytest.mark.soak) for name in ("objectives", "pretraining-data")]


@pytest.mark.parametrize("name", ["transfer", *ALSO])
def test_a_study_that_the_bars_are_too_few_for_is_refused_before_anything_starts(store, demo_files, capsys, name):
    files = ["--windows", str(demo_files["windows"]), "--bars", str(demo_files["bars"])]
    assert main(["study", name, *files, "--preset", "quick", "--store", str(store.root)]) == 2
    said = capsys.readouterr()
    assert re.search(
        r"only \d+ of 76\d windows are left for pre-training, fewer than 100: .*share bars with labelled", said.err
    )
    assert "pretrain.sampling.labelled=per_fold (" in said.err and "25 pre-trainings" in said.err
    assert "pretrain.sampling.labelled=see (" in said.err and said.out == "" and store.runs() == []
    data = {"windows": str(demo_files["windows"]), "bars": str(demo_files["bars"])}
    queued = store.create(studies.study(name, "quick", data, SMALL))
    with pytest.raises(DataError, match="left for pre-training"):
        worker.run(queued)
    assert queued.record.state == "failed" and [record.kind for record in store.runs()] == ["study"]


def test_an_encoder_that_does_not_fit_is_refused_before_anything_is_trained(store, demo_files, tmp_path):
    data = {"windows": str(demo_files["windows"]), "bars": str(demo_files["bars"])}
    apart = studies.study("transfer", "quick", data, SMALL | ENCODER | {"pretrain.model.hidden": 8})
    with pytest.raises(SpecError, match=r"arm frozen.*would not fit.*model\.hidden 8 and 4"):
        worker.run(store.create(apart))
    torn = store.root / "encoder.safetensors"
    for path, words in ((store.root / "none.safetensors", "no checkpoint"), (torn, "cannot be read")):
        torn.write_bytes(b"nothing")
        with pytest.raises(CheckpointError, match=words):
            worker.run(store.create(studies.study("transfer", "quick", data, SMALL, str(path))))
    weights = weights_of(make_encoder(12, Model(layers=1, hidden=4, normalisation="batch")))
    small = str(tmp_path / "small.safetensors")
    save_file({f"encoder.{name}": value for name, value in weights.items()}, small)
    ahead.refuse(studies.study("transfer", "quick", data, SMALL, small), store.root)
    larger = studies.study("transfer", "quick", data, SMALL | {"hidden": 8}, small)
    with pytest.raises(CheckpointError, match=r"arm frozen.*--set model\.hidden=4"):
        worker.run(store.create(larger))
    all_sizes = studies.study(
        "architectures", "quick", data, SMALL | {"transfer.checkpoint": small, "transfer.schedule": "full"}
    )
    with pytest.raises(CheckpointError, match=r"arm 1×96, dropout 0\.5"):
        worker.run(store.create(all_sizes))
    assert store.runs("finetune") == []


def test_a_study_none_of_whose_arms_could_be_trained_is_never_done(store, demo_files, monkeypatch):
    """The pre-training passes what can be counted and fails on its way: what is left compares nothing that was asked."""
    data = {"windows": str(demo_files["windows"]), "bars": str(demo_files["bars"])}
    run = store.create(studies.study("transfer", "quick", data, SMALL | ENCODER))

    def execute(child, listen):
        if child.record.kind == "pretrain":
            raise RunError("The loss is not a number from epoch 1 on.")
        child.update(state="done")

    with pytest.raises(RunError, match=r"question of the study is not answered.*loss is not a number"):
        study.work(run, None, execute)
    assert run.record.facts.untrained.keys() == {"frozen", "gradual", "full", "placebo"}
    assert not (run.folder / "results" / "comparison.json").exists()


def test_studies_of_two_tasks_are_refused_where_no_window_has_a_pointer(store, demo_files, tmp_path):
    table = pd.read_parquet(demo_files["windows"]).assign(expansion_start=np.nan, expansion_end=np.nan)
    table.to_parquet(tmp_path / "windows.parquet")
    for name, refused in (("tasks", True), ("losses", True), ("gradients", True), ("patience", False)):
        spec = studies.study(name, "quick", {"windows": str(tmp_path / "windows.parquet")}, SMALL)
        if refused:
            with pytest.raises(DataError, match=r"none of the \d+ windows has a pointer"):
                ahead.refuse(spec, store.root)
        else:
            ahead.refuse(spec, store.root)


def test_imported_predictions_are_a_run_like_any_other(store, demo_files, tmp_path):
    base = base_of(demo_files, epochs=1)
    ours = finish(store, base)
    path = tmp_path / "theirs.csv"
    ours.predictions[
        ["repeat", "fold", "window_id", "p_consolidation", "p_retracement", "start_pred", "end_pred"]
    ].to_csv(path)
    spec = Finetune(estimator="imported", data=base.data)
    run = import_predictions(store, path, spec)
    assert run.record.state == "done" and "needs the weights" not in run.record.error and "imported" in run.record.tags
    for name in ("f1_macro", "auroc", "ece", "center_mae_bars"):
        assert run.result("evaluation")["metrics"][name]["mean"] == pytest.approx(
            ours.result("evaluation")["metrics"][name]["mean"]
        )
    assert run.result("calibration")["repeats"] and "no transfer" in run.result("transfer")["why_not"]
    found = finish(store, Compare(runs=(ours.id, run.id))).result("comparison")
    assert {row["verdict"] for row in found["verdicts"]} == {"equivalent"}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.drop(columns="fold"), "no column fold"),
        (lambda t: t.assign(p_consolidation=t["p_consolidation"] + 0.5), "sum 1"),
        (lambda t: t.assign(window_id="nobody"), "no window that takes part"),
        (lambda t: t.assign(window_id=t["window_id"].iloc[0]), "twice"),
    ],
)
def test_predictions_that_cannot_be_imported_say_why(store, demo_files, tmp_path, spoil, words):
    windows = load_windows(demo_files["windows"]).trainable()[0]
    n = np.arange(len(windows))
    table = pd.DataFrame({"window_id": windows.window_id, "fold": n % 5, "p_consolidation": 0.4, "p_retracement": 0.6})
    spoil(table).to_parquet(tmp_path / "bad.parquet")
    spec = Finetune(estimator="imported", data=Data(windows=str(demo_files["windows"])))
    with pytest.raises(DataError, match=words):
        import_predictions(store, tmp_path / "bad.parquet", spec)
    assert store.runs() == []


@pytest.mark.usefixtures("unexamined")
def test_a_network_of_one_task_is_judged_by_the_metrics_of_its_task(store, demo_files):
    data = {"windows": str(demo_files["windows"])}
    asked = studies.study("tasks", "quick", data, SMALL)
    asked = asked.model_copy(update={"arms": tuple(arm for arm in asked.arms if not arm.baseline)})
    rows = finish(store, asked).result("comparison")["verdicts"]
    decides = {(row["arm"], row["metric"]) for row in rows if row["decides"]}
    assert decides == {("class only", "auroc"), ("pointers only", "hit_at_3")}
