"""Runs that were interrupted end as if they had not been: here, from a mirror, and on another machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from moola_core.cli import main
from moola_core.errors import DataError, RunError, StoreError
from moola_core.launch import worker
from moola_core.presets import preset
from moola_core.runs import Store, mirror
from moola_core.runs.pack import pack
from moola_core.runs.unpack import unpack
from moola_core.specs import Predict, change

SMALL = {"epochs": 2, "repeats": 1, "folds": 3, "hidden": 4, "processes": 1, "eval_every_epochs": 1}


@pytest.fixture(scope="module")
def spec(demo_files):
    return change(preset("quick").finetune(), {"data.windows": str(demo_files["windows"])} | SMALL)


@pytest.fixture(scope="module")
def whole(spec, tmp_path_factory):
    """The run without interruption."""
    run = Store(tmp_path_factory.mktemp("whole")).create(spec)
    worker.run(run)
    return run


def interrupted(store, spec, after="replicate_finished", count=2):
    """A run that was stopped in its second fit, with a draft and a cut-off line left behind."""
    run, seen = store.create(spec), []

    def stop(event, progress):
        seen.append(event.type)
        if seen.count(after) == count:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.run(run, stop)
    (run.folder / "replicates" / ".000-09.1.tmp").mkdir(parents=True)
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(b'{"type": "epoch", "repeat": 0, "fold": 1, "epo')
    return run


def hashes(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def told(run):
    """The run's events without what differs from run to run."""
    return [
        {key: event[key] for key in ("type", "repeat", "fold", "epoch", "split")}
        | {"loss": event["values"].get("loss")}
        for event in run.events()
        if event["type"] != "log"
    ]


def test_a_resumed_run_ends_as_an_uninterrupted_one(spec, whole, tmp_path):
    run = interrupted(Store(tmp_path), spec)
    kept = {path.name: hashes(path) for path in run.replicates().values()}
    assert run.record.state == "cancelled" and len(kept) == 1
    worker.resume(run)
    assert run.record.state == "done" and run.predictions.equals(whole.predictions)
    assert {name: hashes(run.folder / "replicates" / name) for name in kept} == kept
    assert told(run) == told(whole) and not list(run.folder.rglob(".*.tmp"))
    assert run.result("evaluation") == whole.result("evaluation")
    with pytest.raises(RunError, match="nothing left to do"):
        worker.resume(run)


@pytest.mark.usefixtures("unexamined")
def test_a_run_does_not_go_on_with_other_data_or_other_folds(spec, demo_files, tmp_path):
    import pandas as pd

    own = tmp_path / "own.parquet"
    shutil.copy(demo_files["windows"], own)
    store = Store(tmp_path / "artifacts")
    run = interrupted(store, change(spec, {"data.windows": str(own)}))
    table = pd.read_parquet(own)
    table[table["grade"] != "D"].iloc[1:].to_parquet(own)
    with pytest.raises(DataError, match="windows are not those that the run began with"):
        worker.resume(run)
    table.to_parquet(own)
    folds = {name: run.folds[name].to_numpy() for name in run.folds}
    run.write_table("folds", folds | {"fold": folds["fold"][::-1]})
    with pytest.raises(DataError, match="other folds"):
        worker.resume(run)
    assert run.record.state == "failed" and len(run.replicates()) == 1


def test_pretraining_goes_on_from_the_weights_that_are_there(demo_files, tmp_path, monkeypatch):
    """Killed between a checkpoint's description and its weights, which belong together."""
    changes = {"data.bars": str(demo_files["bars"]), "epochs": 3, "hidden": 4, "batch_size": 64, "stride_bars": 100}
    changes["exclude_labelled"] = False
    spec = change(preset("quick").pretrain(), changes)
    store = Store(tmp_path)
    plain = store.create(spec)
    worker.run(plain)
    run = store.create(spec)
    from moola_core.runs import store as module

    write_text, seen = module.write_text, []

    def stop(path, text):
        write_text(path, text)
        seen.append(path.name)
        if seen.count("last.json") == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_text", stop)
    with pytest.raises(KeyboardInterrupt):
        worker.run(run)
    monkeypatch.undo()
    assert json.loads((run.folder / "checkpoints" / "last.json").read_text())["epoch"] == 2
    worker.resume(run)
    from safetensors.numpy import load_file

    one, other = (load_file(r.folder / "checkpoints" / "best.safetensors") for r in (plain, run))
    assert one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)
    assert told(run) == told(plain) and run.result("learned") == plain.result("learned")


@pytest.mark.usefixtures("unexamined")
def test_a_deleted_store_goes_on_from_its_mirror(spec, whole, tmp_path, monkeypatch):
    monkeypatch.setenv(mirror.VARIABLE, str(tmp_path / "mirror"))
    store = Store(tmp_path / "artifacts")
    run = interrupted(store, spec)
    kept = hashes(next(iter(run.replicates().values())))
    shutil.rmtree(store.root)
    monkeypatch.delenv(mirror.VARIABLE)
    copy = Store(tmp_path / "mirror").open(run.id)
    assert list(copy.replicates()) == [(0, 0)] and hashes(copy.replicates()[0, 0]) == kept
    assert main(["resume", run.id, "--foreground", "--store", str(tmp_path / "mirror"), "--json"]) == 0
    assert copy.record.state == "done" and copy.predictions.equals(whole.predictions)


@pytest.mark.usefixtures("unexamined")
def test_the_mirror_has_each_step_as_it_is_completed(spec, tmp_path, monkeypatch):
    monkeypatch.setenv(mirror.VARIABLE, str(tmp_path / "mirror"))
    run, seen = Store(tmp_path / "artifacts").create(spec), []

    def look(event, progress):
        if event.type == "replicate_started":
            there = Store(tmp_path / "mirror").open(run.id)
            seen.append((len(there.replicates()), there.record.state))

    worker.run(run, look)
    assert seen == [(0, "running"), (1, "running"), (2, "running")]
    copy = Store(tmp_path / "mirror").open(run.id)
    assert hashes(copy.folder) == {k: v for k, v in hashes(run.folder).items() if k != "heartbeat"}


@pytest.mark.usefixtures("unexamined")
def test_a_mirror_that_cannot_be_written_costs_a_warning(spec, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(mirror.VARIABLE, str(tmp_path / "file"))
    run = Store(tmp_path / "artifacts").create(spec)
    worker.run(run)
    assert run.record.state == "done" and len(run.record.warnings) == 1 and "mirror" in run.record.warnings[0]


@pytest.fixture(scope="module")
def packed(spec, whole, demo_files, tmp_path_factory):
    """An unfinished run, a finished one and its predictions, packed; the data they were made on is then gone."""
    folder = tmp_path_factory.mktemp("packed")
    there = folder / "there"
    there.mkdir()
    shutil.copy(demo_files["windows"], there / "w.parquet")
    (there / "w.parquet.moola.json").write_text("{}")
    store = Store(there / "artifacts")
    moved = change(spec, {"data.windows": str(there / "w.parquet")})
    done, part = store.create(moved, name="done"), interrupted(store, moved)
    worker.run(done)
    asked = store.create(Predict(run=done.id, data=moved.data), parent=done.id)
    worker.run(asked)
    part.update(state="running", process={"pid": 1, "host": "there"})
    made = pack(store, [done.id, part.id], folder / "runs.zip")
    assert set(made.runs) == {done.id, part.id, asked.id} and made.missing == ()
    shutil.rmtree(there)
    return folder / "runs.zip", done.id, part.id, asked.id


@pytest.fixture
def parcel(packed, tmp_path):
    """A copy of the packed runs, and their ids."""
    return shutil.copy(packed[0], tmp_path / "runs.zip"), *packed[1:]


@pytest.mark.usefixtures("unexamined")
def test_packed_runs_open_and_resume_elsewhere(parcel, whole, tmp_path, capsys):
    file, done, part, asked = parcel
    where = ["--store", str(tmp_path / "here"), "--data", str(tmp_path / "data")]
    assert main(["unpack", str(file), *where, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["added"]) == {done, part, asked}
    before = hashes(tmp_path)
    assert main(["unpack", str(file), *where, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["added"] == [] and again["data"] == [] and len(again["there"]) == 3 and hashes(tmp_path) == before
    store = Store(tmp_path / "here")
    assert store.open(done).predictions.equals(whole.predictions)
    run = store.open(part)
    assert run.record.state == "lost" and Path(run.spec.data.windows).is_relative_to(tmp_path / "data")
    assert "there" in (run.folder / "spec.json").read_text()
    worker.resume(run)
    assert run.predictions.equals(whole.predictions)
    pack(store, [part], tmp_path / "back.zip")
    assert len(unpack(tmp_path / "back.zip", Store(tmp_path / "third"), tmp_path / "data").data) == 0


@pytest.mark.usefixtures("unexamined")
def test_a_run_without_its_data_is_told_where_it_lies(parcel, demo_files, whole, tmp_path, capsys):
    file, _, part, _ = parcel
    store = Store(tmp_path / "here")
    unpack(file, store, tmp_path / "data")
    shutil.rmtree(tmp_path / "data")
    resume = ["resume", part, "--foreground", "--store", str(store.root)]
    assert main(resume) == 2 and "no such file" in capsys.readouterr().err
    assert main([*resume, "--bars", str(demo_files["bars"])]) == 2 and "no file of bars" in capsys.readouterr().err
    assert main([*resume, "--windows", str(demo_files["windows"])]) == 0
    assert store.open(part).predictions.equals(whole.predictions)


def rewritten(file, target, change):
    """A copy of the packed file with other content: change(name, content) gives (name, content), or None to leave it out."""
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            put = change(name, source.read(name))
            if put:
                copy.writestr(*put)
    return target


def climbing(name, content):
    text = content.replace(b"/spec.json", b"/../../../evil.json") if name == "manifest.json" else content
    return (name.replace("/spec.json", "/../../../evil.json"), text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda name, content: (name, content + b" " if name.endswith("run.json") else content), "not what was packed"),
        (lambda name, content: None if name.endswith("run.json") else (name, content), "is missing"),
        (lambda name, content: None if name == "manifest.json" else (name, content), "is not a file that"),
        (lambda name, content: (name, b"[]" if name == "manifest.json" else content), "is not a file that"),
        (climbing, "outside of the store"),
    ],
)
def test_a_damaged_or_hostile_pack_adds_nothing(parcel, tmp_path, change, words):
    bad = rewritten(parcel[0], tmp_path / "bad.zip", change)
    with pytest.raises(StoreError, match=words):
        unpack(bad, Store(tmp_path / "here"), tmp_path / "data")
    assert not (tmp_path / "here").exists() and not (tmp_path / "data").exists()


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_torn_pack_adds_nothing(parcel, tmp_path, keep):
    torn = tmp_path / "torn.zip"
    torn.write_bytes(parcel[0].read_bytes()[:keep])
    with pytest.raises(StoreError):
        unpack(torn, Store(tmp_path / "here"), tmp_path / "data")
    assert not (tmp_path / "here").exists()
