from __future__ import annotations

from moola_core import studies
from moola_core.diagnostics.gates import contradictions, gates
from moola_core.diagnostics.results import Decision, Interval, PlanReport, Power
from moola_core.market.windows import load_windows
from moola_core.runs.store import Store
from moola_core.searches import search_spec
from moola_core.specs import Data, Plan
from tests.app_samples import CLASS_ALONE, make_comparison, make_pretraining, make_run, make_search
from tests.pages.conftest import button, texts


def study(store, dataset, state: str = "done"):
    files = {"windows": str(dataset), "bars": str(dataset.with_name("bars.parquet"))}
    run = Store(store).create(studies.study("transfer", "quick", files), name="transfer")
    if state == "done":
        run.write_result("comparison", make_comparison())
    run.update(state=state, error="" if state == "done" else "the bars are gone.")
    return run


def test_an_empty_page_offers_a_study_and_starts_it(show, store, dataset, monkeypatch):
    started: list = []
    monkeypatch.setattr("moola_core.launch.local.start", started.append)
    assert "No labelled windows here" in texts(show("compare", data=False))
    at = show("compare")
    assert "Nothing was compared yet" in texts(at) and "from scratch, frozen, gradual, full" in texts(at)
    assert "8 times in 10 from" in texts(at) and "nothing like it ran here yet" in texts(at)
    at.selectbox(key="study_labelled").set_value("see").run()
    button(at, "Start the study").click().run()
    (record,) = Store(store).runs()
    assert record.kind == "study" and len(started) == 1
    spec = Store(store).open(record.run_id).spec
    assert spec.base.data.windows == str(dataset) and spec.base.training.repeats == 5


def test_what_was_just_started_is_shown_in_the_place_of_the_study_before(show, store, dataset, monkeypatch):
    monkeypatch.setattr("moola_core.launch.local.start", lambda run: None)
    old = study(store, dataset)
    at = show("compare", study=old.id)
    assert at.get("plotly_chart")
    at.selectbox(key="study_labelled").set_value("see").run()
    button(at, "Start the study").click().run()
    new = next(record.run_id for record in Store(store).runs() if record.state == "queued")
    assert at.session_state["study"] == new and at.query_params["study"] == new
    assert "waiting in the queue" in str(at.get("progress")[0].proto.text) and not at.get("plotly_chart")
    at.run()
    assert at.session_state["study"] == new


def test_a_study_says_its_verdict_and_draws_it(show, store, dataset):
    study(store, dataset)
    at = show("compare")
    assert any("A simple model beats every network" in item.value for item in at.warning)
    assert "negative transfer" in texts(at) and "coin flip" in texts(at)
    assert len(at.get("plotly_chart")) == 3 and "80% power is 0.11" in texts(at).replace("\\", "")
    assert button(at, "Ask the doctor").label and "What the verdicts are about" in texts(at)
    metric = next(group for group in at.button_group if group.key == "differences-metric")
    metric.set_value(1).run()
    assert not at.exception and 'Macro F1: difference from "from scratch"' in texts(at).replace("\\", "")
    assert len([item for item in at.button if ", center " in item.label]) == 10


def test_a_study_without_enough_bars_is_refused_in_a_sentence_before_it_starts(show, store, dataset):
    at = show("compare")
    said = texts(at).replace("\\", "")
    assert "only 93 of 765 windows are left for pre-training" in said and "611 share bars with labelled windows" in said
    assert "pretrain.sampling.labelled=see (704 windows" in said and "frozen, gradual, full" in said
    assert button(at, "Start the study").disabled and not button(at, "Run the whole plan").disabled
    assert "Windows left for each pre-training: left out: 93 windows, 3 pre-trainings" in said
    assert (
        "left out fold by fold: about " in said
        and "25 pre-trainings" in said
        and "seen, without the labels: 704" in said
    )
    at.selectbox(key="study_labelled").set_value("per_fold").run()
    assert not button(at, "Start the study").disabled
    at.selectbox(key="study_labelled").set_value("exclude").run()
    for name, enough in (("objectives", False), ("pretraining-data", False), ("losses", True), ("features", True)):
        at.selectbox(key="study_name").set_value(name).run()
        assert button(at, "Start the study").disabled is not enough, name
    at.selectbox(key="study_labelled").set_value("see").run()
    at.selectbox(key="study_name").set_value("transfer").run()
    assert not button(at, "Start the study").disabled and "left for pre-training" not in texts(at)
    assert Store(store).runs() == []


def test_a_new_study_takes_settings_and_an_encoder_that_is_there(show, store, dataset, monkeypatch):
    monkeypatch.setattr("moola_core.launch.local.start", lambda run: None)
    at = show("compare")
    at.selectbox(key="study_name").set_value("losses").run()
    at.text_area(key="study_settings").set_value("training.epochs=7\nmodel.hidden=9").run()
    button(at, "Start the study").click().run()
    assert not at.exception
    spec = Store(store).open(Store(store).runs("study")[0].run_id).spec
    assert (spec.base.training.epochs, spec.base.model.hidden) == (7, 9)
    at.text_area(key="study_settings").set_value("training.epoch=7").run()
    assert "training.epochs" in texts(at) and button(at, "Start the study").disabled
    at.text_area(key="study_settings").set_value("nothing").run()
    assert at.error and button(at, "Start the study").disabled and not at.exception
    encoder = make_pretraining(store, dataset)
    at = show("compare")
    at.selectbox(key="study_name").set_value("transfer").run()
    box = at.selectbox(key="study_encoder")
    box.set_value(next(option for option in box.options if "Pre-trained" in option)).run()
    button(at, "Start the study").click().run()
    assert not at.exception
    spec = Store(store).open(Store(store).runs("study")[0].run_id).spec
    assert encoder.id in {arm.changes.get("transfer.checkpoint") for arm in spec.arms}


def test_a_preset_without_an_encoder_is_replaced_and_the_page_says_so(show, dataset):
    at = show("compare")
    replaced = "the preset network is used in its place"
    assert replaced not in texts(at)
    at.selectbox(key="study_preset").set_value("recommended").run()
    assert replaced in texts(at)
    at.selectbox(key="study_name").set_value("labels").run()
    assert replaced not in texts(at)


def test_a_gain_opens_its_window(show, store, dataset):
    make_run(store, dataset)
    study(store, dataset)
    at = show("compare")
    next(item for item in at.button if "better" in item.label).click().run()
    assert at.title[0].value == "Windows"


def test_failed_and_chosen_runs(show, store, dataset, monkeypatch):
    monkeypatch.setattr("moola_core.launch.local.start", lambda run: None)
    study(store, dataset, "failed")
    assert "the bars are gone" in texts(show("compare")).replace("\\", "")
    first, second = make_run(store, dataset, name="one"), make_run(store, dataset, name="two")
    at = show("compare")
    at.multiselect(key="compared").set_value([first.id, second.id]).run()
    button(at, "Compare them").click().run()
    record = next(record for record in Store(store).runs() if record.kind == "compare")
    assert Store(store).open(record.run_id).spec.runs == (first.id, second.id)


def test_a_plan_of_an_earlier_version_shows_its_decisions_and_gates(show, store, dataset):
    run = Store(store).create(Plan(preset="quick", data=Data(windows=str(dataset))), name="plan")
    steps = (
        Decision(
            "features",
            "ran",
            "Are the 12 features any good?",
            "both helps.",
            "both",
            "20260101-000000-000-0000",
            "rule of the plan",
            "2026-01-01T00:00:00+00:00",
        ),
        Decision(
            "transfer",
            "skipped",
            "there are no bars to pre-train on",
            "",
            "",
            "",
            "rule of the plan",
            "2026-01-01T00:00:00+00:00",
        ),
    )
    run.write_result("plan", PlanReport(steps, gates(CLASS_ALONE, "undecided"), contradictions()))
    run.update(state="done")
    at = show("compare")
    decided = at.table[0].value.set_index("Study")
    assert decided.loc["features", "Taken over"] == "both" and len(at.dataframe) == 1
    assert decided.loc["transfer", "Why"] == "there are no bars to pre-train on"
    assert "both helps" in texts(at)
    button(at, "See the study features").click().run()
    assert at.session_state["study"] == "20260101-000000-000-0000"


def test_a_search_shows_what_to_expect_and_its_trials(show, store, dataset):
    trial = make_run(store, dataset, name="search: trial 1")
    run = Store(store).create(search_spec(trial.spec, {"model.dropout": {"low": 0.1, "high": 0.9}}), name="search")
    run.write_result("search", make_search(trial.id))
    run.update(state="done")
    at = show("compare", study=run.id)
    assert [metric.value for metric in at.metric] == ["0.600", "0.650"] and "too good" in texts(at)
    assert "A choice among 3 trials was made" in texts(at)
    assert list(at.dataframe[0].value["0"]) == ["1", "4", "0", "2", "3"]
    button(at, "Open trial 1").click().run()
    assert at.session_state["run"] == trial.id


def test_a_search_that_was_cancelled_shows_its_trials_and_goes_on_at_a_click(show, store, dataset, monkeypatch):
    started: list = []
    monkeypatch.setattr("moola_core.launch.local.start", started.append)
    trial = make_run(store, dataset, name="search: trial 1")
    run = Store(store).create(search_spec(trial.spec, {"model.dropout": {"low": 0.1, "high": 0.9}}), name="search")
    run.update(state="failed", error="the windows are gone.")
    assert "the windows are gone" in texts(show("compare", study=run.id)).replace("\\", "")
    run.write_result("search", make_search(trial.id))
    run.update(state="cancelled", error="Cancelled.")
    at = show("compare", study=run.id)
    assert [metric.value for metric in at.metric] == ["0.600", "0.650"] and "its trials are kept" in texts(at)
    button(at, "Resume").click().run()
    assert run.record.state == "queued" and [one.id for one in started] == [run.id]
    assert button(show("compare", study=run.id), "Cancel the run").label


def test_a_search_is_set_up_and_started(show, store, dataset, monkeypatch):
    monkeypatch.setattr("moola_core.launch.local.start", lambda run: None)
    at = show("compare")
    assert "spans.penalty" in texts(at).replace("\\", "")
    at.selectbox(key="search_model").set_value("majority").run()
    assert "nothing to search" in texts(at) and button(at, "Start the search").disabled
    at.selectbox(key="search_model").set_value("minirocket").run()
    at.number_input(key="search_trials").set_value(3).run()
    at.number_input(key="search_minutes").set_value(15).run()
    assert "features.columns" in texts(at).replace("\\", "")
    button(at, "Start the search").click().run()
    (record,) = Store(store).runs()
    spec = Store(store).open(record.run_id).spec
    assert record.kind == "search" and (spec.base.estimator, spec.trials, spec.budget_s) == ("minirocket", 3, 900.0)
    assert spec.base.data.windows == str(dataset) and at.session_state["study"] == record.run_id


def test_the_whole_plan_starts_at_a_click_and_is_shown_on_investigate(show, store, dataset, monkeypatch):
    monkeypatch.setattr("moola_core.launch.local.start", lambda run: None)
    at = show("compare")
    at.selectbox(key="study_labelled").set_value("see").run()
    button(at, "Run the whole plan").click().run()
    (record,) = Store(store).runs()
    spec = Store(store).open(record.run_id).spec
    assert (record.kind, record.name, spec.order, spec.budget_s) == ("investigation", "plan", "phases", 36_000)
    assert spec.changes == {"pretrain.sampling.labelled": "see"} and spec.data.windows == str(dataset)
    assert at.title[0].value == "Investigate" and at.session_state["investigation"] == record.run_id


def test_runs_without_a_common_window_are_refused_on_the_page(show, store, dataset):
    first, second = make_run(store, dataset, name="one"), make_run(store, dataset, name="two")
    table = second.predictions.assign(window_id=lambda rows: "other " + rows["window_id"])
    second.write_table("predictions", {name: table[name].to_numpy() for name in table})
    at = show("compare")
    at.multiselect(key="compared").set_value([first.id, second.id]).run()
    button(at, "Compare them").click().run()
    assert not at.exception and "the runs have no window in common" in texts(at).replace("\\", "")
    assert {record.kind for record in Store(store).runs()} == {"finetune"}


def test_a_new_study_says_what_it_would_find(show, store, dataset, monkeypatch):
    monkeypatch.setattr("moola_core.launch.local.start", lambda run: None)
    at = show("compare")
    at.selectbox(key="study_labelled").set_value("see").run()
    button(at, "What difference would it find?").click().run()
    (record,) = Store(store).runs()
    run = Store(store).open(record.run_id)
    assert run.spec.name == "power" and run.spec.folds == 5 and "Measuring what the study would find" in texts(at)
    interval = Interval(0.7, 0.6, 0.8)
    measured = Power(60, 0.002, (2.8, 3.1, 3.3), interval, 0.61, interval, 0.9)
    run.write_result("power", measured)
    run.update(state="done", data_hashes={"windows": load_windows(dataset).content_hash})
    at = show("compare")
    said = texts(at).replace("\\", "")
    assert f"is about {measured.smallest(60, 5, 3, 3):.2f} (one of 3 arms, Holm)" in said and "Room to help" in said
    at.selectbox(key="study_name").set_value("patience").run()
    assert f"is about {measured.smallest(60, 5, 0, 3):.2f} (one of 3 arms, Holm)" in texts(at).replace("\\", "")
