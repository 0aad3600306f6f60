"""Presets of the user's own: kept from a run, used as ours are, and never in the way of others."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import moola_core as moola
from moola_core import studies
from moola_core.cli import main
from moola_core.errors import RunError, SpecError
from moola_core.market.library import find_files
from moola_core.presets import PRESETS, available, network_preset, own_presets, preset
from moola_core.runs import Store
from moola_core.sections import advice
from moola_core.specs import Finetune, Pretrain, build, change, settings_diff
from moola_core.specs.choices import IMPORTED
from tests.app_samples import make_run

pytestmark = pytest.mark.usefixtures("few_trees")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The data folder."""
    monkeypatch.setenv("MOOLA_DATA", str(tmp_path / "data"))
    (tmp_path / "data" / "presets").mkdir(parents=True)
    return tmp_path / "data"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def write(folder, name, values):
    text = values if isinstance(values, str) else json.dumps(values)
    (folder / "presets" / f"{name}.json").write_text(text, encoding="utf-8")


def done(store, spec, **record):
    run = store.create(spec)
    run.update(state="done", **record)
    return run


def test_a_run_is_kept_and_a_later_one_starts_from_its_settings(folder, store, demo_files, capsys):
    small = {"estimator": "logistic", "folds": 3, "repeats": 1, "seed": 5}
    first = moola.finetune(demo_files["windows"], preset="quick", settings=small, store=store.root)
    assert main(["preset", first.id, "mine", "--summary", "For a look.", "--store", str(store.root)]) == 0
    assert "--preset mine" in capsys.readouterr().out
    command = [
        "finetune",
        "--windows",
        str(demo_files["windows"]),
        "--preset",
        "mine",
        "--store",
        str(store.root),
        "--json",
    ]
    assert main(command) == 0
    again = store.open(json.loads(capsys.readouterr().out)["run_id"])
    differing = {name for name in settings_diff(first.spec, again.spec) if first.spec.reads(name)}
    assert again.record.preset == "mine" and differing == {"preset"}
    assert again.record.data_hashes == first.record.data_hashes, "the folds too"
    assert again.predictions.equals(first.predictions)
    assert moola.preset("mine").summary == "For a look."


def test_the_file_holds_settings_and_no_files(folder, store):
    spec = change(
        preset("quick").finetune(), {"data.windows": "/secret/w.parquet", "hidden": 7, "data.exclude_grades": ""}
    )
    path = moola.adopt(done(store, spec), "seven")
    values = json.loads(path.read_text(encoding="utf-8"))
    assert path == folder / "presets" / "seven.json" and "secret" not in path.read_text(encoding="utf-8")
    assert values["settings"]["model.hidden"] == 7 and values["settings"]["training.seed"] == spec.training.seed
    assert values["from_run"] and values["summary"] and not any(name.startswith("data.") for name in values["settings"])
    own = preset("seven").finetune()
    assert {name for name in settings_diff(own, spec) if not name.startswith("data.")} == {"preset"}


def test_how_the_encoder_was_pretrained_and_transferred_is_kept(folder, store):
    before = change(preset("quick").pretrain(), {"objective.name": "masked", "training.epochs": 3})
    encoder = done(store, before)
    spec = change(
        preset("quick").finetune(),
        {"transfer.checkpoint": encoder.id, "transfer.schedule": "frozen", "transfer.l2_sp": 0.1},
    )
    moola.adopt(done(store, spec), "frozen-masked")
    own = preset("frozen-masked")
    assert own.schedule == "frozen" and own.finetune().transfer.l2_sp == 0.1 and not own.finetune().transfer.checkpoint
    assert set(settings_diff(own.pretrain(), before)) == {"preset"}
    store.delete(encoder.id)
    moola.adopt(done(store, spec), "without")
    assert json.loads((folder / "presets" / "without.json").read_text(encoding="utf-8"))["pretraining"] == {}


@pytest.mark.parametrize("name", PRESETS)
def test_each_of_our_presets_survives_the_way_through_a_file(folder, store, name):
    spec = preset(name).finetune()
    moola.adopt(done(store, spec), "own")
    own = preset("own")
    idle = {setting for setting in settings_diff(own.finetune(), spec) if not spec.reads(setting)}
    assert set(settings_diff(own.finetune(), spec)) - idle == {"preset"}
    assert build(Pretrain, own.pretrain().model_dump()) == own.pretrain()
    assert network_preset("own")[0].finetune().is_network


def test_a_preset_of_ones_own_works_in_studies_and_is_named_where_it_is_unknown(folder):
    write(folder, "wide", {"settings": {"model.hidden": 9, "training.repeats": 6}, "pretraining": {"epochs": 2}})
    made = studies.study("losses", "wide", {"windows": "w.parquet"})
    assert made.base.model.hidden == 9 and made.base.preset == "wide" and made.base.training.repeats == 6
    assert preset("wide").pretrain().training.epochs == 2 and preset("wide").pretrain().model.hidden == 9
    with pytest.raises(SpecError, match="Did you mean wide"):
        preset("wid")
    command = advice._command(made, "losses")
    assert "--preset wide" in command
    (folder / "presets" / "wide.json").unlink()
    assert advice._command(made, "losses") == "", "no command begins with a preset that is gone"


BAD = {
    "torn": ('{"settings": {"epo', "cannot be read"),
    "listed": ("[]", "not a JSON object"),
    "deep": ("[" * 100_000, "cannot be read"),
    "typo": ({"settings": {"hiden": 3}}, "hidden"),
    "wrong": ({"settings": {"training.epochs": -1}}, "epochs"),
    "words": ({"settings": {"training.epochs": "many"}}, "epochs"),
    "files": ({"settings": {"data.windows": "/etc/passwd"}}, "data.windows"),
    "short": ({"settings": {"checkpoint": "/etc/passwd"}}, "transfer.checkpoint"),
    "key": ({"setings": {}}, "settings"),
    "list": ({"settings": []}, "not an object"),
    "schedule": ({"schedule": "none"}, "unknown schedule"),
    "summary": ({"summary": 3}, "summary"),
    "quick": ({"settings": {}}, "moola's own"),
    "a b": ({"settings": {}}, "cannot be the name"),
    "clash": ({"settings": {"loss.pcgrad": True, "model.tasks": "class"}}, "pcgrad"),
    "preset": ({"settings": {"preset": "x"}}, "preset"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong_and_breaks_no_other(folder, capsys, name):
    values, problem = BAD[name]
    write(folder, "good", {"summary": "It works.", "settings": {"hidden": 5}})
    write(folder, name, values)
    good, bad = own_presets()
    assert list(good) == ["good"] and list(bad) == [name]
    error = bad[name]
    assert problem in f"{error.what} {error.hint}" and f"{name}.json" in error.where and "delete the file" in error.hint
    assert main(["preset"]) == 0
    out = capsys.readouterr().out
    assert "It works." in out and f"{name}.json" in out and "recommended" in out
    if name not in PRESETS:
        assert main(["finetune", "--windows", "w.parquet", "--preset", name]) == 2
        assert f"{name}.json" in capsys.readouterr().err
        assert name not in available()
    assert preset("quick") is PRESETS["quick"]


def test_a_changed_file_is_read_again(folder):
    write(folder, "mine", {"settings": {"model.hidden": 5}})
    assert preset("mine").finetune().model.hidden == 5
    write(folder, "mine", {"settings": {"model.hidden": 64}})
    assert preset("mine").finetune().model.hidden == 64


@pytest.mark.parametrize(
    ("name", "problem"),
    [("quick", "moola's own"), ("Quick", "moola's own"), ("../up", "cannot be the name"), ("", "name")],
)
def test_a_name_that_a_preset_cannot_have_is_refused(folder, store, name, problem):
    with pytest.raises(SpecError, match=problem):
        moola.adopt(done(store, preset("quick").finetune()), name)
    assert list((folder / "presets").iterdir()) == []


def test_what_cannot_be_kept_is_a_sentence(folder, store, capsys):
    spec = preset("quick").finetune()
    run = done(store, spec)
    moola.adopt(run, "mine")
    with pytest.raises(SpecError, match="mine already"):
        moola.adopt(run, "mine")
    for other in (store.create(spec), done(store, preset("quick").pretrain())):
        with pytest.raises(RunError, match="cross-validated run that is done"):
            moola.adopt(other, "other")
    with pytest.raises(RunError, match="imported"):
        moola.adopt(done(store, change(spec, {"estimator": IMPORTED})), "other")
    for arguments in (("preset", "--summary", "x"), ("preset", run.id), ("preset", "nine", "x")):
        assert main([*arguments, "--store", str(store.root)]) == 2
        assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(SpecError, match="short text"):
        moola.adopt(run, "x", summary="y" * 301)
    streaming = change(spec, {"data.windows": "w", "data.bars": "b", "features.state": "streaming"})
    with pytest.raises(RunError, match=r"settings cannot be a preset: .*streaming"):
        moola.adopt(done(store, streaming), "x")
    assert not (folder / "presets" / "x.json").exists()


def test_without_a_folder_there_are_ours_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MOOLA_DATA", str(tmp_path / "nowhere"))
    assert own_presets() == ({}, {}) and list(available()) == list(PRESETS)
    assert main(["preset", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["presets"]) == set(PRESETS) and found["unusable"] == {}


def test_presets_are_no_data_and_are_read_without_pandas(folder, demo_files):
    write(folder, "mine", {"settings": {}})
    (folder / "other.json").write_text("[]", encoding="utf-8")
    assert [file.path.name for file in find_files(folder)] == ["other.json"]
    code = "from moola_core.presets import preset; preset('mine'); import sys; print({'pandas', 'torch'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_the_titles_of_runs_from_a_preset_of_ones_own_are_its_name(folder, store, demo_files):
    from moola_core.ui.widgets import started_from

    write(folder, "mine", {"settings": {"estimator": "logistic"}})
    run = make_run(store.root, demo_files["windows"])
    run.update(preset="mine", model="logistic")
    assert started_from(run.record) == "mine"
    run.update(model="network")
    assert started_from(run.record) == "network"


def test_finetune_takes_the_same_kind_of_values(folder):
    write(folder, "mine", {"settings": {"columns": ["price_path"], "training.batch_size": "16"}})
    made = preset("mine").finetune()
    assert made == change(Finetune(preset="mine"), {"features.columns": ("price_path",), "training.batch_size": 16})
