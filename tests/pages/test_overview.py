from __future__ import annotations

from dataclasses import replace

from streamlit.testing.v1 import AppTest

from moola_core import studies
from moola_core.host.figures import processor, software, write
from moola_core.launch import demo, host
from moola_core.market.settings import load_reading
from moola_core.runs.store import Store
from moola_core.sections.host import COLUMNS
from moola_core.specs import change
from moola_core.ui import first_start, loaders
from tests.app_samples import make_everything, make_run
from tests.host.test_choices import FAST_CARD
from tests.pages.conftest import button, texts


def test_targets_stand_beside_the_latest_and_the_pinned_run(show, dataset, store):
    make_run(store, dataset, name="Old").update(pinned=True)
    make_run(store, dataset, name="New")
    at = show("overview")
    table = at.table[0].value
    assert list(table.columns) == ["Target", "Wanted", "Latest run", "Latest run: gap", "Baseline", "Baseline: gap"]
    assert table["Target"].tolist()[0] == "Macro F1" and len(table) == 7
    assert "Latest run: New" in texts(at) and "baseline: ★" not in texts(at) and "baseline: Old" in texts(at)
    center = table[table["Target"] == "Center error"].iloc[0]
    assert "close" in center["Latest run"] and "%" in center["Latest run: gap"]


def test_the_overview_judges_the_users_own_run_and_no_arm_of_a_study(show, dataset, store):
    """Newer than it: the arms of a study, a simple model launched by hand, and a run that another run made."""
    mine = make_run(store, dataset, name="Mine")
    study = Store(store).create(studies.study("transfer", "quick", {**mine.spec.data.model_dump()}), name="transfer")
    arm = make_run(store, dataset, name="majority class", constant=True)
    arm.update(parent=study.id)
    simple = Store(store).create(change(mine.spec, {"estimator": "majority"}), name="By hand")
    simple.write_result("evaluation", arm.result("evaluation"))
    simple.update(state="done")
    make_run(store, dataset, "failed", name="A child").update(parent=mine.id)
    at = show("overview")
    said = texts(at)
    assert "Latest run: Mine" in said and "one class for every window" not in said
    assert "failed" not in said and at.session_state["run"] == mine.id


def test_data_health_counts_windows_and_bars(show):
    at = show("overview")
    figures = {metric.label: metric.value for metric in at.metric}
    assert figures["Windows to train on"] == "60" and figures["Bars"] == "20,000"
    assert "windows were found in the bars" in texts(at)
    offered = [item.proto.label for item in at.get("download_button")]
    assert offered == ["Bars as Parquet", "Windows as Parquet", "Windows for Label Studio"]


def test_constant_folds_are_the_first_thing_said(show, dataset, store):
    make_run(store, dataset, constant=True)
    assert "predicted one class for every window" in texts(show("overview"))


def test_next_leads_to_the_launch_page_with_its_preset(show):
    at = show("overview")
    button(at, "Set up a quick run").click().run()
    assert not at.exception
    assert at.title[0].value == "Launch" and at.session_state["preset"] == "quick"


def test_a_first_start_makes_the_demo_market_and_a_run(monkeypatch, tmp_path):
    """The files and the spec of the demo run; its process is another test's."""
    from moola_core.launch import local

    monkeypatch.setattr(local, "start", lambda run: None)
    demo.start(Store(tmp_path / "store"), tmp_path / "data", demo.STEPS[0])
    (record,) = Store(tmp_path / "store").runs()
    assert (record.preset, record.tags) == ("quick", ("demo",))
    assert (tmp_path / "data" / "demo" / "windows.parquet").is_file()


def test_the_reader_asks_for_the_order_of_day_and_month_and_saves_it(show, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [f"05/02/2024 09:{minute:02d},100,101,99,100.5" for minute in range(30)]
    (folder / "bars.csv").write_text("\n".join(["time,open,high,low,close", *rows]), encoding="utf-8")
    at = show("overview", data=folder)
    button(at, "Read a new file").click().run()
    assert not at.exception and "05/02/2024 is open" in texts(at)
    # The runner draws the page anew after each change, without the dialog: its body goes on by itself.
    form = AppTest.from_string("from moola_core.ui import reading; reading.body()", default_timeout=60).run()
    assert not any(item.label == "Save these settings" for item in form.button)
    shown = texts(form)
    assert "Mon 05 Feb 2024" in shown and "Thu 02 May 2024" in shown, "both readings are shown"
    next(item for item in form.radio if "05/02/2024" in item.label).set_value("day-first").run()
    next(item for item in form.selectbox if "no time zone" in item.label).set_value("UTC").run()
    assert "Mon 05 Feb 2024" in texts(form) and "02 May 2024" not in texts(form)
    button(form, "Save these settings").click().run()
    assert load_reading(folder / "bars.csv").date_order == "dmy"


def test_this_host_is_measured_by_a_button_and_its_figures_are_shown(show, store, monkeypatch):
    started = []
    monkeypatch.setattr(host, "start_measuring", lambda folder, quick: started.append((folder, quick)))
    at = show("overview")
    assert "It was not measured yet" in texts(at)
    button(at, "In 30 seconds").click().run()
    assert [quick for _, quick in started] == [True]
    with monkeypatch.context() as patch:
        patch.setattr(host, "measuring", lambda folder: True)
        assert "Measuring this host." in texts(show("overview"))
    own = replace(FAST_CARD, hardware=processor(), software=software(""), floors={FAST_CARD.rows[0].shape.title: 0.004})
    write(Store(store).root, own)
    at = show("overview")
    table = next(one.value for one in at.dataframe if len(one.value.columns) == len(COLUMNS))
    assert (
        len(table) == len(own.rows)
        and any("on_chip" in how for how in table["1"])
        and "It was not measured yet" not in texts(at)
    )
    write(Store(store).root, replace(own, software=own.software | {"torch": "1.0"}))
    assert any("out of date" in warning.value for warning in show("overview").warning)


def test_the_first_page_answers_from_the_newest_investigation(show, dataset, store):
    made = make_everything(store, dataset)
    at = show("overview")
    shown = texts(at).replace("\\", "")
    for text in ("Use logistic on aggregates", "it hurts (full)", "Labels are noisy", "Twice the labels"):
        assert text in shown, text
    button(at, "Read the whole conclusion").click().run()
    assert at.session_state["investigation"] == made["investigation"].id


def test_each_answer_comes_from_the_best_evidence_and_names_its_run(show, dataset, store):
    made = make_everything(store, dataset)
    Store(store).delete(made["investigation"].id)
    at = show("overview")
    said = texts(at)
    assert "Pre-training." in said and "What was wrong." in said and "not tested yet" not in said
    button(at, "The study").click().run()
    assert at.title[0].value == "Compare" and at.session_state["study"] == made["comparison"].id


def test_without_an_investigation_the_first_page_leads_to_one(show):
    at = show("overview")
    assert "was not tested yet" in texts(at)
    button(at, "Investigate all of it").click().run()
    assert at.title[0].value == "Investigate"


def test_what_the_first_page_shows_is_read_before_the_first_visitor(show, store, dataset, monkeypatch):
    run = make_run(store, dataset)
    show("overview")  # sets the folders
    read: list[tuple[str, str]] = []
    for name, key in (("content_of_windows", "name"), ("evaluation", "id"), ("calibration", "id")):
        monkeypatch.setattr(loaders, name, lambda of, name=name, key=key: read.append((name, getattr(of, key))))
    first_start._read_ahead()
    assert read == [("content_of_windows", "demo"), ("evaluation", run.id), ("calibration", run.id)]
    (run.folder / "run.json").write_text("{")
    read.clear()
    first_start._read_ahead()
    assert read == [("content_of_windows", "demo")], "a run that cannot be read stops nothing"
