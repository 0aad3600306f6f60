"""The report of an investigation."""

from __future__ import annotations

from moola_core.runs.store import Store
from moola_core.sections import text
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import build, make


def test_every_sentence_of_the_conclusion_names_its_run(investigation_run):
    report = investigation_run.result("investigation")
    shown = text.render(make("conclusion", ReportContext(investigation_run)))
    for one in report["conclusion"]:
        named = f"[run {one['run_id']}]" if one["run_id"] else ""
        assert f"{one['text']} {named}".strip() in shown
    assert "Why it ended. No open question" in shown


def test_the_report_opens_with_the_conclusion(investigation_run):
    report = build(investigation_run)
    assert [section.name for section in report.sections][:2] == ["conclusion", "use"]


def test_a_sentence_whose_run_was_deleted_is_still_there(investigation_run, tmp_path):
    copy = Store(tmp_path).create(investigation_run.spec)
    copy.write_result("investigation", investigation_run.result("investigation"))
    copy.update(state="done")
    shown = text.render(make("conclusion", ReportContext(copy)))
    assert "Use logistic on aggregates." in shown


def test_one_that_answered_nothing_yet_says_so(investigation_run, tmp_path):
    empty = Store(tmp_path).create(investigation_run.spec)
    empty.update(state="failed", error="The disk is full.")
    assert "The disk is full." in text.render(make("conclusion", ReportContext(empty)))
    for name in ("questions", "reasons", "models", "windows_next", "use"):
        assert isinstance(make(name, ReportContext(empty)), str)
