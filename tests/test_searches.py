"""What can be searched: a space for each model, and what is refused before anything runs."""

from __future__ import annotations

import json

import pytest

import moola_core as moola
from moola_core.errors import SpecError
from moola_core.estimators import ESTIMATORS
from moola_core.presets import PRESETS, preset
from moola_core.searches import NOTHING, SPACES, default_space, search_spec
from moola_core.specs import Finetune, Search, change, parse
from moola_core.specs.choices import TRAINED

QUICK = preset("quick").finetune()


@pytest.mark.parametrize("name", sorted({*ESTIMATORS, *TRAINED}))
def test_each_model_has_a_default_space_or_says_that_there_is_nothing_to_search(name):
    assert (name in SPACES) != (name in NOTHING)
    start = change(QUICK, {"estimator": name})
    if name in NOTHING:
        with pytest.raises(SpecError, match=r"nothing to search: .* Choose another model"):
            search_spec(start)
        return
    spec = search_spec(start)
    assert set(spec.space) == set(SPACES[name]) and all(start.reads(setting) for setting in spec.space)
    assert spec.trial(spec.settings_of(start)) == start, "the first trial has the settings as they are"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_searched_and_the_spec_is_read_back_as_it_was(name):
    spec = search_spec(PRESETS[name].finetune(), trials=5, budget_s=60.0)
    assert parse(spec.model_dump_json()) == spec == parse(json.loads(spec.model_dump_json()))
    assert parse({"kind": "search", "base": {}, "space": {"dropout": {"low": 0, "high": 0.5}}}).trials == 20


def test_the_space_of_an_encoder_that_is_there_leaves_its_size_alone():
    started = change(QUICK, {"transfer.checkpoint": "e.pt", "transfer.schedule": "full"})
    space = default_space(started)
    assert not {"model.layers", "model.hidden", "model.normalisation"} & set(space)
    assert "transfer.encoder_lr_scale" in space and "model.dropout" in space
    assert search_spec(change(QUICK, {"model.tasks": "pointers"})).metric == "hit_at_3"


REFUSED = {
    "empty": ({}, "it is empty"),
    "a list": ([1], "no object of settings"),
    "unknown": ({"dropuot": {"low": 0, "high": 1}}, r"unknown setting dropuot\. Did you mean dropout\?"),
    "twice": ({"dropout": {"low": 0, "high": 0.5}, "model.dropout": {"low": 0, "high": 0.5}}, "named twice"),
    "beyond what it takes": ({"dropout": {"low": 0, "high": 1.5}}, r"model\.dropout=1\.5: input should be less than 1"),
    "a range upside down": ({"dropout": {"low": 0.5, "high": 0.1}}, r"low=0\.5 is not below high=0\.1"),
    "half a range": ({"dropout": {"low": 0.5}}, "needs"),
    "both": ({"dropout": {"low": 0.1, "high": 0.2, "choices": [0.1]}}, "either choices or a range"),
    "a step that does not fit": ({"dropout": {"low": 0, "high": 0.5, "step": 0.2}}, "does not divide"),
    "log of nothing": ({"learning_rate": {"low": 0, "high": 0.1, "log": True}}, "low above 0"),
    "log in steps": ({"hidden": {"low": 8, "high": 16, "step": 8, "log": True}}, "exclude each other"),
    "no choices": ({"dropout": {"choices": []}}, "choices is empty"),
    "a choice twice": ({"hidden": {"choices": [8, 8]}}, "names a value twice"),
    "an unknown key": ({"dropout": {"low": 0, "hihg": 1}}, r"unknown setting hihg\. Did you mean high\?"),
    "no object": ({"dropout": 0.3}, "its values are no object"),
    "folds": ({"folds": {"choices": [2, 5]}}, "all trials share folds and seeds"),
    "repeats": ({"repeats": {"low": 1, "high": 5}}, "all trials share folds and seeds"),
    "seed": ({"training.seed": {"low": 1, "high": 5}}, "all trials share folds and seeds"),
    "files": ({"data.windows": {"choices": ["a.parquet"]}}, "the same data"),
    "a fault": ({"faults.temperature": {"low": 0.5, "high": 2.0}}, "only plants a fault"),
    "the preset": ({"preset": {"choices": ["quick"]}}, "only names where"),
    "half a unit": ({"hidden": {"low": 4.5, "high": 10}}, "a whole number"),
    "a range of names": ({"encoder": {"low": 1, "high": 2}}, "no number"),
    "a range of switches": ({"pcgrad": {"low": 0, "high": 1}}, "no number"),
    "an unknown name": ({"encoder": {"choices": ["bilstm", "gru"]}}, "unknown encoder 'gru'"),
    "a text as a number": ({"hidden": {"choices": ["many"]}}, "valid integer"),
    "what the model does not read": ({"spans.penalty": {"low": 1, "high": 2}}, "network does not read it"),
    "what fits in no combination": ({"class_input": {"choices": ["pooled", "aligned"]}}, r"set model\.pointer=span"),
    "what is not trained": ({"estimator": {"choices": ["network", "imported"]}}, "imported cannot be trained"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_space_that_cannot_be_searched_is_refused_in_a_sentence(name):
    space, words = REFUSED[name]
    with pytest.raises(SpecError, match=words):
        search_spec(QUICK, space)


def test_a_value_that_needs_another_setting_is_taken_where_the_space_has_that_too():
    space = {"class_input": {"choices": ["pooled", "aligned"]}, "pointer": {"choices": ["regression", "span"]}}
    assert search_spec(QUICK, space).size == 4
    models = search_spec(QUICK, {"estimator": {"choices": ["logistic", "network"]}, "dropout": {"low": 0, "high": 0.5}})
    assert models.estimators == ("logistic", "network") and models.size is None


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"metric": "recall"}, "cannot be compared by it"),
        ({"metric": "f1_marco"}, "Did you mean f1_macro"),
        ({"sampler": "grid"}, "'tpe' or 'random'"),
        ({"trials": 0}, "greater than or equal to 1"),
        ({"budget_s": -1}, "greater than 0"),
    ],
)
def test_a_wrong_way_to_search_is_refused_in_a_sentence(how, words):
    with pytest.raises(SpecError, match=words):
        search_spec(QUICK, None, **how)


def test_values_of_a_dimension_are_counted_and_recognised():
    spec = Search(
        base=Finetune(), space={"hidden": {"low": 8, "high": 16, "step": 4}, "dropout": {"low": 0.1, "high": 0.5}}
    )
    hidden, dropout = spec.space["model.hidden"], spec.space["model.dropout"]
    assert hidden.values(True) == (8, 12, 16) and dropout.values(False) is None
    assert [hidden.holds(value, True) for value in (8, 10, 16, 20)] == [True, False, True, False]
    assert [dropout.holds(value, False) for value in (0.1, 0.09, 0.5, None, True)] == [True, False, True, False, False]
    lists = search_spec(QUICK, {"features.columns": {"choices": [["price_path"], ["relativity"]]}})
    assert lists.space["features.columns"].holds(("price_path",), False)


@pytest.mark.usefixtures("few_trees")
def test_a_notebook_searches_and_wrong_arguments_are_refused(demo_files, tmp_path):
    run = moola.search(
        demo_files["windows"],
        space={"train_size": {"choices": [0.5, 1.0]}},
        settings={"estimator": "logistic", "repeats": 1, "folds": 2},
        store=tmp_path / "runs",
        budget="5m",
        seed=2,
    )
    found = run.result("search")
    assert run.spec.budget_s == 300 and run.spec.seed == 2 and len(found["trials"]) == 2
    assert found["best"]["expected"] <= found["best"]["measured"] + 0.05
    for wrong, words in (
        ({"trial": 3}, "Did you mean trials"),
        ({"budget": "soon"}, "no length of time"),
        ({"space": [1]}, "space is a list"),
    ):
        with pytest.raises(SpecError, match=words):
            moola.search(demo_files["windows"], store=tmp_path / "none", **wrong)
    assert not (tmp_path / "none").exists()
