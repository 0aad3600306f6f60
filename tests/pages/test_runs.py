from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from moola_core.launch.local import LocalLauncher
from moola_core.presets import preset
from moola_core.runs.liveness import identity
from moola_core.runs.queue import Queue
from moola_core.runs.store import Store
from moola_core.specs import change
from tests.app_samples import make_run
from tests.pages.conftest import button, texts


def test_pin_archive_and_unarchive(show, dataset, store):
    run = make_run(store, dataset)
    at = show("runs")
    button(at, "Pin as baseline").click().run()
    assert run.record.pinned
    button(at, "Archive").click().run()
    assert run.record.archived and "No runs yet" in texts(at)
    at.toggle(key="archived").set_value(True).run()
    button(at, "Restore").click().run()
    assert not run.record.archived and not at.exception


def test_a_run_shows_how_its_fits_were_made_and_why(show, dataset, store):
    run = make_run(store, dataset)
    run.update(facts=replace(run.record.facts, engine="replicas", engine_why="50 small fits at once use the card."))
    assert "Fits all at once (replicas). 50 small fits at once use the card." in texts(show("runs"))


def test_delete(show, dataset, store):
    run = make_run(store, dataset)
    at = show("runs")
    assert run.folder.is_dir()
    at.button(key="delete_now").click().run()
    assert not run.folder.exists() and Store(store).runs() == []


def test_an_active_run_cannot_be_deleted(show, dataset, store, monkeypatch):
    monkeypatch.setattr("moola_core.runs.liveness.alive", lambda process: True)
    make_run(store, dataset, "running").update(process={"pid": 1})
    at = show("runs")
    assert at.button(key="delete_now").disabled
    assert "3 of 10 fits" in str(at.get("progress")[0].proto.text)


def test_log_and_settings(show, dataset, store):
    make_run(store, dataset, "failed")
    at = show("runs")
    at.session_state["section"] = "Log"
    at.run()
    assert (
        "repeat 1, fold 1: started, train 38" in at.code[0].value
        and "Traceback: the card went away" in at.code[0].value
    )
    at.session_state["section"] = "Settings"
    at.run()
    settings = at.dataframe[1].value
    assert "training.epochs" in settings["setting"].tolist()


def test_a_run_whose_process_died_is_lost(show, dataset, store):
    make_run(store, dataset, "running").update(process={"pid": 2**22 + 1, "started": 1.0, "boot": "another"})
    assert "lost" in texts(show("runs"))


@pytest.fixture
def asked(monkeypatch) -> list:
    """The workers that were asked for, with no process behind them."""
    devices: list = []
    monkeypatch.setattr("moola_core.launch.local.ensure_worker", lambda root, device="": devices.append(device))
    return devices


def queued(store, dataset, name: str):
    spec = change(preset("quick").finetune(), {"data.windows": str(dataset)})
    return Store(store).open(LocalLauncher(Store(store)).submit(spec, name=name))


def test_a_waiting_run_is_cancelled_and_resumed(show, dataset, store, asked):
    run = queued(store, dataset, "waits")
    at = show("runs")
    assert "1 run in the queue" in texts(at) and "waiting in the queue" in str(at.get("progress")[0].proto.text)
    at.button(key="cancel_now").click().run()
    assert run.record.state == "cancelled" and not at.exception and "Resume it when you like" in texts(at)
    at.button(key="resume").click().run()
    assert run.record.state == "queued" and not at.exception and asked
    assert [entry.run_id for entry in Queue(Path(store)).entries()] == [run.id]


def test_the_queue_is_paused_and_goes_on(show, dataset, store, asked):
    queued(store, dataset, "waits")
    at = show("runs")
    at.button(key="pause").click().run()
    assert Queue(Path(store)).paused and "Paused" in texts(at)
    at.button(key="pause").click().run()
    assert not Queue(Path(store)).paused and not at.exception


def test_a_part_of_a_study_says_what_to_cancel(show, dataset, store, asked):
    whole = make_run(store, dataset, "running", name="study")
    part = make_run(store, dataset, "running", name="part")
    for run in (whole, part):
        run.update(process=identity(), parent=None if run is whole else whole.id)
    at = show("runs", run=part.id)
    at.button(key="cancel_now").click().run()
    assert "is part of study" in texts(at) and part.record.state == "running" and not at.exception


def test_a_worker_is_asked_for_again_where_runs_wait(show, dataset, store, asked, monkeypatch):
    queued(store, dataset, "waits")
    asked.clear()
    monkeypatch.setattr("moola_core.launch.local.LOOK_S", 0.0)
    show("runs")
    assert asked
