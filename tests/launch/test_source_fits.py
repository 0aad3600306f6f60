"""Fits that start from fits of another run: whose weights they are, what is refused, and that no tested window was seen before."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from moola_core.adoption import adopt, values_of
from moola_core.cli import main
from moola_core.errors import CheckpointError, SpecError
from moola_core.launch import worker
from moola_core.launch.confinement import confine
from moola_core.launch.training_specs import finetune_spec
from moola_core.launch.worker import doctor, unseen
from moola_core.launch.worker.labelled import starts_of
from moola_core.market.demo import make_demo, write_demo
from moola_core.market.windows import load_windows
from moola_core.models.checkpoint import load_weights
from moola_core.presets import preset
from moola_core.runs import references
from moola_core.runs.checkpoints import description_of, fitted_networks, resolve, start_from
from moola_core.runs.facts import TakenOver
from moola_core.runs.pack import pack
from moola_core.runs.record import run_of
from moola_core.runs.store import Run, Store
from moola_core.runs.unpack import unpack
from moola_core.specs import Arm, Finetune, Study, change, settings_diff
from moola_core.specs.pretrain import SAW

SMALL = {"epochs": 2, "folds": 2, "hidden": 4, "processes": 1, "repeats": 1}
CLASS = {"tasks": "class", "pcgrad": False}


@pytest.fixture(scope="module")
def windows(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("market")
    write_demo(folder, make_demo("helpful", bars=12_000, windows=40, seed=3))
    return str(folder / "windows.parquet")


def finished(store: Store, spec: Finetune | Study) -> Run:
    run = store.create(spec)
    worker.run(run)
    return run


def spec_of(windows: str, root, checkpoint: str = "", **changes) -> Finetune:
    return finetune_spec("quick", {"windows": windows}, {**SMALL, **changes}, checkpoint, root)


@pytest.fixture(scope="module")
def source(tmp_path_factory, windows) -> Run:
    """A finished network of the class alone, of two folds."""
    store = Store(tmp_path_factory.mktemp("sources"))
    return finished(store, spec_of(windows, store.root, **CLASS))


@pytest.fixture(scope="module")
def frozen(source, windows) -> Run:
    """The pointers added to it, with the encoders of its fits as they are."""
    return finished(Store(source.store_root), spec_of(windows, source.store_root, source.id, schedule="frozen"))


def weights(run: Run, fit: tuple[int, int]) -> dict[str, np.ndarray]:
    every = load_weights(run.replicates()[fit] / "weights.safetensors")
    return {name: array for name, array in every.items() if name.startswith(("encoder.", "scale."))}


def test_a_preset_that_is_kept_from_such_a_run_starts_from_the_same_fits(
    source, frozen, windows, tmp_path, monkeypatch
):
    monkeypatch.setenv("MOOLA_DATA", str(tmp_path))
    values = json.loads(adopt(frozen, "kept").read_text(encoding="utf-8"))
    assert values["start"] == source.id and values["schedule"] == "frozen"
    again = finetune_spec("kept", {"windows": windows}, {}, "", source.store_root)
    assert {name for name in settings_diff(again, frozen.spec) if frozen.spec.reads(name)} == {"preset"}
    other = finetune_spec("kept", {"windows": windows}, {"estimator": "logistic"}, "", source.store_root)
    assert other.transfer.checkpoint == "", "another model has no encoder to start"
    one = change(frozen.spec, {"transfer.more_checkpoints": (), "transfer.fold_checkpoints": 1})
    assert values_of(frozen, one, "")["start"] == f"{source.id}/000-00"
    named = preset("kept").start
    (tmp_path / "presets" / "kept.json").write_text(json.dumps(values | {"start": 7}), encoding="utf-8")
    assert named == source.id
    with pytest.raises(SpecError, match="names no run"):
        preset("kept")
    assert "start" not in values_of(source, source.spec, "")


def test_a_run_stands_for_all_of_its_fits_and_keeps_its_folds(source, windows):
    spec = spec_of(windows, source.store_root, source.id, schedule="full")
    assert spec.transfer.encoders == (f"{source.id}/000-00", f"{source.id}/000-01")
    assert spec.transfer.fold_checkpoints == 2 and spec.model.tasks == "both"
    named = spec_of(windows, source.store_root, **{"transfer.checkpoint": source.id, "schedule": "full"})
    assert named == spec, "by the setting as by the flag"
    plain = finetune_spec("quick", {"windows": windows}, {"epochs": 2}, source.id, source.store_root)
    own = source.spec
    assert plain.model.hidden == 4 and plain.features.columns == own.features.columns
    assert (plain.training.folds, plain.training.repeats, plain.training.seed) == (2, 1, own.training.seed)


def test_each_fit_starts_from_the_encoder_of_its_own_repeat_and_fold(source, frozen):
    for fit in ((0, 0), (0, 1)):
        before, after = weights(source, fit), weights(frozen, fit)
        assert before.keys() == after.keys() and any(name.startswith("encoder.") for name in before)
        assert all(np.array_equal(before[name], after[name]) for name in before), fit
    other = weights(source, (0, 1))
    assert any(not np.array_equal(other[name], array) for name, array in weights(frozen, (0, 0)).items())
    assert frozen.record.facts.saw == "fit" and frozen.result("transfer")["saw"] == "fit"
    assert frozen.predictions["start_pred"].notna().all() and SAW["fit"]


def test_no_fit_tests_a_window_that_its_source_was_trained_or_stopped_on(source, frozen):
    for fit in frozen.replicates():
        tested, seen = (
            {
                *rows[(rows["repeat"] == fit[0]) & (rows["fold"] == fit[1]) & rows["role"].isin(roles)]["window_id"],
            }
            for rows, roles in ((frozen.folds, ("test",)), (source.folds, ("train", "inner")))
        )
        assert tested and seen and not tested & seen


LEAKS = {
    "another seed": ({"seed": 5}, "--set training.seed=17"),
    "more repeats": ({"repeats": 2}, "it has 1 repeat and this run 2"),
    "one fit for all folds": ({"more_checkpoints": (), "fold_checkpoints": 1}, "windows"),
}


@pytest.mark.parametrize(("changes", "words"), LEAKS.values(), ids=LEAKS)
def test_a_run_that_would_test_what_its_sources_saw_is_refused_before_it_trains(source, windows, changes, words):
    store = Store(source.store_root)
    run = store.create(spec_of(windows, store.root, source.id, schedule="full", **changes))
    with pytest.raises(CheckpointError, match="were trained or stopped on") as refused:
        worker.run(run)
    assert (
        words in str(refused.value)
        and source.id in str(refused.value)
        and "Keep the data, the seed" in str(refused.value)
    )
    assert not run.replicates() and run.record.state == "failed"
    problem = next(one for one in doctor.planned(run.spec, store.root).findings if one.check == "checkpoint_unfit")
    assert source.id in problem.summary


def test_the_number_of_windows_that_were_seen_is_that_of_the_folds(source, windows):
    spec = spec_of(windows, source.store_root, source.id, schedule="full", more_checkpoints=(), fold_checkpoints=1)
    rows = source.folds
    both = set(rows[(rows["fold"] == 0) & rows["role"].isin(["train", "inner"])]["window_id"])
    tested = set(rows[(rows["fold"] == 1) & (rows["role"] == "test")]["window_id"])
    with pytest.raises(CheckpointError, match=rf" {len(both & tested)} windows "):
        worker.run(Store(source.store_root).create(spec))


@pytest.mark.usefixtures("unexamined")
def test_windows_are_known_by_their_prices_in_other_data(source, windows, tmp_path):
    """Other ids and prices that are shifted by a constant are the same windows; another market has none of them."""
    frame = pd.read_parquet(windows)
    shifted = [[[price + 7.0 for price in bar] for bar in one] for one in frame["features"]]
    path = tmp_path / "renamed.parquet"
    frame.assign(window_id=[f"w{i}" for i in range(len(frame))], features=shifted).to_parquet(path)
    store = Store(source.store_root)
    spec = spec_of(str(path), store.root, source.id, schedule="full", seed=5)
    with pytest.raises(CheckpointError, match="were trained or stopped on"):
        worker.run(store.create(spec))
    write_demo(tmp_path / "other", make_demo("helpful", bars=12_000, windows=40, seed=8))
    other = str(tmp_path / "other" / "windows.parquet")
    away = spec_of(other, store.root, source.id, schedule="full", seed=5)
    assert unseen.saw_by_fits(away.transfer, store.root) == "fit"
    assert finished(store, away).record.state == "done"


def test_what_a_source_started_from_counts_too(frozen, windows):
    """Fits of fits: the run in the middle forgets a window, and the first has seen it."""
    sources = unseen._Sources(frozen.store_root, load_windows(windows).trainable(("D",))[0])
    first, second = (
        sources.seen_by(f"{run.id}/000-00")
        for run in (Run(frozen.folder.with_name(run_of(frozen.spec.transfer.checkpoint))), frozen)
    )
    assert first and first == second
    rows = frozen.folds
    kept = rows[rows["role"] == "test"]
    copy = frozen.folder.with_name("20260101-000000-000-aaaa")
    shutil.copytree(frozen.folder, copy)
    kept.to_parquet(copy / "folds.parquet")
    sources = unseen._Sources(frozen.store_root, load_windows(windows).trainable(("D",))[0])
    assert sources.seen_by(f"{copy.name}/000-00") == first
    shutil.rmtree(copy)


@pytest.mark.usefixtures("unexamined")
def test_what_cannot_be_started_from_is_refused_in_a_sentence(source, windows, tmp_path):
    store = Store(source.store_root)
    simple = finished(store, change(source.spec, {"estimator": "majority"}))
    waiting = store.create(source.spec)
    refused = {
        f"{source.id}/000-02": "no fit of repeat 0 and fold 2; both count from 0, and it has 1 repeat of 2 folds",
        f"{source.id}/001-00": "no fit of repeat 1 and fold 0",
        "20260101-000000-000-aaaa/000-00": "cannot be opened: no run 20260101-000000-000-aaaa",
        f"{simple.id}/000-00": "of the model majority, whose fits have no encoder",
        source.id: "each of its fits has an encoder of its own",
    }
    for reference, words in refused.items():
        with pytest.raises(CheckpointError) as error:
            resolve(reference, store.root)
        assert words in str(error.value), reference
    for reference, words in ((simple.id, "have no encoder"), (waiting.id, "is queued, so that not all of its fits")):
        with pytest.raises(CheckpointError) as error:
            start_from(reference, "full", store.root)
        assert words in str(error.value)
    with pytest.raises(CheckpointError, match=r"model.hidden is 8 in the settings and 4"):
        spec_of(windows, store.root, source.id, schedule="full", hidden=8)
    with pytest.raises(CheckpointError, match=r"features.columns"):
        spec_of(windows, store.root, source.id, schedule="full", **{"features.columns": ["price_path"]})
    with pytest.raises(SpecError, match="fold_checkpoints=2 needs as many folds"):
        spec_of(windows, store.root, source.id, schedule="full", folds=3)


def test_a_source_that_was_deleted_is_missed_in_a_sentence(source, windows, tmp_path):
    store = Store(tmp_path)
    shutil.copytree(source.folder, store.runs_folder / source.id)
    run = store.create(spec_of(windows, store.root, source.id, schedule="full"))
    store.delete(source.id)
    with pytest.raises(CheckpointError, match=rf"the run {source.id}, from whose fits to start, cannot be opened"):
        worker.run(run)


def test_a_run_needs_its_source_and_names_no_file(source, frozen):
    assert source.id in references.needs(frozen) and frozen.spec.data.windows in references.files(frozen)
    assert not any(source.id in path for path in references.files(frozen))
    confine(change(frozen.spec, {"data.windows": ""}), [])
    assert run_of(f"{source.id}/000-00") == run_of(source.id) == source.id and run_of("a/000-00") == ""
    assert {one.reference for one in fitted_networks(source.store_root)} >= {source.id, frozen.id}
    described = description_of(f"{source.id}/000-01", source.store_root)
    assert described.columns == source.spec.features.columns and described.window_bars == 105
    assert described.standardise == source.spec.features.standardise and described.scale is not None


def test_a_packed_run_takes_its_source_along_and_starts_from_it_elsewhere(source, frozen, tmp_path):
    packed = pack(Store(frozen.store_root), [frozen.id], tmp_path / "runs.zip")
    assert set(packed.runs) == {source.id, frozen.id}
    there = Store(tmp_path / "there")
    unpack(tmp_path / "runs.zip", there, tmp_path / "data")
    ours, theirs = starts_of(frozen), starts_of(there.open(frozen.id))
    assert len(ours) == len(theirs) == 2
    for here, away in zip(ours, theirs, strict=True):
        assert all(np.array_equal(here.weights[name], away.weights[name]) for name in here.weights)
        assert np.array_equal(here.mean, away.mean) and here.features == away.features


@pytest.mark.usefixtures("unexamined")
def test_fits_of_other_sources_are_never_taken_for_the_same(source, windows):
    """Of two arms that differ in nothing but where their fits start, and of a third that starts where the first does."""
    store = Store(source.store_root)
    longer = finished(store, change(source.spec, {"epochs": 3}))
    base = spec_of(windows, store.root)

    def arm(run: Run) -> dict:
        own = start_from(run.id, "full", store.root)
        return {
            name: own[f"transfer.{name}"] for name in ("checkpoint", "more_checkpoints", "fold_checkpoints", "schedule")
        }

    changes = [{f"transfer.{name}": value for name, value in arm(run).items()} for run in (source, longer, source)]
    arms = tuple(Arm(name=name, changes=own) for name, own in zip("abc", changes, strict=True))
    made = finished(store, Study(name="own", base=base, arms=arms, against="a"))
    runs = {one["name"]: store.open(one["run_id"]) for one in made.result("comparison")["arms"]}
    assert runs["b"].record.facts.taken_over is None
    assert runs["c"].record.facts.taken_over == TakenOver(runs["a"].id, 2)
    probabilities = {name: run.predictions.filter(like="p_").to_numpy() for name, run in runs.items()}
    assert np.array_equal(probabilities["a"], probabilities["c"])
    assert not np.array_equal(probabilities["a"], probabilities["b"])


@pytest.mark.usefixtures("unexamined")
@pytest.mark.parametrize("encoder", ["inception"])
def test_any_encoder_can_be_started_from(tmp_path, windows, encoder):
    store = Store(tmp_path)
    run = finished(store, spec_of(windows, store.root, encoder=encoder, epochs=1, **CLASS))
    spec = spec_of(windows, store.root, run.id, schedule="frozen", epochs=1)
    assert spec.model.encoder == encoder
    after = finished(store, spec)
    assert all(np.array_equal(array, weights(after, (0, 1))[name]) for name, array in weights(run, (0, 1)).items())


@pytest.mark.usefixtures("unexamined")
def test_the_command_takes_a_run_and_says_what_is_wrong(source, windows, capsys):
    command = [
        "finetune",
        "--windows",
        windows,
        "--preset",
        "quick",
        "--store",
        str(source.store_root),
        "--checkpoint",
        source.id,
    ]
    command += ["--set", "epochs=2", "--set", "processes=1", "--json"]
    assert main(command) == 0
    run = Store(source.store_root).open(json.loads(capsys.readouterr().out)["run_id"])
    assert run.spec.transfer.encoders == (f"{source.id}/000-00", f"{source.id}/000-01")
    assert main([*command, "--set", "seed=5"]) != 0
    assert "were trained or stopped on" in capsys.readouterr().err
