from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from moola_core import studies
from moola_core.diagnostics.evaluation import evaluate
from moola_core.diagnostics.results import Evaluation
from moola_core.runs import codec
from moola_core.runs.record import Record
from moola_core.sections.advice import after_comparison, next_step
from tests.app_samples import make_comparison

DONE = Record("20260101-000000-000-aaaa", "finetune", state="done", preset="stones")


def _evaluation(right: float, constant: bool = False):
    generator = np.random.default_rng(0)
    label = np.array(["a", "b"] * 50)
    flip = generator.random(100) > right
    said = np.where(flip, np.where(label == "a", "b", "a"), label)
    said = np.full(100, "a") if constant else said
    p = np.where(said == "a", 0.8, 0.2)
    rows = pd.DataFrame(
        {"repeat": 0, "fold": np.arange(100) % 5, "label": label, "predicted": said, "p_a": p, "p_b": 1 - p}
    )
    rows = rows.assign(start_true=np.nan, end_true=np.nan, start_pred=np.nan, end_pred=np.nan)
    return codec.restore(Evaluation, codec.loads(codec.dumps(evaluate(rows, 105))))


def test_without_a_run_it_says_how_to_make_one():
    step = next_step(None, None, False)
    assert (step.page, dict(step.values)) == ("launch", {"preset": "quick"})


@pytest.mark.parametrize("state", ["queued", "running"])
def test_an_active_run_is_followed(state):
    assert next_step(dataclasses.replace(DONE, state=state), None, False).page == "runs"


@pytest.mark.parametrize("state", ["failed", "lost"])
def test_a_failed_run_points_to_its_log_and_says_why(state):
    step = next_step(dataclasses.replace(DONE, state=state, error="no space"), None, False)
    assert step.page == "runs" and "no space" in step.fact


def test_constant_folds_come_before_any_average():
    step = next_step(DONE, _evaluation(0.9, constant=True), True)
    assert step.page == "results" and "5 of 5 folds" in step.fact


def test_no_better_than_the_majority_class_leads_to_the_recommended_preset():
    step = next_step(DONE, _evaluation(0.4), True)
    assert dict(step.values) == {"preset": "recommended"}
    again = next_step(dataclasses.replace(DONE, preset="recommended"), _evaluation(0.4), True)
    assert dict(again.values) == {"outcome": "wrong"}


def test_a_good_run_is_to_be_pinned_and_then_looked_into():
    assert "pin" in next_step(DONE, _evaluation(0.9), False).step.lower()
    assert next_step(DONE, _evaluation(0.9), True).page == "windows"


def _compared(beaten=(), **words):
    """The sample study with other verdicts of the deciding metric, networks alone."""
    found = make_comparison()
    rows = [
        dataclasses.replace(row, verdict=words[row.arm], labels_needed=400 if row.arm == "gradual" else None)
        for row in found.verdicts
        if row.decides and row.arm in words and row.against == found.against
    ]
    rows += [row for row in found.verdicts if row.arm in beaten and row.against == "full"]
    return dataclasses.replace(found, verdicts=tuple(rows), better_baselines=tuple(beaten))


@pytest.mark.parametrize(
    ("found", "fact", "step"),
    [
        (
            _compared(["logistic on aggregates"], full="helps"),
            "logistic on aggregates is the best so far",
            "from scratch",
        ),
        (_compared(full="helps", frozen="helps", gradual="undecided"), "full helps", "Pin its run"),
        (_compared(full="hurts", gradual="undecided"), "gradual is undecided", "Label about 340 more windows"),
        (_compared(full="undecided"), "full is undecided", "would not settle it"),
        (
            _compared(full="hurts", frozen="hurts"),
            "Every way to transfer this encoder hurts",
            "another pre-training objective",
        ),
        (_compared(full="hurts", frozen="equivalent"), "No arm helps", "Keep from scratch"),
        (None, "left no result", "again"),
    ],
)
def test_a_study_leads_to_one_next_step(found, fact, step):
    said = after_comparison(dataclasses.replace(DONE, kind="study"), found)
    assert fact in said.fact and step in said.step and said.page in ("doctor", "runs", "compare", "windows")


@pytest.mark.parametrize(("word", "doubted"), [("helps", False), ("undecided", True), ("equivalent", True)])
def test_a_placebo_is_never_recommended_and_an_arm_no_better_than_it_is_doubted(word, doubted):
    found = _compared(full="helps")
    full = next(row for row in found.verdicts if row.arm == "full")
    placebo = dataclasses.replace(next(arm for arm in found.arms if arm.name == "full"), name="placebo")
    best = dataclasses.replace(full, arm="placebo", delta=full.delta + 0.1)
    apart = dataclasses.replace(full, against="placebo", verdict=word)
    made = dataclasses.replace(
        found,
        arms=(*found.arms, placebo),
        verdicts=(full, best, apart),
        placebos={"full": "placebo"},
    )
    step = after_comparison(dataclasses.replace(DONE, kind="study"), made)
    assert step.fact.startswith("full helps.") and ("better than its placebo" in step.fact) == doubted
    assert len(step.claims) == 1 + doubted
    alone = dataclasses.replace(made, verdicts=(dataclasses.replace(full, verdict="undecided"), best))
    assert after_comparison(dataclasses.replace(DONE, kind="study"), alone).fact == "full is undecided."


def test_the_next_step_of_a_study_has_its_command():
    spec = studies.study("transfer", "quick", {"windows": "my windows.parquet", "bars": "bars.parquet"})
    study = dataclasses.replace(DONE, kind="study")
    hurts = after_comparison(study, _compared(full="hurts", frozen="hurts"), spec)
    files = "--windows 'my windows.parquet' --bars bars.parquet --preset quick"
    assert hurts.command == f"moola study objectives {files}" and dict(hurts.values)["study_name"] == "objectives"
    open_ = _compared(full="undecided")
    rows = tuple(dataclasses.replace(row, repeats_needed=9) for row in open_.verdicts)
    again = after_comparison(study, dataclasses.replace(open_, verdicts=rows), spec)
    assert "9 repeats, 7 more than there are" in again.step
    assert again.command == f"moola study transfer {files} --set training.repeats=9"
    assert after_comparison(study, _compared(full="hurts")).command == "", "a comparison of runs names no study"
    own = {
        "training.repeats": 7,
        "features.columns": ["price_path"],
        "pretrain.training.epochs": 3,
        "loss.pcgrad": True,
    }
    data = {"windows": "my windows.parquet", "bars": "bars.parquet"}
    changed = studies.study("transfer", "quick", data, own)
    assert studies.study("transfer", "quick", data, studies.asked(changed)).base == changed.base
    command = after_comparison(study, _compared(full="hurts", frozen="hurts"), changed).command
    for text in ("training.repeats=7", "pretrain.training.epochs=3", "loss.pcgrad=true", "features.columns="):
        assert f"--set {text}" in command or f"--set '{text}" in command
    assert studies.asked(spec) == {}
