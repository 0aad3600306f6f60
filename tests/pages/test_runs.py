from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from moola_core.launch.local import LocalLauncher
from moola_core.presets import preset
from moola_core.runs.liveness import identity
from moola_core.runs.queue import Queue
from moola_core.runs.store import Store
from moola_core.specs import Report, change
from moola_core.ui import endings
from tests.app_samples import make_everything, make_run
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


def table(at, name: str = "runs_table"):
    """The table that is drawn under the key."""
    return next(item.value for item in at.dataframe if name in str(item.proto.id))


@pytest.fixture
def everything(store, dataset):
    return make_everything(store, dataset)


def test_everything_is_a_row_and_parts_are_folded_under_it(show, store, everything):
    rows = table(show("runs"))
    kinds = dict(zip(rows["name"], rows["kind"], strict=True))
    assert kinds["Mine"] == "run" and kinds["transfer"] == "study" and kinds["plan"] == "plan"
    assert "investigation" in kinds.values() and "diagnostic" in kinds.values() and "pre-training" in kinds.values()
    assert "An arm" not in kinds, "an arm is folded under its study"
    at = show("runs", row=everything["comparison"].id)
    assert "An arm" in table(at, "parts_table")["name"].tolist()
    assert "1 done" in at.expander[0].label or any("1 done" in one.label for one in at.expander)
    part = show("runs", row=everything["arm"].id)
    assert any(one.label == "Part of the study transfer" for one in part.button)
    part.button(key="whole").click().run()
    assert part.session_state["row"] == everything["comparison"].id and not part.exception


def test_a_link_to_a_study_as_run_shows_it_on_its_row(show, everything):
    at = show("runs", run=everything["comparison"].id)
    assert at.session_state["row"] == everything["comparison"].id and "transfer" in at.header[0].value
    at.button(key="open").click().run()
    assert at.title[0].value == "Compare" and at.session_state["study"] == everything["comparison"].id


def test_filters_are_in_the_link_and_leave_what_passes(show, store, everything):
    everything["run"].update(tags=("july",), note="the wide stop")
    at = show("runs", states="done", kinds="finetune", tags="july", find="wide")
    assert table(at)["name"].tolist() == ["Mine"] and "1 of" in texts(at)
    assert at.query_params["tags"] == ["july"] or at.query_params["tags"] == "july"
    at.text_input(key="find").set_value("no such text").run()
    assert not at.exception and not any("runs_table" in str(item.proto.id) for item in at.dataframe)
    assert "kinds=unheard" in texts(show("runs", kinds="unheard"))


def test_chosen_metrics_and_settings_that_differ_are_columns(show, dataset, store):
    one, other = make_run(store, dataset, name="one"), make_run(store, dataset, name="other")
    other_spec = change(one.spec, {"training.epochs": 7})
    (other.folder / "spec.json").write_text(other_spec.model_dump_json())
    rows = table(show("runs", columns="ece,auroc", different="True"))
    assert rows["training.epochs"].tolist() == ["7", str(one.spec.training.epochs)]
    wanted = {name: one.result("evaluation")["metrics"][name]["mean"] for name in ("ece", "auroc")}
    assert [rows[column].iloc[0] for column in rows.columns if column in ("ECE", "AUROC")] == pytest.approx(
        [wanted["ece"], wanted["auroc"]]
    )
    assert [name for name in rows if "." in name] == ["training.epochs"]


def _edit_page(run_id: str) -> None:
    from moola_core.ui import loaders, run_editing

    run = loaders.store().open(run_id)
    run_editing.form(run, run.record)


def test_name_note_and_tags_are_edited(show, dataset, store):
    run = make_run(store, dataset)
    at = show("runs")
    at.button(key="edit").click().run()
    assert not at.exception and at.text_input(key=f"name_{run.id}").value == "A run"
    form = AppTest.from_function(_edit_page, args=(run.id,), default_timeout=60).run()
    form.text_input(key=f"name_{run.id}").set_value(" better ").run()
    form.button(key="keep_names").click().run()
    assert (run.record.name, run.record.note, run.record.tags) == ("better", "by hand", ("made",))
    assert not form.exception


def test_a_whole_is_archived_and_deleted_with_its_parts(show, store, everything):
    study, arm = everything["comparison"], everything["arm"]
    at = show("runs", row=study.id)
    button(at, "Archive").click().run()
    assert study.record.archived and arm.record.archived and "transfer" not in table(at)["name"].tolist()
    at = show("runs", row=study.id)
    at.button(key="delete_now").click().run()
    assert not study.folder.exists() and not arm.folder.exists() and everything["run"].folder.exists()


def test_the_first_button_of_a_failed_run_is_the_fix(show, dataset, store):
    run = make_run(store, dataset, "failed")
    run.update(error="The loss is not a number from epoch 3 on (repeat 0, fold 1).")
    at = show("runs")
    first = next(one for one in at.button if one.key in ("fix", "resume"))
    assert (first.key, first.label) == ("fix", "Launch again with a learning rate of 0.0017")
    first.click().run()
    assert at.title[0].value == "Launch" and not at.exception
    assert "--set training.learning_rate=0.0017" in at.code[0].value and "--preset quick" in at.code[0].value
    run.update(error="cannot be written: No space left on device.")
    at = show("runs")
    assert next(one for one in at.button if one.key in ("fix", "resume")).key == "resume"


def test_a_run_is_launched_again_with_its_settings_and_a_diagnostic_as_it_was(show, dataset, store, asked, everything):
    run = make_run(store, dataset, name="again")
    (run.folder / "spec.json").write_text(change(run.spec, {"model.dropout": 0.4}).model_dump_json())
    at = show("runs", run=run.id)
    at.button(key="launch_again").click().run()
    assert at.title[0].value == "Launch" and "--set model.dropout=0.4" in at.code[0].value
    assert "--name again" in at.code[0].value and "--tag made" in at.code[0].value
    at = show("runs", row=everything["shift"].id)
    at.button(key="start_again").click().run()
    newest = Store(store).runs()[0]
    assert newest.kind == "diagnose" and newest.state == "queued" and at.session_state["row"] == newest.run_id
    assert Store(store).open(newest.run_id).spec == everything["shift"].spec


def test_a_run_that_ended_is_told_of_until_it_is_dismissed_however_often_the_drawing_is_overtaken(
    show, dataset, store, monkeypatch
):
    run = make_run(store, dataset, "running", name="Long")
    part = make_run(store, dataset, "running", name="arm")
    run.update(process=identity())
    part.update(process=identity(), parent=run.id)
    at = show("windows")
    assert "1 run active" in texts(at.sidebar) and "Run Long" not in texts(at.sidebar)
    for one in (part, run):
        one.update(state="failed")
    with monkeypatch.context() as patch:
        patch.setattr(endings, "_draw", st.stop)
        at.run()
        assert "Run Long" not in texts(at.sidebar)
    for _ in range(2):
        at.run()
        assert "Run Long is failed." in texts(at.sidebar) and "arm" not in texts(at.sidebar)
    at.button(key=f"dismiss_ended_{run.id}").click().run()
    assert "Run Long" not in texts(at.sidebar)
    assert "Run Long" not in texts(at.run().sidebar) and not at.exception


def test_what_is_made_of_a_run_that_has_ended_is_told_of_too(show, dataset, store):
    run = make_run(store, dataset)
    report = Store(store).create(Report(run=run.id), name="Its report", parent=run.id)
    report.update(state="running", process=identity())
    at = show("windows")
    assert "1 run active" in texts(at.sidebar)
    report.update(state="done")
    at.run()
    assert "Report Its report is done." in texts(at.sidebar)
    at.button(key=f"open_ended_{report.id}").click().run()
    assert at.title[0].value == "Report" and at.session_state["run"] == run.id and not at.exception


def test_the_notice_of_a_run_leads_to_what_came_of_it_and_to_the_row_of_one_that_failed(show, dataset, store):
    for ended, page in (("done", "Performance"), ("failed", "Runs")):
        run = make_run(store, dataset, "running", name="Short")
        run.update(process=identity())
        at = show("windows")
        at.run()
        run.update(state=ended)
        at.run()
        at.button(key=f"open_ended_{run.id}").click().run()
        assert at.title[0].value == page and not at.exception
        assert at.session_state["run" if ended == "done" else "row"] == run.id
        assert "Run Short" not in texts(at.sidebar)


def test_the_curves_of_a_run_show_what_was_monitored(show, dataset, store):
    make_run(store, dataset)
    at = show("runs")
    said = texts(at)
    for title in ("Class loss", "σ of the tasks", "Macro F1", "Recall", "Center error", "Gradient conflict so far"):
        assert f"**{title}**" in said, title


def test_what_waits_says_for_what(show, dataset, store, asked):
    queued(store, dataset, "first")
    second = queued(store, dataset, "second")
    assert "1 other run begins before it" in texts(show("runs", run=second.id))
