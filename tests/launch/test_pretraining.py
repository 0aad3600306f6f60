from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from moola_core.cli import main
from moola_core.diagnostics import vitals
from moola_core.errors import CheckpointError, DataError
from moola_core.launch import worker
from moola_core.launch.estimate import estimate_pretraining
from moola_core.launch.worker import doctor, vital_signs
from moola_core.launch.worker import pretrain as pretrain_worker
from moola_core.launch.worker.labelled import encoder_of
from moola_core.launch.worker.pretrain import last_snapshot, load_material
from moola_core.presets import PRESETS, network_preset, preset
from moola_core.runs import Store
from moola_core.runs.checkpoints import description_of, find, start_from
from moola_core.specs import change

SMALL = {
    "epochs": 3,
    "hidden": 4,
    "batch_size": 64,
    "sampling.window_bars": 105,
    "stride_bars": 40,
    "objective.name": "masked",
}
FINETUNE = {"epochs": 2, "repeats": 1, "folds": 3, "processes": 1}


def spec_of(demo_files, **changes):
    values = {"data.bars": str(demo_files["bars"]), "data.windows": str(demo_files["windows"])}
    return change(preset("quick").pretrain(), values | SMALL | {"labelled": "see"} | changes)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def test_a_pretraining_run_leaves_weights_result_and_a_way_on(store, demo_files):
    run = store.create(spec_of(demo_files))
    heard = []
    worker.run(run, lambda event, progress: heard.append(progress["done"]))
    record, found = run.record, run.result("learned")
    assert record.state == "done" and record.progress["done"] == record.progress["total"] == 3
    assert {"bars", "windows"} <= record.data_hashes.keys() and record.facts.train > 100
    assert any("saw the bars of the labelled windows" in warning for warning in record.warnings)
    assert found["masked_mae"] == pytest.approx(np.mean([row["model"] for row in found["features"]]))
    assert found["masked_mae"] == pytest.approx(found["masked_input_mae"]) and len(found["examples"]) == 6
    assert [score["representation"] for score in found["probe"]["scores"]] == [
        "pre-trained",
        "random weights",
        "raw features",
    ]
    assert {event["split"] for event in run.events() if event["type"] == "epoch"} == {"train", "valid"}
    description = json.loads((run.folder / "checkpoints" / "best.json").read_text())
    assert description["features"][0] == "open_norm" and description["spec"]["model"]["hidden"] == 4

    assert [checkpoint.reference for checkpoint in find(store.root / "none", store.root)] == [run.id]
    shared = start_from(run.id, "frozen", store.root)
    assert shared["model.hidden"] == 4 and shared["transfer.schedule"] == "frozen"
    base = change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | FINETUNE)
    tuned = store.create(change(base, shared))
    worker.run(tuned)
    encoder = load_file(run.folder / "checkpoints" / "best.safetensors")
    kept = load_file(tuned.replicates()[(0, 0)] / "weights.safetensors")
    assert all(np.array_equal(kept[name], value) for name, value in encoder.items() if name.startswith("encoder."))
    evidence = doctor.evidence_of(tuned)
    assert evidence.facts["encoder_differs"] == evidence.facts["scale_differs"] == 0 < evidence.facts["encoder_tensors"]
    readings, _ = vitals.measure(evidence)
    assert readings["predicted_again"].value < 1e-6 and readings["kept_epoch"].value == 0
    assert readings["stored_epoch"].value < 1e-6
    start = encoder_of(tuned.spec, store.root)
    scaled = replace(start, mean=start.mean + 1, weights={name: value + 1 for name, value in start.weights.items()})
    assert vital_signs.as_started(tuned, scaled) == {
        "encoder_differs": len(start.weights),
        "scale_differs": 1,
        "encoder_tensors": len(start.weights),
    }
    assert "checkpoint" in tuned.record.data_hashes and tuned.record.facts.trainable_parameters < 50
    assert estimate_pretraining(run.spec, 20_000, store).source == f"run {run.id} with these settings"


@pytest.mark.usefixtures("unexamined")
def test_an_interrupted_run_goes_on_from_its_last_epoch(store, demo_files):
    whole = store.create(spec_of(demo_files))
    worker.run(whole)
    run = store.create(spec_of(demo_files))

    def interrupt(event, progress):
        if event.type == "epoch" and event.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.run(run, interrupt)
    assert run.record.state == "cancelled" and last_snapshot(run).epoch == 2
    run.update(state="queued")
    worker.run(run)
    for name in ("best", "last"):
        a, b = (load_file(r.folder / "checkpoints" / f"{name}.safetensors") for r in (whole, run))
        assert a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)
    assert run.result("learned")["masked_mae"] == whole.result("learned")["masked_mae"]


@pytest.mark.usefixtures("unexamined")
def test_labelled_windows_are_kept_out_by_default_and_similar_ones_chosen(store, demo_files):
    run = store.create(spec_of(demo_files, labelled="exclude", stride_bars=20, epochs=1, keep="similar", keep_frac=0.9))
    worker.run(run)
    facts = run.record.facts
    assert facts.labelled > 0 and facts.not_similar > 0 and not run.record.warnings


def test_what_cannot_be_pretrained_says_why(store, demo_files):
    run = store.create(spec_of(demo_files, **{"data.bars": None}))
    with pytest.raises(DataError, match="needs bars"):
        worker.run(run)
    run = store.create(spec_of(demo_files, stride_bars=500))
    with pytest.raises(DataError, match="fewer than 100"):
        worker.run(run)
    assert "fewer than 100" in run.record.error


@pytest.mark.usefixtures("unexamined")
def test_windows_of_another_length_are_not_probed(store, demo_files):
    run = store.create(spec_of(demo_files, epochs=1, **{"sampling.window_bars": 60}))
    worker.run(run)
    assert run.result("learned")["probe"] is None and "sampling.window_bars=105" in run.record.warnings[0]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_pretrains_what_it_finetunes(name):
    spec, tuned = preset(name).pretrain(), network_preset(name)[0].finetune()
    assert spec.model == tuned.model and spec.features.columns == tuned.features.columns


def test_a_file_that_is_no_checkpoint_is_listed_and_refused_with_the_reason(tmp_path):
    (tmp_path / "old.pt").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="neither a file of torch"):
        description_of(str(tmp_path / "old.pt"), tmp_path)
    assert [found.run for found in find(tmp_path, tmp_path / "store")] == [None]


@pytest.mark.usefixtures("unexamined")
@pytest.mark.parametrize("name", ["layer", "batch"])
def test_a_normalised_encoder_is_fine_tuned_with_its_statistics(store, demo_files, name):
    run = store.create(spec_of(demo_files, normalisation=name, epochs=1))
    worker.run(run)
    base = change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | FINETUNE | {"epochs": 1})
    tuned = store.create(change(base, start_from(run.id, "full", store.root)))
    worker.run(tuned)
    assert tuned.record.state == "done" and tuned.spec.model.normalisation == name
    encoder = load_file(run.folder / "checkpoints" / "best.safetensors")
    kept = load_file(tuned.replicates()[(0, 0)] / "weights.safetensors")
    assert {key for key in encoder if "normalisation" in key} <= kept.keys()
    assert all(kept[key].shape == encoder[key].shape for key in encoder if key.startswith("encoder."))


@pytest.mark.usefixtures("unexamined")
def test_pretraining_on_bars_alone_leaves_out_the_windows_that_are_known_for_them(store, demo, demo_files, capsys):
    """No --windows, but their file lies beside the bars: bar by bar, none of the labelled ones is seen, and the output says so."""
    sets = {"epochs": 1, "hidden": 4, "batch_size": 64, "stride_bars": 13, "objective.name": "masked"}
    arguments = [
        "pretrain",
        "--bars",
        str(demo_files["bars"]),
        "--preset",
        "quick",
        "--store",
        str(store.root),
        "--json",
    ]
    assert main([*arguments, *(f"--set={name}={value}" for name, value in sets.items())]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert any(str(demo_files["windows"]) in text and "are left out" in text for text in found["warnings"])
    assert str(demo_files["windows"]) in said.err and found["windows"]["labelled"] > 0
    run = store.open(found["run_id"])
    sample = load_material(run.spec, store.root / "cache").sample
    taken = np.zeros(len(demo.bars), bool)
    for at in demo.windows.position:
        taken[at : at + 105] = True
    assert not any(taken[first : first + 105].any() for first in (*sample.train, *sample.valid))
    assert "labels" in run.record.data_hashes


@pytest.mark.usefixtures("unexamined")
def test_pretraining_on_bars_of_which_no_labels_are_known_says_that_none_could_be_left_out(
    store, demo_files, tmp_path, capsys, monkeypatch
):
    alone = tmp_path / "bars.parquet"
    alone.write_bytes(demo_files["bars"].read_bytes())
    monkeypatch.setenv("MOOLA_DATA", str(tmp_path / "data"))
    sets = ["--set=epochs=1", "--set=hidden=4", "--set=batch=64", "--set=stride_bars=60"]
    assert main(["pretrain", "--bars", str(alone), "--preset", "quick", "--store", str(store.root), *sets]) == 0
    said = capsys.readouterr()
    assert "none could be left out of pre-training" in said.err and "--windows FILE" in said.err
    (record,) = store.runs("pretrain")
    assert any("none could be left out" in text for text in record.warnings) and record.facts.labelled == 0


@pytest.mark.usefixtures("unexamined")
def test_pretraining_holds_a_card_to_its_precision(store, demo_files, monkeypatch):
    """On a card cuDNN would otherwise round to TF32 where float32 is meant; on a CPU nothing is to be held."""
    held = []

    @contextmanager
    def exact(device):
        held.append(device.precision)
        yield

    monkeypatch.setattr(pretrain_worker, "exact", exact)
    worker.run(store.create(spec_of(demo_files, epochs=1)))
    assert held == ["float32"]
