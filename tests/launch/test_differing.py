"""The facts that a comparison supposes to be equal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moola_core.diagnostics.results.comparison import UNKNOWN
from moola_core.launch.worker.differing import unequal
from moola_core.runs.facts import Facts
from moola_core.runs.store import Store
from moola_core.specs import change
from tests.app_samples import make_data, make_run

FACTS = Facts(best_epochs=(3,), epochs_run=(4,), trainable_parameters=9000, shared_parameters=5)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run, and another with changes of its settings, its facts and its predictions."""
    root, windows = tmp_path_factory.mktemp("store"), make_data(tmp_path_factory.mktemp("data"))
    first = make_run(root, windows)

    def another(changes=None, facts=None):
        run = Store(root).create(change(first.spec, changes or {}))
        run.update(state="done", facts=replace(FACTS, **(facts or {})), data_hashes={"windows": "abcdefgh"})
        return run, first.predictions

    return another


def named(*pairs):
    runs = {str(i): run for i, (run, _) in enumerate(pairs)}
    return {row.name: row.values for row in unequal(runs, {str(i): table for i, (_, table) in enumerate(pairs)})}


def test_equal_runs_differ_in_no_fact_whatever_else_is_set(made):
    assert (
        named(made(), made({"training.device": "cpu", "loss.weighting": "equal", "training.learning_rate": 0.1})) == {}
    )


@pytest.mark.parametrize(
    ("fact", "changes", "facts"),
    [
        ("size", {}, {"trainable_parameters": 90}),
        ("encoder", {"model.hidden": 20}, {}),
        ("epochs", {"training.epochs": 99}, {}),
        ("epochs", {}, {"epochs_run": (9,)}),
        ("stopping", {"training.patience": None}, {}),
        ("labels", {"training.train_size": 0.5}, {}),
        ("features", {"features.columns": ("price_path",)}, {}),
        ("seeds", {"training.seed": 99}, {}),
    ],
)
def test_each_fact_is_named_where_it_alone_differs(made, fact, changes, facts):
    found = named(made(), made(changes, facts))
    assert list(found) == [fact] and len(set(found[fact].values())) == 2


def test_other_windows_and_folds_are_named(made):
    run, table = made()
    fewer = table[table["window_id"] != table["window_id"].iloc[0]]
    assert list(named((run, table), (run, fewer))) == ["windows", "folds"]
    moved = table.assign(fold=(table["fold"] + 1) % 5)
    assert list(named((run, table), (run, moved))) == ["folds"]


def test_what_is_not_known_of_imported_predictions_accuses_nobody(made):
    imported = made({"estimator": "imported"})
    assert named(made(), imported) == {}
    three = named(made(), made({"training.seed": 99}), imported)
    assert list(three) == ["seeds"] and three["seeds"]["2"] == UNKNOWN


def test_a_model_that_is_no_network_has_no_size(made):
    found = named(made(), made({"estimator": "logistic"}))
    assert {"size", "encoder", "epochs", "stopping"} == set(found) and "logistic" in found["encoder"]["1"]
