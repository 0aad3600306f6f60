from __future__ import annotations

import json
import shlex

import pytest

from moola_core.presets import PRESETS, preset
from moola_core.specs import Finetune, Pretrain, change, settings
from moola_core.ui import settings_form
from moola_core.ui.command import command


@pytest.fixture
def base() -> Finetune:
    return change(preset("quick").finetune(), {"data.windows": "data/my windows.parquet"})


@pytest.mark.parametrize("kind", [Finetune, Pretrain])
def test_every_setting_that_training_reads_is_in_the_form(kind):
    name = kind.model_fields["kind"].default
    left_out = {name for name in settings(kind) if name.startswith("data.")} - {"data.exclude_grades"}
    chosen_above = {"kind", "preset", "transfer.checkpoint", "transfer.encoder_name", "estimator"} & set(settings(kind))
    of_a_study = {"transfer.more_checkpoints", "transfer.fold_checkpoints", "sampling.left_out"} & set(settings(kind))
    of_joining = {"join.class_run", "join.pointer_run"} & set(settings(kind))
    others = left_out | chosen_above | of_a_study | of_joining
    assert set(settings(kind)) - set(settings_form.fields(name)) == others
    assert all(info.description for info in settings_form.fields(name).values())


def test_what_is_typed_is_checked_by_the_spec(base):
    checked = settings_form.check(base, {"training.epochs": 0, "model.dropout": "much", "training.folds": 4})
    assert checked.spec is None and set(checked.errors) == {"training.epochs", "model.dropout"}
    assert "greater than or equal to 1" in checked.errors["training.epochs"]


def test_rules_between_settings_are_told_for_the_whole(base):
    checked = settings_form.check(base, {"loss.pcgrad": True, "model.tasks": "class"})
    assert checked.spec is None and "pcgrad needs both tasks" in checked.errors[""]


def test_a_valid_draft_is_the_spec(base):
    checked = settings_form.check(base, {"training.patience": None, "features.columns": ("price_path", "body_pct")})
    assert checked.spec.training.patience is None
    assert settings_form.changed(base, checked.spec) == {
        "training.patience": (10, None),
        "features.columns": (("relativity",), ("price_path", "body_pct")),
    }


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_unchanged_has_no_changes(name):
    start = preset(name).finetune()
    assert settings_form.changed(start, settings_form.check(start, {}).spec) == {}


def test_the_command_says_the_same_as_the_form(base):
    typed = {
        "training.patience": None,
        "features.columns": ("price_path",),
        "model.dropout": 0.25,
        "loss.weighting": "dwa",
    }
    spec = settings_form.check(base, typed).spec
    words = shlex.split(command(spec, settings_form.changed(base, spec), "it's mine", "", ("a b",)).replace("\\\n", ""))
    assert words[:4] == ["moola", "finetune", "--windows", "data/my windows.parquet"]
    assert words[words.index("--name") + 1] == "it's mine" and words[words.index("--tag") + 1] == "a b"
    changes = dict(words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "--set")
    assert json.loads(changes["features.columns"]) == ["price_path"]
    assert change(base, changes) == spec


def test_the_command_names_the_store_that_the_app_shows(base, monkeypatch, tmp_path):
    monkeypatch.setenv("MOOLA_STORE", str(tmp_path / "my runs"))
    words = shlex.split(command(base, {}).replace("\\\n", ""))
    assert words[words.index("--store") + 1] == str(tmp_path / "my runs")
    monkeypatch.setenv("MOOLA_STORE", "artifacts")
    assert "--store" not in command(base, {})
