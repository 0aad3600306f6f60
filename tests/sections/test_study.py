"""Reports of studies, comparisons and plans."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from moola_core.charts import comparison as comparison_charts
from moola_core.errors import SpecError
from moola_core.metrics import METRICS
from moola_core.reports.export import export
from moola_core.reports.formats import document, html, markdown
from moola_core.runs.store import Store
from moola_core.sections import answer, comparison, comparison_text
from moola_core.sections.blocks import Chart, Choice, Command, Table, Text, charts
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import assemble, build, names
from tests.app_samples import make_comparison
from tests.reports.conftest import HOSTILE, WINDOW, make_chosen, make_study
from tests.reports.test_formats import Page
from tests.sections.test_registry import numbers, stored


def section(report, name):
    return next(one for one in report.sections if one.name == name)


def tables(report, name):
    return [block for block in section(report, name).blocks if isinstance(block, Table)]


def said(report, name):
    return {block.strong: block.text for block in section(report, name).blocks if isinstance(block, Text)}


@pytest.mark.parametrize("name", ["study_run", "hostile_study", "plan_run", "search_run"])
def test_every_number_is_the_stored_one(request, name):
    run = request.getfixturevalue(name)
    found = [number for number in numbers(build(run)) if number.source]
    assert len(found) > (20 if name in ("plan_run", "search_run") else 150)
    for number in found:
        assert number.value == stored(Store(run.store_root), number.source), number


def test_a_study_has_every_section_but_the_doctors(study_run):
    report = build(study_run)
    assert report.kind == "study" and [one.name for one in report.sections] == [
        n for n in names("study") if n != "doctor"
    ]
    for one in report.sections:
        assert len({chart.name for chart in charts(one)}) == len(charts(one))
        for chart in charts(one):
            assert all(chart.draw(look).data for look in ("light", "dark"))
        for table in tables(report, one.name):
            assert table.rows and len(set(table.columns)) == len(table.columns)
            assert all(len(row) == len(table.columns) for row in table.rows)
    assert "--kind doctor" in dict(report.absent)["What the doctor says"]


def test_the_answer_is_the_stored_sentence_with_simple_models_first(study_run):
    report = build(study_run)
    result = study_run.result("comparison")
    answer = said(report, "answer")
    assert answer["The question."] == study_run.spec.question
    told = answer["A simple model beats every network."]
    assert comparison_text.BEATEN_ADVICE in told and "0.750" in told and "0.660" in told and "+0.020 to +0.160" in told
    assert result["sentence"].startswith("A simple model beats every network") and "Conclusion." not in answer
    assert answer["Next."].startswith("logistic on aggregates is the best so far.")
    assert tables(report, "arms")[0].rows[0][0] == "logistic on aggregates"
    scores = [row[1].value for row in tables(report, "arms")[0].rows[1:]]
    assert scores == sorted(scores, reverse=True)
    assert next(iter(tables(report, "gains"))).title == "logistic on aggregates: gained most"


def test_the_deciding_metric_comes_first_with_intervals_probabilities_and_what_could_be_shown(study_run):
    result = study_run.result("comparison")
    rows = {(row["arm"], row["metric"]): row for row in result["verdicts"] if row["against"] == result["against"]}
    choice = next(block for block in comparison.differences(ReportContext(study_run)) if isinstance(block, Choice))
    assert [name for name, _ in choice.options][:2] == ["AUROC (decides)", "Macro F1"]
    (verdicts,) = (block for block in choice.options[0][1] if isinstance(block, Table))
    for row in verdicts.rows:
        wanted = rows[row[0], "auroc"]
        assert row[1] == wanted["verdict"]
        names = ("delta", "low", "high", "p_helps", "p_within", "p_hurts")
        assert [cell.value for cell in row[2:8]] == [wanted[name] for name in names]
    assert [cell.value for cell in (row[9] for row in verdicts.rows)] == [
        rows[row[0], "auroc"]["resolvable"] for row in verdicts.rows
    ]
    assert {row[0] for row in tables(build(study_run), "other_metrics")[0].rows} == {
        "Macro F1",
        "Calibration error (ECE)",
        "Recall of consolidation",
    }


def test_the_best_arm_is_shown_with_what_is_to_be_expected_of_it(study_run):
    text = next(iter(said(build(study_run), "arms").values()))
    assert "logistic on aggregates has the highest score of 5 arms: 0.750 as measured" in text
    assert "0.700 (95% interval 0.600 to 0.800) is to be expected" in text


def test_targets_stand_beside_actual_and_gap_for_each_network(study_run):
    (table,) = tables(build(study_run), "gaps")
    arms = {arm["name"]: arm for arm in study_run.result("comparison")["arms"] if arm["model"] == "network"}
    wanted = METRICS["f1_macro"].low
    rows = [row for row in table.rows if row[0] == "Macro F1"]
    assert [row[2] for row in rows] == list(arms)
    for row in rows:
        actual = arms[row[2]]["metrics"]["f1_macro"]
        assert row[3].value == actual and row[4].value == pytest.approx(max(wanted - actual, 0))


def test_arms_are_named_with_runs_and_settings_and_go_into_the_json(study_run):
    context = ReportContext(study_run)
    report = assemble(context)
    rows = {row[0]: row for row in tables(report, "runs")[0].rows}
    arms = {arm["name"]: arm["run_id"] for arm in study_run.result("comparison")["arms"]}
    assert {name: row[1] for name, row in rows.items()} == arms
    assert "transfer.schedule=frozen" in rows["frozen"][4] and "estimator=logistic" in rows["logistic on aggregates"][4]
    held = {run["record"]["run_id"] for run in json.loads(document.render(report, context))["runs"]}
    assert held == {study_run.id, arms["from scratch"], arms["frozen"]}
    drawn = next(block for block in section(report, "curves").blocks if isinstance(block, Chart)).draw("light")
    assert {trace.name for trace in drawn.data if trace.showlegend is None} == {"from scratch", "frozen"}
    hashes = Store(study_run.store_root).open(arms["from scratch"]).record.data_hashes
    shown = next((table for table in tables(report, "data") if table.title.startswith("Hashes")), None)
    assert (dict(shown.rows) if shown else {}) == hashes


def test_no_window_both_gained_and_lost(study_run):
    shown = tables(build(study_run), "gains")
    for gained, lost in zip(shown[::2], shown[1::2], strict=True):
        assert not {row[0] for row in gained.rows} & {row[0] for row in lost.rows}
        assert all(row[2].value > 0 for row in gained.rows) and all(row[2].value < 0 for row in lost.rows)


def test_text_from_data_is_escaped_in_a_study(hostile_study):
    page = Page(html.render(build(hostile_study)))
    assert len(page.scripts) == 3 and not any(
        tag in ("img", "a") for tag, given in page.tags if tag == "img" or not given.get("href", "#").startswith("#")
    )
    told = " ".join(page.texts)
    for text in (*HOSTILE.values(), WINDOW):
        assert text in told
    figures = json.dumps(json.loads(page.scripts[0][1]))
    assert "&lt;/script&gt;" in figures and "<img" not in figures
    assert "<img" not in markdown.render(build(hostile_study), "f")


def test_a_comparison_of_chosen_runs_and_one_that_left_nothing(study_run):
    chosen = make_chosen(study_run)
    report = build(chosen)
    assert report.kind == "compare" and "answer" in [one.name for one in report.sections]
    left = Store(study_run.store_root).create(chosen.spec)
    left.update(state="failed", error="the runs are gone.")
    report = build(left)
    assert said(report, "answer")["It is failed."] == "the runs are gone."
    assert dict(report.absent)["Differences"] == "The comparison left no result."


def test_a_plan_says_every_decision_and_what_its_studies_found(plan_run, study_run):
    report = build(plan_run)
    assert [one.name for one in report.sections] == list(names("plan"))
    assert [row[:2] for row in tables(report, "steps")[0].rows] == [
        ("transfer", "ran"),
        ("losses", "skipped"),
        ("labels", "failed"),
    ]
    assert (
        said(report, "plan")["transfer."] == "full helps: +0.140." and "labels failed" in said(report, "plan")["Next."]
    )
    assert "start the plan again" in said(report, "plan")["Next."], "it is done: there is nothing to resume"
    assert said(report, "plan")["labels failed."] == "the bars are gone."
    sources = {number.source.split("/")[0] for number in numbers(report) if "comparison.json" in number.source}
    assert sources == {study_run.id}


def test_kinds_that_a_run_cannot_have_are_refused(study_run, plan_run, tmp_path):
    with pytest.raises(SpecError, match=r"plan run has no report of kind 'doctor'.*plan"):
        export(plan_run, "json", tmp_path / "r.json", kind="doctor")
    with pytest.raises(SpecError, match="no report of kind 'finetune'"):
        build(study_run, kind="finetune")
    answered, *others = build(study_run).sections
    assert [block.line for block in answered.blocks if isinstance(block, Command)] == [
        f"moola doctor {study_run.result('comparison')['arms'][0]['run_id']}"
    ]
    assert not any(isinstance(block, Command) for one in others for block in one.blocks)


def test_a_learning_curve_of_one_repeat_has_no_band(study_run):
    found = make_comparison().label_curve
    once = dataclasses.replace(found, scores=tuple(row[:1] for row in found.scores))
    names = [[trace.name for trace in comparison_charts.labels(curve).data] for curve in (found, once)]
    assert "95% of the draws" in names[0] and "95% of the draws" not in names[1]
    assert "no band" in comparison_text.more_labels(once) and "no band" not in comparison_text.more_labels(found)
    epochs = {"epoch": np.array([1, 2]), "split": np.array(["validation"] * 2), "loss": np.array([0.7, 0.6])}
    twice = {name: np.tile(column, 2) for name, column in epochs.items()}
    assert [len(comparison_charts.learning({"full": one}).data) for one in (epochs, twice)] == [1, 2]


def test_a_study_says_what_pretraining_saw_and_shows_arms_next_to_their_placebos(tmp_path, windows):
    study_run, made = make_study(tmp_path, windows), make_comparison()
    full = next(row for row in made.verdicts if row.arm == "full" and row.metric == made.deciding)
    placebo = dataclasses.replace(next(arm for arm in made.arms if arm.name == "full"), name="placebo")
    own = (dataclasses.replace(full, against="placebo"), dataclasses.replace(full, arm="placebo"))
    made = dataclasses.replace(
        made,
        arms=(*made.arms, placebo),
        verdicts=(*made.verdicts, *own),
        placebos={"full": "placebo"},
        saw="Pre-training saw it all.",
    )
    assert [row.against for _, row in comparison_text.against_placebo(made, made.deciding)] == ["placebo"]
    assert {row.against for _, row in comparison_text.in_order(made, made.deciding)} == {made.against}
    assert "placebo" in [arm.name for arm in comparison_text.networks(made)]
    assert "placebo" not in [arm.name for arm in comparison_text.candidates(made)]
    assert "placebo is no candidate" in comparison_text.drawn(made)
    study_run.write_result("comparison", made)
    texts = [block.text for block in answer.answer(ReportContext(study_run)) if isinstance(block, Text)]
    assert "Pre-training saw it all." in texts
    choice = next(block for block in comparison.differences(ReportContext(study_run)) if isinstance(block, Choice))
    notes = [block.note for block in choice.options[0][1] if isinstance(block, Table)]
    assert len(notes) == 2 and not notes[0] and notes[1].startswith("Against its placebo")
