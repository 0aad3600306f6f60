"""What a link asks for is shown, or a sentence says why not; never something else in its place."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from moola_core.market.bars import load_bars
from moola_core.market.windows import load_windows
from moola_core.runs.store import Store
from moola_core.specs import Diagnose
from tests.app_samples import make_data, make_everything, make_predicted, make_pretraining, make_run
from tests.pages.conftest import button, charts, texts, viewers
from tests.pages.test_compare import study
from tests.reports.conftest import make_study

GONE = "20200101-000000-000-0000"


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    """A data folder with two datasets, `demo` and `second`; their files of windows by name."""
    folder = tmp_path_factory.mktemp("market")
    return {"demo": make_data(folder), "second": make_data(folder, "second", seed=4), "folder": folder}


def opened(at, run) -> bool:
    """Whether the run is the one that the page shows, in the sidebar and in the URL."""
    return at.session_state["run"] == run.id and at.query_params["run"] == run.id


@pytest.mark.parametrize("page", ["results", "runs", "windows"])
def test_a_link_to_a_run_of_another_dataset_chooses_that_dataset(show, market, store, page):
    make_run(store, market["demo"], name="First")
    run = make_run(store, market["second"], name="Second")
    at = show(page, market["folder"], run=run.id)
    assert (
        opened(at, run)
        and at.session_state["dataset"] == "second"
        and "Second" in texts(at) + str(at.sidebar.selectbox[1].options)
    )


def test_a_link_that_names_a_run_and_another_dataset_opens_the_run_and_says_so(show, market, store):
    run = make_run(store, market["second"])
    at = show("results", market["folder"], run=run.id, dataset="demo")
    assert opened(at, run) and at.session_state["dataset"] == "second"
    assert "names the dataset demo, but its run belongs to second" in texts(at)


@pytest.mark.parametrize(
    ("page", "asked"),
    [
        *(
            (page, GONE)
            for page in ("results", "runs", "windows", "doctor", "report", "predict", "overview", "compare")
        ),
        *(("results", asked) for asked in ("no such thing", "../../etc/passwd")),
    ],
)
def test_a_link_to_no_run_shows_no_other_run(show, dataset, store, page, asked):
    make_run(store, dataset, name="Another")
    at = show(page, run=asked)
    said = texts(at).replace("\\", "")
    assert f"There is no run {asked}" in said and "may have been deleted" in said and "Another" not in said
    assert not at.metric and not at.table and not charts(at) and not at.dataframe
    button(at, "Show another run").click().run()
    assert not at.exception and at.query_params.get("run") != asked
    assert at.metric or at.table or charts(at) or at.dataframe or at.button


def test_a_run_that_is_deleted_elsewhere_gives_way_to_no_other_in_silence(show, dataset, store):
    make_run(store, dataset, name="Another")
    run = make_run(store, dataset, name="Deleted")
    at = show("results", run=run.id)
    Store(store).delete(run.id)
    at.run()
    assert f"There is no run {run.id}" in texts(at) and not charts(at)
    at.sidebar.selectbox[1].set_value(at.sidebar.selectbox[1].options[0]).run()
    assert not at.exception and charts(at)


def test_a_link_to_a_run_whose_data_moved_opens_the_run_and_draws_no_other_windows(show, market, store, tmp_path):
    moved = make_data(tmp_path, "moved", seed=5)
    run = make_run(store, moved, name="Its data moved")
    make_run(store, market["demo"], name="Another")
    at = show("results", market["folder"], run=run.id)
    assert opened(at, run) and "is not in the data folder" in texts(at) and charts(at)
    at = show("runs", market["folder"], run=run.id)
    assert opened(at, run) and at.header[0].value.startswith("Its data moved")
    at = show("windows", market["folder"], run=run.id)
    assert "The windows of this run are not here" in texts(at) and not charts(at)


def test_an_archived_run_is_opened_by_its_link(show, dataset, store):
    make_run(store, dataset, name="Another")
    run = make_run(store, dataset, name="Archived")
    run.update(archived=True)
    at = show("results", run=run.id)
    assert opened(at, run) and "Archived" in texts(at)


def test_a_link_to_a_dataset_that_is_gone_shows_no_other(show, dataset, store):
    make_run(store, dataset)
    at = show("results", dataset="gone")
    assert "There is no dataset gone" in texts(at) and not charts(at) and not at.table
    button(at, "Show another dataset").click().run()
    assert at.session_state["dataset"] == "demo" and charts(at)


def test_a_run_of_a_kind_that_the_page_cannot_show_leads_to_its_page(show, dataset, store):
    runs = make_everything(store, dataset)
    predicted = make_predicted(runs["run"])
    asks = Store(store).create(Diagnose(name="doctor", figures={"accuracy": 0.5}))
    asks.update(state="done")
    ways = {
        runs["comparison"].id: ("Compare", {"study": runs["comparison"].id}),
        runs["attribution"].id: ("Performance", {"run": runs["run"].id, "show": "Attribution"}),
        runs["shift"].id: ("Features", {"view": "shift"}),
        predicted.id: ("Predict", {"run": runs["run"].id}),
        asks.id: ("Doctor", {"view": "figures"}),
    }
    for run_id, (page, values) in ways.items():
        at = show("results", run=run_id)
        assert "is shown on another page" in texts(at) and not charts(at), page
        button(at, f"Open it on {page}").click().run()
        assert not at.exception and at.title[0].value == page
        assert {name: at.session_state[name] for name in values} == values
    at = show("compare", run=runs["comparison"].id)
    assert "is shown on another page" not in texts(at) and at.session_state["study"] == runs["comparison"].id


def test_a_link_to_a_study_of_another_dataset_chooses_that_dataset(show, market, store):
    study(store, market["demo"])
    wanted = study(store, market["second"])
    at = show("compare", market["folder"], study=wanted.id)
    assert at.session_state["study"] == wanted.id and at.session_state["dataset"] == "second"
    at = show("compare", market["folder"], study=wanted.id, dataset="demo")
    assert at.session_state["study"] == wanted.id and at.session_state["dataset"] == "second"


def test_a_link_to_no_study_shows_no_other_study(show, dataset, store):
    study(store, dataset)
    at = show("compare", study=GONE)
    assert f"There is no study {GONE}" in texts(at) and not charts(at)
    button(at, "Show another study").click().run()
    assert not at.exception and charts(at)
    run = make_run(store, dataset)
    assert f"Run {run.id} is not a study" in texts(show("compare", study=run.id))


def test_another_dataset_chosen_by_hand_drops_the_run_of_the_one_before(show, market, store):
    first, second = make_run(store, market["demo"], name="First"), make_run(store, market["second"], name="Second")
    at = show("results", market["folder"], run=first.id)
    at.sidebar.selectbox[0].set_value("second").run()
    assert opened(at, second) and at.session_state["dataset"] == "second" and not at.warning


def test_fine_tuning_from_an_encoder_takes_the_dataset_of_its_run(show, market, store):
    make_run(store, market["demo"])
    encoder = make_pretraining(store, market["second"])
    at = show("results", market["folder"], run=encoder.id)
    button(at, "Fine-tune from this run").click().run()
    assert at.title[0].value == "Launch" and f"--checkpoint {encoder.id}" in at.code[0].value
    assert "second/windows.parquet" in at.code[0].value and "demo/windows.parquet" not in at.code[0].value
    assert "not on the bars of the selected dataset" not in texts(at)
    at = show("launch", market["folder"], dataset="demo", kind="finetune", checkpoint=encoder.id)
    assert "not on the bars of the selected dataset" in texts(at)


def test_only_one_function_leads_to_another_page():
    """So that no button is added that forgets what is chosen."""
    from tests.test_architecture import sources

    callers = {
        path.name: text.count("switch_page(") + text.count("page_link(")
        for path in sources()
        if "switch_page(" in (text := path.read_text()) or "page_link(" in text
    }
    assert callers == {"state.py": 1}


def test_the_data_folder_may_lie_behind_a_link(show, dataset, store, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    shutil.copytree(dataset.parent, tmp_path / "files")
    (linked / "demo").symlink_to(tmp_path / "files")
    run = make_run(store, tmp_path / "files" / "windows.parquet")
    at = show("results", run=run.id)
    assert opened(at, run) and "is not in the data folder" in texts(at)


def with_hashes(run, windows):
    """The run as a worker leaves it: its record names the content of what it was trained on."""
    kept = load_windows(windows).trainable()[0]
    run.update(data_hashes={"windows": kept.content_hash})
    return run


@pytest.mark.parametrize("how", ["moved", "renamed", "copied"])
def test_data_that_is_moved_renamed_or_copied_keeps_its_runs(show, store, tmp_path, how):
    windows = make_data(tmp_path / "data", "mine", seed=6)
    other = make_data(tmp_path / "data", "other", seed=7)
    run, another = (
        with_hashes(make_run(store, windows, name="Its run"), windows),
        make_run(store, other, name="Another"),
    )
    place = {
        "moved": "elsewhere/deep/windows.parquet",
        "renamed": "mine/labels of may.parquet",
        "copied": "copy/windows.parquet",
    }[how]
    new = tmp_path / "data" / place
    new.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copy if how == "copied" else shutil.move)(windows, new)
    if how == "copied":
        shutil.copy(windows.with_name("bars.parquet"), new.with_name("bars.parquet"))
    at = show("results", tmp_path / "data", run=run.id)
    assert opened(at, run) and "is not in the data folder" not in texts(at) and charts(at)
    at = show("windows", tmp_path / "data", run=run.id)
    assert opened(at, run) and charts(at) and "The windows of this run are not here" not in texts(at)
    if how != "copied":
        assert Store(store).open(run.id).spec.data.windows == str(new.resolve())
    at = show("results", tmp_path / "data", run=another.id)
    assert opened(at, another) and at.session_state["dataset"] == "other"


def test_predictions_over_bars_that_moved_are_drawn_where_the_bars_are_now(show, store, tmp_path):
    windows = make_data(tmp_path / "data", "mine", seed=6)
    run, bars = make_run(store, windows), windows.with_name("bars.parquet")
    hashes = {"windows": load_windows(windows).trainable()[0].content_hash, "bars": load_bars(bars).content_hash}
    run.update(data_hashes=hashes)
    child = make_predicted(run, bars)
    # The old place still exists; it is only no longer in the data folder.
    shutil.copytree(tmp_path / "data", tmp_path / "copied")
    at = show("predict", tmp_path / "copied", run=run.id)
    assert not at.error and viewers(at)
    assert Store(store).open(child.id).spec.data.bars == str((tmp_path / "copied" / "mine" / "bars.parquet").resolve())


def test_a_study_whose_data_folder_moved_is_listed_and_shown_with_the_place_where_it_is_now(show, store, tmp_path):
    windows = make_data(tmp_path / "data", "mine", seed=6)
    make_data(tmp_path / "data", "other", seed=7)
    study = make_study(store, windows)
    for arm in study.result("comparison")["arms"][:2]:
        with_hashes(Store(store).open(arm["run_id"]), windows).update(parent=study.id)
    new = tmp_path / "data" / "elsewhere"
    shutil.move(windows.parent, new)
    at = show("runs", tmp_path / "data", row=study.id)
    assert dataset_of(at, "transfer") == "elsewhere"
    assert Store(store).open(study.id).spec.base.data.windows == str((new / "windows.parquet").resolve())
    # Where it is nowhere, the list says so.
    shutil.rmtree(new)
    at = show("runs", tmp_path / "data", row=study.id)
    assert dataset_of(at, "transfer").endswith("elsewhere/windows.parquet (not there)")


def dataset_of(at, name: str) -> str:
    """What the table of runs says of the data of the run called `name`."""
    table = at.dataframe[0].value
    return table.loc[table["name"] == name, "dataset"].item()


def test_a_file_whose_windows_changed_is_not_taken_for_what_the_run_saw(show, store, tmp_path):
    windows = make_data(tmp_path / "data", "mine", seed=6)
    run = with_hashes(make_run(store, windows), windows)
    assert "have changed since" not in texts(show("results", tmp_path / "data", run=run.id))
    table = pd.read_parquet(windows)
    table.iloc[:-4].to_parquet(windows)
    assert "have changed since the run" in texts(show("results", tmp_path / "data", run=run.id))


def test_a_link_with_a_slip_offers_the_runs_that_are_written_like_it(show, dataset, store):
    run = make_run(store, dataset, name="Another")
    slip = run.id[:-1] + ("0" if run.id[-1] != "0" else "1")
    at = show("results", run=slip)
    assert f"There is no run {slip}" in texts(at).replace("\\", "") and not charts(at)
    button(at, f"Open {run.id}").click().run()
    assert not at.exception and opened(at, run) and charts(at)


def test_choices_inside_of_sections_and_thresholds_are_in_the_link(show, dataset, store):
    make_run(store, dataset)
    at = show("results", show="Calibration")
    at.session_state["calibration-repeat"] = 1
    at.slider(key="threshold").set_value(0.7).run()
    at.selectbox(key="threshold_class").set_value("retracement").run()
    query = {name: value[0] if isinstance(value, list) else value for name, value in at.query_params.items()}
    assert query | {"calibration-repeat": "1", "threshold": "0.7", "threshold_class": "retracement"} == query
    again = show("results", **query)
    assert again.session_state["calibration-repeat"] == 1 and again.slider(key="threshold").value == 0.7
    assert again.selectbox(key="threshold_class").value == "retracement" and not again.warning
    wrong = show("results", **query | {"calibration-repeat": "7", "threshold": "2"})
    said = " ".join(str(one.value) for one in wrong.warning)
    assert "calibration-repeat=7" in said and "0.02 to 0.98" in said and wrong.slider(key="threshold").value == 0.5


def test_the_explained_window_is_in_the_link(show, dataset, store):
    run = make_everything(store, dataset)["run"]
    at = show("results", show="Attribution", run=run.id)
    box = at.selectbox(key="explained")
    other = box.options[-1]
    box.set_value(other).run()
    query = {name: value[0] if isinstance(value, list) else value for name, value in at.query_params.items()}
    assert query["explained"] == other and show("results", **query).selectbox(key="explained").value == other


def test_without_a_link_the_newest_run_that_predicts_is_selected_and_a_pretraining_only_where_there_is_no_other(
    show, dataset, store
):
    encoder = make_pretraining(store, dataset)
    assert opened(show("results"), encoder)
    run = make_run(store, dataset)
    make_pretraining(store, dataset)
    assert opened(show("windows"), run)


def test_filters_forms_and_formats_are_in_the_link_and_are_taken_from_it(show, dataset, store):
    """What is chosen on one page is there when its URL is opened in another session."""
    everything = make_everything(store, dataset)
    first, second = everything["run"], everything["arm"]
    pages = {
        "history": {"events": "study,diagnose"},
        "report": {"format": "json", "report_of": "doctor", "sections_doctor": "findings,not_judged"},
        "compare": {
            "study_name": "losses",
            "study_preset": "recommended",
            "study_settings": "training.epochs=7\nmodel.hidden=9",
            "compared": f"{first.id},{second.id}",
            "join_class_run": first.id,
            "join_pointer_run": second.id,
            "search_preset": "quick",
            "search_model": "logistic",
            "search_trials": "7",
            "search_minutes": "30",
            "join_name": "both of them",
        },
        "investigate": {
            "budget": "1 hour",
            "goal": "hit_at_3 > 0.6",
            "investigated_preset": "quick",
            "investigated_settings": "training.epochs=7",
            "gate_negative_transfer": "0.45",
        },
        "predict": {"predict_kind": "windows", "stride": "7"},
        "windows": {"swings": "True", "bar_scores": "False"},
        "runs": {"archived": "True"},
        "launch": {"run_tags": "mine,two%2C of them"},
    }
    for page, wanted in pages.items():
        at = show(page, run=first.id, **wanted)
        assert "is not known here" not in texts(at), page
        for _ in range(2):
            assert {key: at.query_params.get(key) for key in wanted} == wanted, page
            at.run()
    assert "--tag mine " in at.code[0].value and "--tag 'two, of them'" in at.code[0].value
