"""A store that version 0.1 of 23 November 2026 wrote: its runs open on all pages, in reports and on the command line.

tests/data/old_store.zip holds a pre-training, a run from random weights and one from that encoder, every diagnostic, predictions and a
study whose arms' runs were deleted, all on the demo market in the same file.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from moola_core.diagnostics.results import Comparison, Diagnosis
from moola_core.diagnostics.results.doctor import SEVERITIES
from moola_core.reports.formats import markdown
from moola_core.runs import codec
from moola_core.runs.store import Store
from moola_core.sections.registry import build
from tests.pages.conftest import texts

ARCHIVE = Path(__file__).parents[1] / "data" / "old_store.zip"
THERE = b"/old/of/its/own/data"
PAGES = {
    "finetune": ("overview", "windows", "runs", "results", "doctor", "predict", "report"),
    "pretrain": ("runs", "results", "doctor", "report"),
    "study": ("compare",),
}
SECTIONS = ("Metrics", "Calibration", "Balance", "Transfer", "Attribution", "Errors")


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """The folder with `data` and `artifacts`, as if it had always been there."""
    folder = tmp_path_factory.mktemp("old")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    for path in folder.rglob("*.json"):
        path.write_bytes(path.read_bytes().replace(THERE, str(folder / "data").encode()))
    return folder


@pytest.fixture
def open_old(show, old, monkeypatch):
    def opened(page: str, **query: str):
        monkeypatch.setenv("MOOLA_STORE", str(old / "artifacts"))
        at = show(page, old / "data", **query)
        # The bars are not in the file: a new study and a prediction over bars say so.
        errors = [one.value for one in at.error if "needs bars" not in one.value and "bars.parquet" not in one.value]
        assert not at.exception and not errors, (page, query, errors)
        return at

    return opened


def runs(old, kind: str) -> list:
    store = Store(old / "artifacts")
    return [store.open(record.run_id) for record in store.runs(kind)]


@pytest.mark.parametrize("kind", PAGES)
def test_every_page_opens_on_an_old_run(open_old, old, kind):
    for run in runs(old, kind):
        for page in PAGES[kind]:
            at = open_old(page, **{"study" if kind == "study" else "run": run.id})
            assert (
                f"There is no {kind}" not in texts(at) and "There is no run" not in texts(at) and len(texts(at)) > 80
            ), page


def test_every_section_of_an_old_run_is_drawn(open_old, old):
    attributed = False
    for run in runs(old, "finetune"):
        for name in SECTIONS:
            charts = open_old("results", run=run.id, show=name).get("plotly_chart")
            attributed |= name == "Attribution" and bool(charts)
            assert charts or name not in ("Metrics", "Calibration", "Errors"), name
    assert attributed
    for view in ("features", "shift"):
        assert open_old("features", view=view).get("plotly_chart"), view


def test_old_runs_are_reported(old):
    for kind in PAGES:
        for run in runs(old, kind):
            report = build(run)
            assert len(report.sections) > 5 and markdown.render(report, "files")


def test_findings_of_old_runs_keep_what_they_invalidate_and_how_it_is_drawn(old):
    reports = [codec.restore(Diagnosis, run.result("doctor")) for run in runs(old, "finetune")]
    findings = [finding for report in reports for finding in report.findings]
    assert any(finding.invalidates for finding in findings) and any(finding.diagnostic for finding in findings)
    assert {finding.severity for finding in findings} <= set(SEVERITIES)


def test_verdicts_of_an_old_study_are_read_and_macro_f1_decided_them(old):
    (study, *_) = runs(old, "study")
    stored = study.result("comparison")["verdicts"]
    assert any(row.get("strict_p") is not None for row in stored), "the archive holds what is gone"
    comparison = codec.restore(Comparison, study.result("comparison"))
    assert comparison.deciding == "f1_macro"
    assert [row.delta for row in comparison.verdicts] == [row["delta"] for row in stored]
