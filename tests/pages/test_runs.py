from __future__ import annotations

from moola_core.runs.store import Store
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
    button(at, "Take out of the archive").click().run()
    assert not run.record.archived and not at.exception


def test_delete(show, dataset, store):
    run = make_run(store, dataset)
    at = show("runs")
    assert run.folder.is_dir()
    at.button(key="delete_now").click().run()
    assert not run.folder.exists() and Store(store).runs() == []


def test_an_active_run_cannot_be_deleted(show, dataset, store, monkeypatch):
    monkeypatch.setattr("moola_core.runs.reaper.alive", lambda process: True)
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
