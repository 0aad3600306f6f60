"""Two runs as one model: what is kept of each, what it predicts, and what is refused."""

from __future__ import annotations

import json
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

import moola_core as moola
from moola_core.cli import main
from moola_core.errors import CheckpointError, RunError, SpecError
from moola_core.launch import worker
from moola_core.presets import preset
from moola_core.reports.export import export
from moola_core.runs import Run, Store
from moola_core.runs.joined import join_spec, parts_of
from moola_core.runs.pack import pack
from moola_core.runs.unpack import unpack
from moola_core.specs import Finetune, change
from tests.conftest import nothing_examined

SMALL = {"repeats": 1, "folds": 3, "seed": 5}
NETWORK = {"epochs": 1, "hidden": 4, "layers": 1, "processes": 1}
KEYS = ["repeat", "fold", "window_id"]


@pytest.fixture(scope="module")
def made(demo_files, tmp_path_factory) -> dict[str, Run]:
    """Runs on one division: a network of both tasks, a simple model of the class alone, and a span model; and some that do not fit."""
    store = Store(tmp_path_factory.mktemp("joined"))
    runs = {}
    with nothing_examined():
        for name, model, changes in (
            ("network", "network", NETWORK),
            ("class", "logistic", {"tasks": "class"}),
            ("spans", "locate_then_classify", {}),
            ("elsewhere", "majority", {"seed": 6}),
            ("repeated", "majority", {"repeats": 2}),
            ("pointers", "majority", {"tasks": "pointers"}),
            ("flipped", "majority", {"flipped_labels": 0.3}),
            ("graded", "majority", {"exclude_grades": ("C", "D")}),
        ):
            spec = change(preset("quick" if model == "network" else "recommended").finetune(), {"estimator": model})
            files = {"data.windows": str(demo_files["windows"]), "data.bars": str(demo_files["bars"])}
            runs[name] = store.create(change(spec, files | SMALL | changes), name=name)
            worker.run(runs[name])
    return runs


def join(made, first: str, second: str) -> Run:
    store = Store(made[first].store_root)
    run = store.create(join_spec(store, made[first].id, made[second].id))
    with nothing_examined():
        worker.run(run)
    return run


@pytest.fixture(scope="module")
def joined(made) -> Run:
    """A network's classes and a span model's expansions, with all diagnostics and the doctor's findings."""
    store = Store(made["network"].store_root)
    run = store.create(join_spec(store, made["network"].id, made["spans"].id))
    with patch("moola_core.estimators.extra_trees.TREES", 20):
        worker.run(run)
    return run


def test_the_predictions_are_those_of_the_two(made, joined):
    table = joined.predictions.sort_values(KEYS, ignore_index=True)
    of_class, of_pointers = (
        made[name].predictions.sort_values(KEYS, ignore_index=True) for name in ("network", "spans")
    )
    for own, names in (
        (of_class, ["label", "predicted", "p_consolidation", "p_retracement"]),
        (of_pointers, ["start_true", "end_true", "start_pred", "end_pred", "p_span"]),
    ):
        pd.testing.assert_frame_equal(table[[*KEYS, *names]], own[[*KEYS, *names]])
    for name in ("per_bar", "spans"):
        pd.testing.assert_frame_equal(joined.table(name).to_pandas(), made["spans"].table(name).to_pandas())
    metrics, own = (
        joined.result("evaluation")["metrics"],
        {n: r.result("evaluation")["metrics"] for n, r in made.items()},
    )
    assert metrics["f1_macro"] == own["network"]["f1_macro"] and metrics["hit_at_3"] == own["spans"]["hit_at_3"]
    right = (table["predicted"] == table["label"]) & (
        ((table["start_pred"] + table["end_pred"]) - (table["start_true"] + table["end_true"])).abs() <= 6
    )
    assert metrics["joint_at_3"]["mean"] == pytest.approx(right.mean())
    assert joined.record.facts.trainable_parameters == made["network"].record.facts.trainable_parameters
    assert not joined.record.warnings and "findings" in joined.result("doctor")
    assert joined.record.facts.label_noise == made["spans"].record.facts.label_noise


@pytest.mark.parametrize("data", ["windows", "bars"])
def test_new_windows_and_bars_are_predicted_by_both(made, joined, demo_files, data):
    given = {data: demo_files[data]} | ({"stride": 200} if data == "bars" else {})
    table, of_class, of_pointers = (moola.predict(run, **given) for run in (joined, made["network"], made["spans"]))
    classes = ["p_consolidation", "predicted", "agreement", "p_std"]
    pointers = ["start_pred", "end_pred", "p_span", "conformal_p"]
    pd.testing.assert_frame_equal(table[classes], of_class[classes])
    pd.testing.assert_frame_equal(table[[*pointers, "center_std"]], of_pointers[[*pointers, "center_std"]])


def test_each_kind_of_model_joins_each(made):
    for first, second in (("class", "spans"), ("spans", "network"), ("class", "pointers")):
        run = join(made, first, second)
        assert run.record.state == "done" and run.result("evaluation")["metrics"]["joint_at_3"]["mean"] is not None
        assert [part.id for part in parts_of(run)] == [made[first].id, made[second].id]
        assert len(moola.predict(run, windows=made[first].spec.data.windows)) > 0


def test_it_stands_alone_where_the_runs_are_gone(made, demo_files, tmp_path):
    run = join(made, "class", "pointers")
    pack(Store(run.store_root), [run.id], tmp_path / "one.zip")
    other = Store(tmp_path / "other")
    unpack(tmp_path / "one.zip", other, tmp_path / "data")
    for name in ("class", "pointers"):
        other.delete(made[name].id)
    before, after = (moola.predict(one, windows=demo_files["windows"]) for one in (run, other.open(run.id)))
    pd.testing.assert_frame_equal(before, after)
    with pytest.raises(RunError, match=made["class"].id):
        worker.run(other.create(run.spec))


def test_it_is_compared_and_reported_like_any_other(made, joined, tmp_path):
    compared = moola.compare(made["network"], joined)
    assert [arm.model for arm in compared.arms] == ["network", "network"] and compared.verdicts
    assert any("expansions of" in str(row.values.values()) for row in compared.unequal or ())
    export(joined, "json", tmp_path / "report.json")
    text = (tmp_path / "report.json").read_text()
    assert made["network"].id in text and made["spans"].id in text and "trains nothing itself" in text
    assert "model.encoder" not in text


def test_a_join_that_was_interrupted_goes_on(made, monkeypatch):
    store = Store(made["class"].store_root)
    run = store.create(join_spec(store, made["class"].id, made["pointers"].id))
    monkeypatch.setattr("moola_core.launch.worker.finetune.gather", lambda run: 1 / 0)
    with pytest.raises(Exception, match="division"):
        worker.run(run)
    monkeypatch.undo()
    worker.resume(run)
    pd.testing.assert_frame_equal(run.predictions, join(made, "class", "pointers").predictions)


REFUSED = {
    "itself": ("spans", "spans", "with itself"),
    "no expansions": ("spans", "class", "predicts no expansions"),
    "no classes": ("pointers", "spans", "predicts no classes"),
    "other folds": ("class", "elsewhere", "seed 5 and 3 folds × 1 repeats, seed 6"),
    "other repeats": ("class", "repeated", "3 folds × 2 repeats"),
    "other windows": ("class", "graded", "different windows: 60 of windows.parquet and"),
    "other labels": ("class", "flipped", "of their labels differ"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_runs_that_do_not_fit_are_refused_in_a_sentence(made, case, capsys):
    first, second, words = REFUSED[case]
    before = len(Store(made["class"].store_root).runs())
    assert main(["join", made[first].id, made[second].id, "--store", str(made["class"].store_root)]) == 2
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said
    assert len(Store(made["class"].store_root).runs()) == before


def test_unfinished_runs_joined_runs_and_predictions_alone_are_refused(made, joined, demo_files):
    store = Store(made["class"].store_root)
    queued = store.create(made["class"].spec)
    with pytest.raises(RunError, match="finetune run that is queued"):
        join_spec(store, queued.id, made["spans"].id)
    with pytest.raises(RunError, match="joined from others already.*" + made["network"].id):
        join_spec(store, joined.id, made["spans"].id)
    theirs = moola.import_predictions(made["spans"].predictions, demo_files["windows"], store.root)
    with pytest.raises(RunError, match="without the models"):
        join_spec(store, made["class"].id, theirs.id)
    with pytest.raises(SpecError, match="moola join"):
        moola.finetune(demo_files["windows"], settings={"estimator": "joined"}, store=store.root)
    with pytest.raises(CheckpointError, match=made["spans"].id):
        moola.diagnose("attribution", joined)


def test_the_command_and_python_make_the_same_run(made, capsys):
    root = made["class"].store_root
    with nothing_examined():
        assert main(["join", made["class"].id, made["spans"].id, "--store", str(root), "--json", "--name", "both"]) == 0
    printed = json.loads(capsys.readouterr().out)
    with nothing_examined():
        ours = moola.join(made["class"], made["spans"], name="both")
    theirs = Store(root).open(printed["run_id"])
    assert ours.record.name == theirs.record.name == "both" and ours.spec == theirs.spec
    assert isinstance(ours.spec, Finetune) and np.isfinite(printed["metrics"]["joint_at_3"]["mean"])
    pd.testing.assert_frame_equal(ours.predictions, theirs.predictions)
