"""The Investigate page: nothing yet, one that runs, one that is done, one that failed."""

from __future__ import annotations

import pytest

from moola_core.runs.facts import Doing, Facts
from moola_core.runs.store import Store
from moola_core.specs import Data, Investigation
from tests.app_samples import make_everything
from tests.investigation_samples import make_investigation
from tests.pages.conftest import button, texts


def test_without_data_the_page_says_what_to_do(show):
    at = show("investigate", data=False)
    assert "No labelled windows here" in texts(at) and button(at, "Read a new file")


def test_an_empty_store_shows_one_button(show):
    at = show("investigate")
    assert button(at, "Investigate") and "most likely to change the conclusion" in texts(at)


def test_the_button_queues_an_investigation_of_the_chosen_data(show, store, monkeypatch):
    queued = []
    monkeypatch.setattr("moola_core.launch.local.start", lambda run: queued.append(run))
    at = show("investigate")
    button(at, "Investigate").click().run()
    assert not at.exception and len(queued) == 1
    spec = queued[0].spec
    assert (spec.kind, spec.budget_s, spec.preset) == ("investigation", 900, "recommended")
    assert spec.data.windows and spec.data.bars
    assert at.session_state["investigation"] == queued[0].id


def test_settings_encoder_and_rules_of_the_form_are_those_of_the_investigation(show, store, monkeypatch):
    queued = []
    monkeypatch.setattr("moola_core.launch.local.start", lambda run: queued.append(run))
    at = show("investigate")
    at.text_area(key="investigated_settings").set_value("training.epochs=7\n\npretrain.objective.name=masked").run()
    at.number_input(key="gate_pointers").set_value(0.7).run()
    button(at, "Investigate").click().run()
    spec = queued[0].spec
    assert spec.changes == {"training.epochs": "7", "pretrain.objective.name": "masked"}
    assert spec.gates.pointers == 0.7 and spec.gates.target == 0.6 and spec.checkpoint == ""


@pytest.mark.parametrize(
    "typed, text",
    [("epochs", "no equals sign"), ("training.epoch=3", "unknown setting"), ("training.epochs=x", "epochs")],
)
def test_settings_that_cannot_be_are_refused_before_the_start(show, store, typed, text):
    at = show("investigate")
    at.text_area(key="investigated_settings").set_value(typed).run()
    button(at, "Investigate").click().run()
    assert any(text in one.value for one in at.error), [one.value for one in (*at.error, *at.exception)]
    assert not Store(store).runs("investigation")


def test_a_goal_that_cannot_be_read_is_refused_in_a_sentence(show, store):
    at = show("investigate")
    next(one for one in at.text_input if one.label == "Goal").set_value("better").run()
    button(at, "Investigate").click().run()
    assert any("a metric, a comparison and a number" in one.value for one in at.error)
    assert not Store(store).runs("investigation")


def test_a_finished_one_shows_its_conclusion_with_ways_to_its_runs(show, store, dataset):
    made = make_everything(store, dataset)
    at = show("investigate")
    shown = texts(at).replace("\\", "")
    for text in ("Use logistic on aggregates", "it hurts (full)", "Why it ended.", "Your own rules"):
        assert text in shown, text
    assert button(at, "Predict with the recommended model")
    next(one for one in at.button if one.label == f"Run {made['arm'].id[-4:]}").click().run()
    assert at.session_state["run"] == made["arm"].id


def test_predicting_leads_to_the_recommended_run(show, store, dataset):
    made = make_everything(store, dataset)
    at = show("investigate")
    button(at, "Predict with the recommended model").click().run()
    assert at.session_state["run"] == made["arm"].id


@pytest.mark.parametrize("state", ["failed", "cancelled", "lost"])
def test_one_that_did_not_end_says_why_and_can_be_resumed(show, store, dataset, state):
    make_everything(store, dataset)
    spec = Investigation(preset="quick", data=Data(windows=str(dataset)))
    run = Store(store).create(spec, name="another")
    run.update(state=state, error="The disk is full.")
    at = show("investigate", investigation=run.id)
    assert any("The disk is full." in one.value for one in at.warning) and button(at, "Resume")


def test_one_that_runs_shows_its_question_and_what_was_answered(show, store, dataset):
    made = make_everything(store, dataset)
    run = Store(store).create(Investigation(preset="quick", data=Data(windows=str(dataset))), name="another")
    run.write_result("investigation", make_investigation(made["comparison"].id, made["arm"].id))
    doing = Doing("Is a network needed?", "Expected: no 0.85.", run.record.created)
    run.update(
        state="running",
        started=run.record.created,
        facts=Facts(doing=doing),
        progress={"done": 30, "total": 300, "unit": "seconds"},
    )
    at = show("investigate", investigation=run.id)
    shown = texts(at).replace("\\", "")
    assert "Is a network needed?" in shown and "Expected: no 0.85." in shown and "Does pre-training help?" in shown


def test_a_link_to_a_run_of_another_kind_says_so(show, store, dataset):
    made = make_everything(store, dataset)
    at = show("investigate", investigation=made["comparison"].id)
    assert "is not an investigation" in texts(at) and button(at, "Show the newest investigation")
