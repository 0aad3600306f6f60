"""The first page's answers: of the best evidence, each with its run, and a button for what was not tested."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moola_core.diagnostics.evaluation import evaluate
from moola_core.diagnostics.results import Diagnosis, Finding
from moola_core.runs.record import Record
from moola_core.sections import comparison_text
from moola_core.sections.blocks import Step, Supported, Text
from moola_core.sections.first_answers import Evidence, Judged, first_answers
from moola_core.sections.investigation import HEADS
from moola_core.sections.scores import of_targets
from tests.app_samples import make_comparison
from tests.sections.test_headlines import predictions

BAD = evaluate(predictions(0, 2.0), 105)


def record(run_id: str, **more) -> Record:
    return replace(Record(run_id=run_id, kind="finetune", created="2026-01-01T00:00:00"), **more)


def finding(title: str, severity: str = "error", explained_by: tuple[str, ...] = ()) -> Finding:
    return Finding("a_check", title, severity, "41% of the bars.", {}, "Look.", None, "", explained_by, ())


def diagnosis(*findings: Finding) -> Diagnosis:
    return Diagnosis("run", "finetune", findings, (), ())


def by_head(evidence: Evidence) -> dict[str, Step | Supported | Text]:
    blocks = first_answers(evidence)
    return {(one if isinstance(one, Text) else one.text).strong: one for one in blocks}


def test_what_was_not_tested_has_the_button_that_tests_it():
    blocks = by_head(Evidence())
    assert set(blocks) == {HEADS["target"], HEADS["pretraining"], HEADS["cause"]}
    assert all(isinstance(one, Step) and "not tested yet" in one.text.text.lower() for one in blocks.values())
    assert {one.link.page for one in blocks.values()} == {"launch", "compare", "investigate"}


def test_targets_are_those_of_the_newest_run_or_of_one_that_meets_them_all():
    runs = [Judged(record("20260102-000000-000-aaaa"), BAD), Judged(record("20260101-000000-000-bbbb"), BAD)]
    block = by_head(Evidence(runs=runs))[HEADS["target"]]
    assert isinstance(block, Supported) and block.run_id.endswith("aaaa")
    assert block.text.text.startswith(of_targets(BAD).text) and "newest of 2 runs" in block.text.text
    assert block.text.claims == of_targets(BAD).claims


def test_the_doctors_gravest_finding_is_what_is_wrong_and_a_run_without_one_says_so():
    of = record("20260102-000000-000-aaaa")
    first, second, note = finding("First"), finding("Second"), finding("Note", "info")
    symptom = finding("Symptom", "critical", ("a_check",))
    runs = [Judged(of, BAD, None, diagnosis(symptom, first, second, note))]
    block = by_head(Evidence(runs=runs))[HEADS["cause"]]
    assert block.text.text == "First: 41% of the bars. 1 more: see the doctor."
    assert (block.link.page, block.run_id) == ("doctor", of.run_id)
    clean = by_head(Evidence(runs=[Judged(of, BAD, None, diagnosis(note))]))[HEADS["cause"]]
    assert "no critical fault and no error" in clean.text.text
    unexamined = by_head(Evidence(runs=[Judged(of, BAD)]))[HEADS["cause"]]
    assert isinstance(unexamined, Step) and dict(unexamined.link.values) == {"run": of.run_id}


@pytest.mark.parametrize(("ended", "study_wins"), [("2026-01-02T00:00:00", True), ("2025-12-31T00:00:00", False)])
def test_pretraining_is_answered_by_the_investigation_or_by_a_study_that_ended_later(ended, study_wins):
    stated = {"pretraining": Supported(Text("It helps.", HEADS["pretraining"]), "20260101-000000-000-0001", None)}
    study = (record("20260101-000000-000-cccc", kind="study", ended=ended), make_comparison())
    block = by_head(Evidence(stated, "2026-01-01T00:00:00", study))[HEADS["pretraining"]]
    assert (block.run_id == study[0].run_id) is study_wins
    if study_wins:
        rows = comparison_text.of_networks(make_comparison())
        assert [claim.interval.value for claim in block.text.claims] == [row.delta for row in rows]
        assert block.link.page == "compare"


@pytest.mark.parametrize(
    ("verdicts", "answer", "named"),
    [
        (("hurts", "helps", "undecided"), "It helps in at least one way", 1),
        (("hurts", "equivalent", "undecided"), "Whether it helps cannot be told.", 2),
        (("hurts", "equivalent", "hurts"), "It does not help", 1),
        (("hurts", "hurts", "hurts"), "It hurts in each way", 0),
    ],
)
def test_a_study_answers_with_the_best_of_its_ways_to_transfer(verdicts, answer, named):
    comparison = make_comparison()
    rows = comparison_text.of_networks(comparison)
    names = dict(zip((row.arm for row in rows), verdicts, strict=False))
    changed = tuple(
        replace(row, verdict=names.get(row.arm, row.verdict)) if row.metric == comparison.deciding else row
        for row in comparison.verdicts
    )
    study = (record("20260101-000000-000-cccc", kind="study"), replace(comparison, verdicts=changed, sentence=""))
    text = by_head(Evidence(study=study))[HEADS["pretraining"]].text.text
    assert text.startswith(answer) and f" {rows[named].arm} " in text
