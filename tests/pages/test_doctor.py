"""The Doctor page: of a run, of figures, of a plan; and the badge on other pages."""

from __future__ import annotations

import shutil

import pytest

from moola_core.diagnostics.doctor import Case, examine
from moola_core.diagnostics.doctor.reported import load, reported_case
from moola_core.diagnostics.results.doctor import EXAMPLE
from moola_core.runs.store import Store
from moola_core.specs import Diagnose, change
from tests import app_samples as samples
from tests.app_samples import make_run
from tests.pages.conftest import button, texts

FACTS = samples.FACTS | {
    "label_entropy": 0.69,
    "log_loss": 1.05,
    "accuracy": 0.5,
    "majority_accuracy": 0.53,
}


@pytest.fixture
def started(monkeypatch):
    runs: list = []
    monkeypatch.setattr("moola_core.launch.local.start", runs.append)
    return runs


@pytest.fixture
def sick(store, dataset):
    run = make_run(store, dataset)
    planted = change(run.spec, {"faults.extra_output": 1})
    run.write_result("doctor", examine(Case("finetune", FACTS, planted, run.id)))
    return run


def in_finding(at, check: str, label: str):
    """The button with that label in the finding of the check."""
    buttons = (one for one in at.button if one.key.startswith(f"findings-{check}"))
    return next(one for one in buttons if one.label.replace("\\", "") == label)


def test_findings_are_shown_in_order_with_evidence(show, sick):
    at = show("doctor", run=sick.id)
    said = texts(at).replace("\\", "").replace("**", "")
    assert said.index("Head wider than the labels") < said.index("Constant folds")
    assert "Perhaps no better than the majority" in str(
        [table.value.to_string() for table in (*at.table, *at.dataframe)]
    )
    assert "ln 3 = 1.099" in said and "Do not read yet: ECE" in said and "Look first at: Head wider" in said
    assert "could not be judged" in str([item.label for item in at.expander])
    assert len(at.get("plotly_chart")) == 2 and len(at.dataframe) >= 4


def test_a_mend_is_launched_and_shown(show, sick, started, store):
    at = show("doctor", run=sick.id)
    in_finding(at, "head_too_wide", "Launch this").click().run()
    assert not at.exception and at.title[0].value == "Runs" and len(started) == 1
    assert started[0].spec.faults.extra_output == 0 and "fix" in started[0].record.name


def test_a_mend_is_launched_on_the_files_where_they_are_now(show, sick, started, dataset, tmp_path):
    places = {}
    for kind in ("windows", "bars"):
        file = dataset.with_name(f"{kind}.parquet")
        places[str(file)] = str(tmp_path / "moved" / "demo" / file.name)
    shutil.copytree(dataset.parents[1], tmp_path / "moved")
    sick.write_places(places)
    at = show("doctor", tmp_path / "moved", run=sick.id)
    assert not any("data.windows" in table.value.to_string() for table in at.table)
    in_finding(at, "head_too_wide", "Launch this").click().run()
    assert not at.exception and started[0].spec.data.windows == places[str(dataset)]


def test_evidence_opens_its_windows_and_its_chart(show, sick):
    at = show("doctor", run=sick.id)
    in_finding(at, "overlapping_folds", "demo_0001").click().run()
    assert at.title[0].value == "Windows" and at.session_state["window"] == "demo_0001"
    at = show("doctor", run=sick.id)
    in_finding(at, "constant_folds", "Show chart").click().run()
    assert not at.exception and at.title[0].value == "Performance"


def test_the_badge_is_on_overview_and_runs(show, sick):
    assert "doctor: 1 critical" in texts(show("overview"))
    at = show("runs", run=sick.id)
    assert "doctor: 1 critical" in texts(at) and "1 critical" in at.dataframe[0].value["doctor"].tolist()
    at.button(key=f"doctor_{sick.id}").click().run()
    assert at.title[0].value == "Doctor"


def test_a_healthy_run_says_so(show, store, dataset):
    run = make_run(store, dataset)
    run.write_result("doctor", examine(Case("finetune", {"outputs": 2, "n_classes": 2}, run.spec, run.id)))
    assert "doctor: healthy" in texts(show("overview"))


def test_a_run_of_before_can_be_asked_about(show, store, dataset, started):
    run = make_run(store, dataset)
    at = show("doctor", run=run.id)
    button(at, "Run the checks").click().run()
    assert len(started) == 1 and started[0].spec.run == run.id and "The checks are running" in texts(at)
    started[0].write_result("doctor", examine(Case("finetune", FACTS, run.spec, run.id)))
    started[0].update(state="done")
    assert "Constant folds" in texts(show("doctor", run=run.id))


def test_figures_are_judged_by_a_run_and_the_example_fills_the_form(show, store, started):
    at = show("doctor", view="figures")
    button(at, "Check these figures").click().run()
    assert "Give at least one figure" in texts(at)
    button(at, "Fill in the example").click().run()
    assert at.text_input(key="figure_encoder").value == "12, 2, 128"
    button(at, "Check these figures").click().run()
    assert not at.exception
    assert load(EXAMPLE) == {**started[0].spec.figures, "about": load(EXAMPLE)["about"]} | {
        name: load(EXAMPLE)[name] for name in ("class_counts", "f1", "recall")
    }
    assert started[0].spec.planned["preset"] == "network"
    run = started[0]
    run.write_result("doctor", examine(reported_case(load(EXAMPLE))))
    run.update(state="done")
    assert "Units: bars against fractions" in texts(show("doctor", view="figures")).replace("\\", "")


def test_figures_that_are_none_are_refused_with_a_sentence(show, started, store):
    at = show("doctor", view="figures")
    at.text_input(key="figure_accuracy").set_value("high")
    button(at, "Check these figures").click().run()
    assert "cannot be read" in texts(at) and not started


def test_a_plan_is_checked_from_the_launch_page(show, started, store):
    at = show("launch")
    button(at, "Check before launch").click().run()
    assert not at.exception and at.title[0].value == "Doctor" and started[0].spec.planned["kind"] == "finetune"
    started[0].write_result("doctor", examine(Case("finetune", FACTS, planned=True)))
    started[0].update(state="done")
    shown = show("doctor", view="planned")
    assert "Head wider than the labels" in texts(shown) and "windows.parquet, looked at" in texts(shown).replace(
        "\\", ""
    )
    assert not button(shown, "Set up a run").click().run().exception


def test_a_failed_question_says_why(show, store):
    run = Store(store).create(Diagnose(name="doctor", figures={"accuracy": 0.5}))
    run.update(state="failed", error="not a figure that the doctor reads.")
    assert "not a figure that the doctor reads" in texts(show("doctor", view="figures"))


def test_without_runs_or_data_there_is_a_way_on(show, store, dataset):
    assert "No run on this dataset yet" in texts(show("doctor"))
    assert "Nothing was checked" in texts(show("doctor", view="planned"))
    assert show("doctor", data=False).button
    make_run(store, dataset, "failed")
    assert "did not finish" in texts(show("doctor"))
