from __future__ import annotations

import json

import pytest

from moola_core.errors import MoolaError
from moola_core.launch import report_files, worker
from moola_core.runs.store import Store
from moola_core.sections.registry import names
from tests.app_samples import make_pretraining, make_run
from tests.pages.conftest import button, texts
from tests.reports.conftest import make_full, make_hostile, make_study


@pytest.fixture
def carried_out(monkeypatch) -> list:
    """What is put into the queue is done at once; gives those runs."""
    runs: list = []

    def start(run) -> None:
        runs.append(run)
        try:
            worker.run(run)
        except MoolaError:
            assert run.record.state == "failed"

    monkeypatch.setattr("moola_core.launch.local.start", start)
    return runs


def content(run) -> bytes:
    """The file of a report."""
    (path,) = report_files.files(run).values()
    return path.read_bytes()


def downloads(at) -> list[str]:
    labels = [item.proto.label for item in at.get("download_button")]
    return [label for label in labels if label.startswith("Download ")]


def test_without_data_or_runs_it_leads_to_a_run(show):
    assert "No run on this dataset yet" in texts(show("report", data=False))
    at = show("report")
    button(at, "Set up a run").click().run()
    assert at.title[0].value == "Launch"


@pytest.mark.parametrize("make", [make_full, make_hostile])
def test_every_section_is_previewed(show, dataset, store, make):
    run = make(store, dataset)
    at = show("report")
    for name in names("finetune"):
        at.session_state["preview"] = name
        at.run()
        assert not at.exception and not at.error, name
        assert at.get("plotly_chart") or at.table or at.dataframe or at.markdown or at.metric, name
    assert at.query_params["preview"] == "data"
    shown = {row[0]: row[1] for row in at.table[1].value.to_numpy()}
    assert shown["windows"] == run.record.data_hashes["windows"]


def test_the_preview_shows_the_stored_figures(show, dataset, store):
    run = make_run(store, dataset)
    at = show("report")
    at.session_state["preview"] = "targets"
    at.run()
    table = at.dataframe[0].value.set_index("0")
    assert table.loc["Macro F1", "2"] == run.result("evaluation")["metrics"]["f1_macro"]["mean"]
    at.session_state["preview"] = "attribution"
    at.run()
    assert "moola diagnose attribution" in texts(at)


def test_a_file_is_made_of_the_chosen_sections(show, dataset, store, carried_out):
    run = make_pretraining(store, dataset)
    at = show("report", run=run.id)
    at.session_state["sections_pretrain"] = ["learned", "probe"]
    at.session_state["format"] = "json"
    at.run()
    button(at, "Make the file").click().run()
    assert not at.error
    (made,) = carried_out
    assert [section["name"] for section in json.loads(content(made))["sections"]] == ["learned", "probe"]
    assert any(label.startswith(f"Download {run.id}.json") for label in downloads(at))
    at.session_state["sections_pretrain"] = ["learned"]
    at.run()
    assert not downloads(at), "no such file was made"
    # It is a part of the run that it is of, and is listed, found again, downloaded and deleted there.
    listed = show("runs", row=made.id, run=run.id)
    assert made.record.parent == run.id and any(
        label.startswith(f"Download {run.id}.json") for label in downloads(listed)
    )
    button(listed, "Open on Report").click().run()
    assert listed.title[0].value == "Report" and listed.session_state["sections_pretrain"] == ["learned", "probe"]
    assert downloads(listed)
    again = show("runs", row=made.id)
    button(again, "Delete for good").click().run()
    assert [one.run_id for one in Store(store).runs()] == [run.id]


def test_a_report_that_is_made_is_followed(show, dataset, store, monkeypatch):
    run = make_run(store, dataset)
    monkeypatch.setattr("moola_core.launch.local.start", lambda run: None)
    at = show("report", run=run.id)
    button(at, "Make the file").click().run()
    assert button(at, "Make the file").disabled and not downloads(at)
    (made,) = [one for one in Store(store).runs() if one.kind == "report"]
    assert made.state == "queued" and made.queue["needs"] == "short" and made.name == "Report as HTML"


def test_a_missing_chromium_is_explained(show, dataset, store, monkeypatch, tmp_path, carried_out):
    make_run(store, dataset)
    at = show("report")
    monkeypatch.setenv("PATH", str(tmp_path))
    at.session_state["format"] = "pdf"
    at.run()
    button(at, "Make the file").click().run()
    assert "no Chromium is installed" in at.error[0].value and "apt-get" in texts(at)
    assert not downloads(at) and len(carried_out) == 1


def test_a_failed_run_has_a_report_and_an_active_one_has_none(show, dataset, store, monkeypatch):
    make_run(store, dataset, "failed")
    assert "the card went away" in "\n".join(box.value for box in show("report").warning)
    monkeypatch.setattr("moola_core.runs.liveness.alive", lambda process: True)
    running = make_run(store, dataset, "running")
    running.update(process={"pid": 1})
    assert "Not done yet" in texts(show("report", run=running.id))


def test_what_the_doctor_found_is_another_report_of_the_same_run(show, dataset, store, carried_out):
    run = make_full(store, dataset)
    at = show("report", run=run.id)
    at.session_state["report_of"] = "doctor"
    at.session_state["sections_doctor"] = ["findings"]
    at.session_state["format"] = "json"
    at.run()
    assert not at.exception and any(f"moola doctor {run.id} --launch" in code.value for code in at.code)
    button(at, "Make the file").click().run()
    made = json.loads(content(carried_out[0]))
    assert made["kind"] == "doctor" and [section["name"] for section in made["sections"]] == ["findings"]
    assert any(label.startswith(f"Download doctor-{run.id}.json") for label in downloads(at))


@pytest.mark.parametrize("page", ["doctor", "compare"])
def test_the_doctors_page_and_the_compare_page_offer_their_report(show, dataset, store, carried_out, page):
    run = make_full(store, dataset) if page == "doctor" else make_study(store, dataset)
    at = show(page, run=run.id) if page == "doctor" else show(page)
    at.session_state["format"] = "json"
    at.run()
    button(at, "Make the file").click().run()
    assert not at.error or page == "compare"  # a simple model wins there
    found = json.loads(content(carried_out[0]))
    assert (found["run_id"], found["kind"]) == (run.id, "doctor" if page == "doctor" else "study")
