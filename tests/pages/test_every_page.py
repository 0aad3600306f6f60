"""Each page with no data, an empty store, a queued, a running, a failed and a finished run: it draws, and says what to do."""

from __future__ import annotations

import pytest

from tests.app_samples import make_predicted, make_run, make_span_run
from tests.pages.conftest import PAGES, texts, viewers


@pytest.mark.parametrize("page", PAGES)
def test_no_data_and_no_runs(show, page):
    at = show(page, data=False)
    assert at.button, "an empty page offers a way on"
    assert not at.error


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_store(show, page):
    at = show(page)
    assert not at.error
    wanted = {
        "overview": "No run on this dataset yet",
        "windows": "No run is selected, so there are no predictions",
        "launch": "valid",
        "runs": "No runs yet",
        "results": "No run on this dataset yet",
    }
    assert wanted[page] in texts(at)


@pytest.mark.parametrize("page", PAGES)
def test_a_finished_run(show, page, dataset, store):
    make_run(store, dataset)
    at = show(page)
    assert not at.error and not at.warning
    charts = {"overview": 0, "windows": 0, "launch": 0, "runs": 10, "results": 19}
    assert len(at.get("plotly_chart")) == charts[page]
    assert len(viewers(at)) == (page == "windows")


@pytest.mark.parametrize("page", ["windows", "launch", "runs", "predict", "compare", "report"])
def test_a_page_that_is_drawn_again_leaves_alone_what_is_chosen_meanwhile(show, page, dataset, store):
    run = make_span_run(store, dataset)
    make_predicted(run, dataset.with_name("bars.parquet"))
    at = show(page, run=run.id).run()
    # A value that the script sets is sent to the browser, and wins over a key that was pressed while the script ran.
    kinds = (at.slider, at.number_input, at.multiselect, at.selectbox, at.text_input, at.checkbox, at.toggle)
    chosen = [node for kind in kinds for node in kind]
    assert chosen and [node.label for node in chosen if node.proto.set_value] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_failed_run(show, page, dataset, store):
    make_run(store, dataset, "failed")
    said = texts(show(page))
    wanted = {
        "overview": "The latest run failed",
        "windows": "has no predictions",
        "launch": "valid",
        "runs": "the card went away",
        "results": "left no result",
    }
    assert wanted[page] in said


@pytest.mark.parametrize("state", ["queued", "running"])
@pytest.mark.parametrize("page", PAGES)
def test_an_active_run(show, page, dataset, store, state, monkeypatch):
    # Its process does not exist; without this the store would find that out.
    monkeypatch.setattr("moola_core.runs.liveness.alive", lambda process: True)
    run = make_run(store, dataset, state)
    if state == "running":
        run.update(process={"pid": 1})
    said = texts(show(page))
    wanted = {"overview": "A run is being computed", "runs": state, "results": "Not done yet"}
    assert wanted.get(page, "") in said


def test_a_refused_file_is_explained_and_the_other_pages_still_draw(show, monkeypatch, tmp_path):
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "labels.csv").write_text("label,start_time\na,2023-01-01\nb,2023-01-02\n")
    for page in PAGES:
        monkeypatch.setattr("moola_core.ui.loaders.data_folder", lambda: folder)
        at = show(page, data=False)
        if page in ("overview", "windows", "launch"):
            assert "no prices" in at.error[0].value and "How to fix" in texts(at)
