from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace

import pytest
import torch

from moola_core.models.encoders import make_encoder
from moola_core.presets import PRESETS
from moola_core.runs.facts import PeakMemory
from moola_core.runs.store import Store
from moola_core.specs import Model
from moola_core.ui.settings_form import EVERY, FIRST, PART, SEARCH, fields
from tests.app_samples import make_run
from tests.models.test_checkpoint import predecessors
from tests.pages.conftest import button, texts
from tests.weight_files.generated import refused_contents


@pytest.fixture
def started(monkeypatch) -> list:
    """The runs that were started, with no process behind them."""
    runs: list = []
    monkeypatch.setattr("moola_core.launch.local.start", runs.append)
    return runs


def _type(at, name: str, value: str) -> None:
    _open(at, name)
    next(box for box in at.text_input if box.key == f"set_finetune_network_{name}").set_value(value).run()
    assert not at.exception


def _open(at, name: str) -> None:
    """Show the part of all settings that holds `name`."""
    at.toggle(key=EVERY).set_value(True).run()
    next(group for group in at.button_group if group.key == PART).set_value(name.split(".")[0]).run()


def test_what_was_typed_in_a_part_stays_when_another_is_shown(show):
    at = show("launch", preset="network")
    _type(at, "training.epochs", "12")
    _type(at, "model.dropout", "0.25")
    assert "--set training.epochs=12" in at.code[0].value and "--set model.dropout=0.25" in at.code[0].value
    _open(at, "training.epochs")
    assert next(box for box in at.text_input if box.key == "set_finetune_network_training.epochs").value == "12"


def test_a_changed_setting_is_listed_with_its_meaning_and_in_the_command(show):
    at = show("launch", preset="network")
    _type(at, "training.epochs", "12")
    assert "training.epochs" in texts(at).replace("\\", "") and "maximum epochs of one fit" in texts(at)
    assert "--set training.epochs=12" in at.code[0].value and "--preset network" in at.code[0].value


def test_a_wrong_setting_is_answered_beside_it_and_nothing_can_be_started(show):
    at = show("launch", preset="network")
    _type(at, "training.epochs", "none")
    assert "valid integer" in texts(at) and button(at, "Start the run").disabled
    _type(at, "training.epochs", "5")
    assert not at.error and not button(at, "Start the run").disabled


def test_more_folds_than_windows_of_a_class_are_refused_before_the_start(show, monkeypatch):
    at = show("launch", preset="network")
    _type(at, "training.folds", "20")
    assert not at.error
    _open(at, "data.exclude_grades")
    at.multiselect(key="set_finetune_network_data.exclude_grades").set_value(["A", "B", "C"]).run()
    _type(at, "training.folds", "20")
    assert at.error or "left out" in texts(at)


def test_time_disk_and_cost_are_told(show):
    at = show("launch", preset="network")
    at.number_input(key="price").set_value(36.0).run()
    figures = {metric.label: metric.value for metric in at.metric}
    assert set(figures) == {"Time", "Disk", "Cost"} and float(figures["Cost"]) > 0
    assert "8 times in 10 from" in texts(at) and "so the range is wide" in texts(at)


def test_memory_is_told_once_a_run_like_it_was_measured(show, store, dataset):
    run = make_run(store, dataset)
    facts = replace(run.record.facts, windows=40, epochs_run=(3,), peak_memory=PeakMemory(812.0, 1404.0))
    run.update(facts=facts, host=os.uname().nodename, seconds=30.0)
    at = show("launch", preset="quick")
    figures = {metric.label: metric.value for metric in at.metric}
    assert figures["Memory"] == "0.8 to 1.4 GB" and "in 1 run like it on this host" in texts(at)


def test_starting_makes_the_run_that_was_described_and_shows_it(show, started, store, dataset):
    at = show("launch", preset="network")
    _type(at, "model.dropout", "0.25")
    at.text_input(key="run_name").set_value("Less dropout").run()
    at.text_input(key="run_note").set_value("to see").run()
    button(at, "Start the run").click().run()
    assert not at.exception
    (record,) = Store(store).runs()
    assert (record.name, record.note, record.preset, record.state) == (
        "Less dropout",
        "to see",
        "network",
        "queued",
    )
    spec = Store(store).open(record.run_id).spec
    assert spec.model.dropout == 0.25 and spec.data.windows == str(dataset) and spec.data.bars
    assert len(started) == 1 and at.title[0].value == "Runs" and at.session_state["run"] == record.run_id


def test_the_predecessors_checkpoint_fits_every_preset_and_a_contradiction_cannot_be_started(show, dataset, started):
    torch.manual_seed(1)
    path = predecessors(dataset.parents[1] / "old.pt", make_encoder(12, Model(layers=2, hidden=4)))
    try:
        for preset in PRESETS:
            at = show("launch", preset=preset, checkpoint=str(path))
            said = texts(at).replace("\\", "")
            assert "Taken from the file: model.layers 2, model.hidden 4" in said and not at.error
            assert not button(at, "Start the run").disabled
        at = show("launch", checkpoint=str(path))
        _type(at, "model.hidden", "8")
        assert "model.hidden is 8 in the settings and 4 in the checkpoint" in texts(at).replace("\\", "")
        assert button(at, "Start the run").disabled
        _type(at, "model.hidden", "4")
        button(at, "Start the run").click().run()
        assert len(started) == 1 and started[0].spec.features.columns == ("relativity",)
    finally:
        path.unlink()


def test_the_model_decides_which_settings_are_shown_and_the_command_names_it(show):
    at = show("launch")
    at.toggle(key=EVERY).set_value(True).run()
    parts = next(group for group in at.button_group if group.key == PART).options
    assert "Spans" in parts and "Loss" not in parts and "Transfer" not in parts
    assert "--model" not in at.code[0].value and "--preset recommended" in at.code[0].value
    next(box for box in at.selectbox if box.label == "Model").set_value("logistic").run()
    assert not at.exception and "--model logistic" in at.code[0].value
    assert "Spans" not in next(group for group in at.button_group if group.key == PART).options
    next(box for box in at.selectbox if box.label == "Model").set_value("network").run()
    assert not at.exception and "the preset network is used in its place" in texts(at)
    assert "Loss" in next(group for group in at.button_group if group.key == PART).options


@pytest.mark.parametrize("name", ["gru", "not a number", "acts", "empty"])
def test_a_file_that_cannot_be_used_is_refused_on_the_page_with_the_reason(show, dataset, name):
    content, words = refused_contents()[name]
    path = dataset.parents[1] / "bad.pt"
    torch.save(content, path)
    try:
        at = show("launch", preset="network", checkpoint=str(path))
        assert not at.exception and re.search(words, texts(at).replace("\\", "")) and not at.code
    finally:
        path.unlink()


def test_of_two_encoders_in_a_file_one_is_chosen_and_named_in_the_command(show, dataset, started):
    path = dataset.parents[1] / "two.pt"
    torch.save(refused_contents()["two encoders"][0], path)
    try:
        at = show("launch", preset="network", checkpoint=str(path))
        box = next(box for box in at.selectbox if box.label == "Which encoder of the file")
        assert list(box.options) == ["student.encoder", "teacher.encoder"]
        box.set_value("teacher.encoder").run()
        assert not at.exception and "encoder_name=teacher.encoder" in at.code[0].value
        button(at, "Start the run").click().run()
        assert started[0].spec.transfer.encoder_name == "teacher.encoder" and started[0].spec.model.hidden == 8
    finally:
        path.unlink()


def test_a_preset_of_ones_own_is_listed_and_one_that_cannot_be_used_is_named(show, dataset, started):
    presets = dataset.parents[1] / "presets"
    presets.mkdir()
    try:
        (presets / "mine.json").write_text('{"summary": "Mine.", "settings": {"training.epochs": 7}}', encoding="utf-8")
        (presets / "torn.json").write_text('{"settings"', encoding="utf-8")
        at = show("launch", preset="mine")
        group = next(group for group in at.button_group if group.key == "preset")
        assert group.value == "mine" and "torn" not in group.options
        assert (
            "Mine." in texts(at) and "torn.json" in texts(at).replace("\\", "") and "--preset mine" in at.code[0].value
        )
        button(at, "Start the run").click().run()
        (run,) = started
        assert run.record.preset == "mine" and run.spec.training.epochs == 7
        at = show("compare")
        options = next(box for box in at.selectbox if box.key == "study_preset").options
        assert "mine" in options and "torn" not in options
    finally:
        shutil.rmtree(presets)


def _keys_of_settings(at) -> list[str]:
    return [box.key for box in at.text_input if box.key.startswith("set_")]


def test_few_settings_come_first_and_a_search_finds_the_others_by_their_meaning(show):
    at = show("launch", preset="network")
    drawn = _keys_of_settings(at)
    assert 6 <= len(drawn) <= len(FIRST) and all(key.split("_", 3)[3] in FIRST for key in drawn)
    assert set(FIRST) <= fields("finetune").keys() | fields("pretrain").keys()
    at.toggle(key=EVERY).set_value(True).run()
    at.text_input(key=SEARCH).set_value("gradient norm").run()
    assert _keys_of_settings(at) == ["set_finetune_network_training.max_grad_norm"] and not at.exception
    at.text_input(key=SEARCH).set_value("no such thing").run()
    assert "No setting has these words" in texts(at)


def test_what_differs_from_the_preset_is_marked_where_it_is_typed(show):
    at = show("launch", preset="network")
    assert "preset: 80" not in texts(at)
    _type(at, "training.epochs", "12")
    assert "preset: 80." in texts(at)


def test_typed_settings_survive_a_refresh_and_a_link_that_is_wrong_says_so(show):
    at = show("launch", preset="network")
    _type(at, "training.epochs", "12")
    at.text_input(key="run_note").set_value("why").run()
    query = {name: value[0] if isinstance(value, list) else value for name, value in at.query_params.items()}
    again = show("launch", **query)
    assert "--set training.epochs=12" in again.code[0].value and "--note why" in again.code[0].value
    wrong = show(
        "launch", preset="network", set='{"training.epochs": "many", "training.unheard": 1, "model.layers": 3}'
    )
    said = texts(wrong).replace("\\", "")
    assert "training.epochs" in said and "training.unheard" in said and "--set model.layers=3" in wrong.code[0].value
    assert "no JSON object" in texts(show("launch", preset="network", set="{"))
    assert not show("launch", preset="network", set="[1]").exception
