"""The answer of a study as one block: what it holds, in which order, and the same everywhere."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from moola_core.cli import study as study_command
from moola_core.diagnostics.comparison import sentence
from moola_core.diagnostics.results import Difference, Interval, Sampled
from moola_core.diagnostics.results.comparison import UNKNOWN
from moola_core.reports.formats import document, html, markdown
from moola_core.runs.store import Run, Store
from moola_core.sections import comparison_text, text
from moola_core.sections.blocks import Command, Step, Text, flat
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import assemble, make
from moola_core.specs import change
from tests.app_samples import make_comparison, make_pretraining, make_run, make_shift
from tests.reports.conftest import make_study


@pytest.fixture(scope="module")
def answered(tmp_path_factory, windows) -> Run:
    """A study whose full arm started from two pre-trainings in turn, with its domain, its rule and an arm that is undecided."""
    root = tmp_path_factory.mktemp("store")
    run = make_study(root, windows)
    first = make_pretraining(root, windows)
    second = Store(root).create(change(first.spec, {"training.seed": first.spec.training.seed + 1}))
    second.write_result("learned", first.result("learned"))
    second.update(state="done", facts=first.record.facts)
    encoders = [first.id, second.id]
    tuned = make_run(root, windows, name="full")
    changes = {
        "transfer.checkpoint": encoders[0],
        "transfer.more_checkpoints": encoders[1:],
        "transfer.schedule": "full",
    }
    child = Store(root).create(change(tuned.spec, changes), name="full")
    child.update(state="done", facts=tuned.record.facts)
    found = make_comparison()
    stored = run.result("comparison")["arms"]
    arms = [dataclasses.replace(arm, run_id=stored[i]["run_id"]) for i, arm in enumerate(found.arms)]
    arms[0] = dataclasses.replace(arms[0], f1=Sampled(Interval(0.52, 0.44, 0.6), ()), f1_over_folds=0.41)
    arms[3] = dataclasses.replace(arms[3], run_id=child.id)
    rows = tuple(dataclasses.replace(row, repeats_needed=7) if row.arm == "gradual" else row for row in found.verdicts)
    kept = dataclasses.replace(
        found, arms=tuple(arms), verdicts=rows, sentence=sentence(rows, arms, found.against), better_baselines=()
    )
    run.write_result("comparison", kept)
    run.write_result("shift", make_shift())
    return run


def leads(run: Run) -> dict[str, str]:
    section = make("answer", ReportContext(run))
    return {block.strong: block.text for block in flat(section.blocks) if isinstance(block, Text)}


def test_it_reads_from_the_question_to_the_next_step(answered):
    said = leads(answered)
    order = [
        "The question.",
        "Pre-training.",
        "It learned to rebuild hidden bars.",
        "Whether pre-training made the labels easier to read cannot be told.",
        "The labelled windows",
        "Are the arms equal?",
        "frozen hurts.",
        "gradual is undecided.",
        "full helps.",
        "What the verdicts are about.",
        "What this design can show.",
        "What your rule of thumb points to cannot be told.",
        "Sample sizes needed.",
        "Next.",
    ]
    assert [next((want for want in order if lead.startswith(want)), lead) for lead in said] == order
    assert all(word in said["Pre-training."] for word in ("contrastive", "200 windows", "2 seeds"))
    assert "So say all 2 pre-trainings." in said["It learned to rebuild hidden bars."]
    assert said["What the verdicts are about."].endswith("seeds and pre-trainings.")
    assert "0.11" in said["What this design can show."] and "within ±0.04" in said["What this design can show."]
    assert "gradual: 340 more labels or 5 more repeats." in said["Sample sizes needed."], "in addition to 60 and 2"
    assert "0.44" in said["What your rule of thumb points to cannot be told."] and "0.410" in str(said)


def test_every_verdict_has_its_interval_and_all_three_probabilities(answered):
    for row in comparison_text.of_networks(ReportContext(answered).result("comparison").value):
        line = next(text for lead, text in leads(answered).items() if lead.startswith(f"{row.arm} "))
        for number in (f"{row.delta:+.3f}", f"{row.low:+.3f} to {row.high:+.3f}"):
            assert number in line
        shown = [float(p) for p in re.findall(r"with (?:probability )?(\d\.\d{3})", line)]
        assert shown == pytest.approx([row.p_helps, row.p_hurts, row.p_within], abs=6e-4)


def test_page_files_terminal_and_json_show_one_block(answered, capsys):
    context = ReportContext(answered)
    section = make("answer", context)
    report = assemble(context, ["answer"])
    args = type("Args", (), {"json": True})
    assert study_command._show(args, answered) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["answer"] == json.loads(document.render(report, context))["sections"][0]["blocks"]
    args.json = False
    study_command._show(args, answered)
    terminal = capsys.readouterr().out
    page, file = html.render(report), re.sub(r"\\(.)", r"\1", markdown.render(report, "x"))
    assert text.render(section) in terminal
    for block in flat(section.blocks):
        if isinstance(block, Text):
            assert all(block.strong in drawn for drawn in (page, file, terminal))
    (step,) = (block for block in section.blocks if isinstance(block, Step))
    (command,) = (block for block in flat(section.blocks) if isinstance(block, Command)) if step.command else (None,)
    assert section.blocks[-1] is step and (command is None or command.line in terminal)


def test_what_was_not_measured_and_what_is_gone_is_a_sentence(answered, study_run):
    said = leads(study_run)
    assert "Pre-training." not in said and said["What the verdicts are about."].endswith("folds and seeds.")
    (answered.folder / "results" / "shift.json").unlink()
    said = leads(answered)
    assert "moola diagnose shift" in said["Are the labelled windows like the bars of pre-training?"]


def test_arms_that_are_not_equal_are_named_with_what_they_have(answered):
    found = ReportContext(answered).result("comparison").value
    arms, same = ["from scratch", "full"], {"from scratch": "5 × 2 repeats", "full": "5 × 2 repeats"}
    rows = (
        Difference("size", {"from scratch": "9 trainable parameters", "full": "90 trainable parameters"}),
        Difference("stopping", {"from scratch": "patience 5", "full": "none"}),
        Difference("seeds", {"from scratch": "17", "full": UNKNOWN}),
        Difference("folds", same),
    )
    text = comparison_text.unequal(dataclasses.replace(found, unequal=rows), ["training.patience"], arms)
    assert text.startswith(
        "Besides what is compared (training.patience), they are unequal in size (from scratch: 9 trainable"
    )
    assert "full: 90" in text and "patience 5" not in text and "repeats" not in text and "seeds" not in text
    assert "Not everything is known of full." in text
    equal = comparison_text.unequal(dataclasses.replace(found, unequal=()), [], arms)
    assert equal == "They are equal in size, encoder, epochs, stopping, labels, windows, folds, features, seeds."
    assert "older version" in comparison_text.unequal(dataclasses.replace(found, unequal=None), [], arms)
