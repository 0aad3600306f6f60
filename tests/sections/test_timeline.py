"""What each event of a history came to, and the section of reports."""

from __future__ import annotations

import pytest

from moola_core.errors import RunError
from moola_core.runs import decisions
from moola_core.runs.decisions import Decision
from moola_core.runs.store import Run, Store
from moola_core.runs.timeline import Entry, entries
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import build, make, names
from moola_core.sections.timeline import LATEST, PLACES, TITLES, outcome, title_of
from moola_core.specs import KINDS
from tests.app_samples import make_everything, make_run


@pytest.fixture
def everything(tmp_path, windows):
    return make_everything(tmp_path / "store", windows)


def of(run: Run) -> Entry:
    return Entry(run.id, run.record.kind, run.record.created, run.record)


def test_each_kind_of_run_says_what_came_out(everything):
    store = Store(everything["run"].store_root)

    def said(name):
        return outcome(store, of(everything[name]))

    mean = everything["run"].result("evaluation")["metrics"]["f1_macro"]["mean"]
    assert said("run").startswith(f"Macro F1 {mean:.3f}") and "95% interval" in said("run")
    result = everything["comparison"].result("comparison")
    assert said("comparison") == result["sentence"]
    both = result | {"sentence": "frozen hurts: AUROC -0.2 (-0.3 to -0.1).\nfull is undecided: AUROC +0.0."}
    everything["comparison"].write_result("comparison", both)
    assert said("comparison") == "frozen hurts. full is undecided."
    assert said("plan") == "The plan changed nothing."
    assert said("encoder") and "cannot be read" not in said("encoder")
    assert said("shift") == "The diagnostic shift was computed."


@pytest.mark.parametrize(
    ("state", "error", "text"),
    [
        ("failed", "the card went away.", "It failed: the card went away."),
        ("cancelled", "", "It was cancelled."),
        ("lost", "", "It was lost with its process."),
    ],
)
def test_a_run_that_did_not_end_says_so(everything, state, error, text):
    everything["run"].update(state=state, error=error)
    assert outcome(Store(everything["run"].store_root), of(everything["run"])) == text


def test_a_torn_result_is_a_sentence(everything):
    for name, result in (("run", "evaluation"), ("comparison", "comparison"), ("plan", "plan"), ("encoder", "learned")):
        for damage in ("", "[]", '{"metrics": 3, "decisions": 4}'):
            (everything[name].folder / "results" / f"{result}.json").write_text(damage, encoding="utf-8")
            assert outcome(Store(everything[name].store_root), of(everything[name]))


def test_every_kind_of_run_has_a_title_and_those_with_a_page_lead_there(everything):
    assert set(KINDS) <= set(TITLES) and set(PLACES) <= set(TITLES)
    assert title_of(of(everything["comparison"])) == "Study: transfer"


def test_reports_of_what_was_compared_end_with_the_history(everything):
    study, plan = everything["comparison"], everything["plan"]
    store = Store(study.store_root)
    first = decisions.add(
        store,
        Decision("froze the encoder", "too few windows", data={"windows": _content(study, everything)}, who="Ada"),
    )
    decisions.add(store, Decision("trained all of it", supersedes=first.id))
    for run in (study, plan):
        section = build(run).sections[-1]
        assert section.name == "history" and names(run.record.kind)[-1] == "history"
    (table,) = make("history", ReportContext(study)).blocks
    rows = {row[4]: row for row in table.rows}
    assert rows[first.id][2].startswith("Superseded by: trained all of it. It was: froze the encoder. Because: too few")
    assert rows[first.id][3] == "Ada" and study.id in rows and everything["arm"].id not in rows, (
        "parts are not listed alone"
    )


def _content(study, everything) -> str:
    """Give the arm of the study the content of its windows, as a worker does."""
    everything["arm"].update(data_hashes={"windows": "abc"})
    return "abc"


def test_a_long_history_is_cut_and_says_so(everything, windows):
    study = everything["comparison"]
    for _ in range(LATEST + 2):
        make_run(study.store_root, windows)
    (table,) = make("history", ReportContext(study)).blocks
    assert len(table.rows) == LATEST and "earlier events are left out" in table.note


def test_a_run_that_was_deleted_since_breaks_nothing(everything):
    study = everything["comparison"]
    store = Store(study.store_root)
    everything["arm"].update(data_hashes={"windows": "abc"})
    decisions.add(store, Decision("on a run", data={"windows": "abc"}, runs=(everything["run"].id,)))
    store.delete(everything["run"].id)
    with pytest.raises(RunError):
        store.open(everything["run"].id)
    assert "on a run" in str(make("history", ReportContext(study)).blocks)
    assert entries(store, lambda record: False, {"abc"})[0].decision.text == "on a run"


def test_a_search_and_an_investigation_say_what_they_came_to(everything, search_run):
    store = Store(everything["run"].store_root)
    assert outcome(store, of(everything["investigation"])).startswith("Use logistic on aggregates.")
    best = search_run.result("search")["best"]
    assert f"Trial {best['number']}" in outcome(Store(search_run.store_root), of(search_run))
