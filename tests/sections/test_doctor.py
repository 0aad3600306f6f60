"""What the doctor found, as a report: of a run, and of reported figures."""

from __future__ import annotations

import json

import pytest

from moola_core.cli import main
from moola_core.diagnostics.doctor import Case, examine
from moola_core.diagnostics.results.doctor import EXAMPLE
from moola_core.errors import SpecError
from moola_core.reports.formats import html, markdown
from moola_core.runs.store import Run, Store
from moola_core.sections.blocks import Command, Table, Text, charts
from moola_core.sections.registry import build, names
from moola_core.specs import Diagnose, parse
from tests.reports.conftest import WINDOW
from tests.reports.test_formats import Page
from tests.sections.test_registry import numbers, stored


def blocks(report, name, kind):
    found = next(one for one in report.sections if one.name == name)
    return [block for block in found.blocks if isinstance(block, kind)]


@pytest.mark.parametrize(("name", "least"), [("full_run", 40), ("figures_run", 25)])
def test_every_number_is_the_stored_one(request, name, least):
    run = request.getfixturevalue(name)
    found = [number for number in numbers(build(run, kind="doctor")) if number.source]
    assert len(found) > least
    for number in found:
        assert number.value == stored(Store(run.store_root), number.source), number
        shown = float(number.shown.replace(",", "").rstrip("s %"))
        shares = (1.0, 0.01) if number.shown.endswith("%") else (1.0,)  # a percentage, or a share that is shown as one
        close = any(number.value == pytest.approx(shown * share, rel=1e-3) for share in shares)
        assert close or "#/seconds" in number.source


def test_findings_keep_their_order_with_evidence_advice_and_the_mend_as_a_command(full_run):
    report = build(full_run, kind="doctor")
    found = full_run.result("doctor")["findings"]
    heads = [text for text in blocks(report, "findings", Text) if text.title]
    assert [text.title for text in heads] == [f"{i + 1}. {one['title']}" for i, one in enumerate(found)]
    assert [text.text for text in heads] == [one["summary"] for one in found]
    assert [text.warning for text in heads] == [one["severity"] == "critical" for one in found]
    advice = [text.text for text in blocks(report, "findings", Text) if text.strong == "What to do."]
    assert advice == [one["advice"] for one in found]
    lines = [command.line for command in blocks(report, "findings", Command)]
    assert lines == [f"moola doctor {full_run.id} --launch {one['check']}" for one in found if one["spec"]]
    values = {
        cell.value
        for table in blocks(report, "findings", Table)
        for row in table.rows
        for cell in row
        if hasattr(cell, "value")
    }
    scalars = {
        v for one in found for v in one["evidence"].values() if isinstance(v, int | float) and not isinstance(v, bool)
    }
    assert scalars <= values


def test_the_mends_settings_are_those_that_its_spec_changes(full_run):
    report = build(full_run, kind="doctor")
    wide = next(one for one in full_run.result("doctor")["findings"] if one["check"] == "head_too_wide")
    tables = [table for table in blocks(report, "findings", Table) if table.columns[0] == "It changes"]
    was, then = full_run.spec.faults.extra_output, parse(wide["spec"]).faults.extra_output
    if was != then:
        assert ("faults.extra_output", str(was), str(then)) in tables[0].rows
    assert all(row[1] != row[2] for table in tables for row in table.rows)


def test_what_not_to_read_and_what_could_not_be_judged_are_said(full_run):
    report = build(full_run, kind="doctor")
    result = full_run.result("doctor")
    (warned,) = [text for text in blocks(report, "doctor", Text) if text.warning]
    assert warned.strong == "Do not read yet:" and all(
        name in warned.text for one in result["findings"] for name in one["invalidates"]
    )
    (table,) = blocks(report, "not_judged", Table)
    assert [row[1] for row in table.rows] == list(dict.fromkeys(row["why"] for row in result["not_judged"]))
    named = {name.replace(" ", "_") for row in table.rows for name in row[0].split(", ")}
    assert named == {row["check"] for row in result["not_judged"]}


def test_the_evidence_is_drawn_once(full_run):
    report = build(full_run, kind="doctor")
    drawn = charts(next(one for one in report.sections if one.name == "findings"))
    assert drawn and len({chart.name for chart in drawn}) == len(drawn)
    assert len({chart.title for chart in drawn}) == len(drawn)
    assert all(chart.draw("light").data for chart in drawn)


def test_reported_figures_are_shown_as_they_were_given(figures_run):
    report = build(figures_run)
    assert report.kind == "doctor" and "figures" in [one.name for one in report.sections]
    (table,) = blocks(report, "figures", Table)
    given = figures_run.spec.figures
    shown = {row[0].replace(" ", "_"): row[2] for row in table.rows}
    assert shown["accuracy"].value == given["accuracy"] and set(shown) == set(given)
    assert "figures" not in [one.name for one in build_of(figures_run, "findings").sections]


def build_of(run, *chosen):
    return build(run, chosen)


def test_a_run_report_has_the_findings_in_short_and_the_way_to_the_rest(full_run):
    report = build(full_run, ["doctor"])
    (table,) = blocks(report, "doctor", Table)
    assert [row[0] for row in table.rows] == [one["title"] for one in full_run.result("doctor")["findings"]]
    assert f"moola report {full_run.id} --kind doctor" in table.note
    with pytest.raises(SpecError, match="unknown section 'findings'"):
        build(full_run, ["findings"])
    with pytest.raises(SpecError, match="unknown section 'figures'"):
        build(full_run, ["figures"], kind="doctor")


def test_the_doctor_asked_again_is_the_one_reported(tmp_path, full_run):
    import shutil

    shutil.copytree(full_run.store_root, tmp_path / "store")
    store = Store(tmp_path / "store")
    run = store.open(full_run.id)
    again = store.create(Diagnose(name="doctor", run=run.id), parent=run.id)
    again.write_result("doctor", examine(Case("finetune", {"outputs": 2, "n_classes": 2}, run.spec, run.id)))
    again.update(state="done")
    for asked in (run, again):
        report = build(asked, kind="doctor")
        assert report.run_id == run.id and "No findings." in [text.strong for text in blocks(report, "doctor", Text)]
    assert names("doctor")[0] == "doctor"


def test_text_from_data_is_escaped_in_findings(hostile_run):
    report = build(hostile_run, kind="doctor")
    page = Page(html.render(report))
    assert len(page.scripts) == 3 and not any(tag == "img" for tag, _ in page.tags)
    assert WINDOW in " ".join(page.texts)
    assert "<script" not in markdown.render(report, "f")


def test_a_fence_cannot_be_closed_from_inside():
    line = "moola doctor x --launch a```b"
    *_, fence, inside, end = markdown._lines(Command("Run it", line), "")
    assert (fence, inside, end) == ("````bash", line, "````")


def test_the_command_reports_a_run_that_the_doctor_has_not_seen(capsys, tmp_path, windows, monkeypatch):
    from tests.app_samples import make_run

    run = make_run(tmp_path / "store", windows)
    asked: list[Run] = []

    def worker(child: Run) -> None:
        asked.append(child)
        child.write_result("doctor", examine(Case("finetune", {"outputs": 3, "n_classes": 2}, run.spec, run.id)))
        child.update(state="done")

    monkeypatch.setattr("moola_core.launch.worker.run", worker)
    where = ["--store", str(tmp_path / "store"), "--format", "json", "--out", str(tmp_path / "r.json")]
    for _ in range(2):  # it is asked once
        assert main(["report", run.id, "--kind", "doctor", *where, "--json"]) == 0
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["kind"] == "doctor" and found["run_id"] == run.id and len(asked) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["run_id"] == run.id


def test_the_command_reports_a_file_of_figures(capsys, tmp_path, windows):
    where = [
        "--store",
        str(tmp_path / "store"),
        "--format",
        "json",
        "--out",
        str(tmp_path / "r.json"),
        "--windows",
        str(windows),
    ]
    assert main(["report", str(EXAMPLE), *where]) == 0
    found = json.loads((tmp_path / "r.json").read_text())
    report, record = Store(tmp_path / "store").runs()
    assert (report.kind, report.parent) == ("report", record.run_id)
    assert found["kind"] == "doctor" and found["run_id"] == record.run_id
    sections = {one["name"]: one["blocks"] for one in found["sections"]}
    lines = [block["line"] for block in sections["findings"] if block["type"] == "command"]
    assert lines and all(line.startswith(f"moola doctor {record.run_id} --launch ") for line in lines)
    capsys.readouterr()
    # What it says to type works: the findings are those that were stored.
    assert main(["doctor", record.run_id, "--store", str(tmp_path / "store"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    stored_ones = Store(tmp_path / "store").open(record.run_id).result("doctor")
    assert [one["check"] for one in told["findings"]] == [one["check"] for one in stored_ones["findings"]]


def test_a_wrong_format_asks_no_doctor(capsys, tmp_path):
    where = ["--store", str(tmp_path / "store"), "--format", "docx", "--out", str(tmp_path / "r")]
    assert main(["report", str(EXAMPLE), *where]) == 2
    assert "Known: html" in capsys.readouterr().err and not (tmp_path / "store").exists()
