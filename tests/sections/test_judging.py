"""No sentence judges without the interval and the threshold that it rests on: each kind just above and just below, and every section."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator

import pytest

from moola_core.diagnostics.calibration import calibrations
from moola_core.diagnostics.doctor import CHECKS, Case, examine
from moola_core.diagnostics.doctor.check import Check
from moola_core.diagnostics.evaluation import evaluate
from moola_core.diagnostics.results import (
    Chance,
    Domain,
    Expectation,
    Interval,
    Measure,
    Pointing,
    Rank,
    Sampled,
)
from moola_core.diagnostics.results.interval import Claim
from moola_core.runs import codec
from moola_core.sections import comparison_text, encoders, headlines, scores, search
from moola_core.sections.blocks import Report, Table, Text, flat
from moola_core.sections.headline import JUDGES, Headline
from moola_core.sections.registry import build
from moola_core.targets import judge
from tests.app_samples import make_balance, make_comparison, make_learned, make_search, make_span_run, make_transfer
from tests.diagnostics.test_doctor import RULES, case_of
from tests.sections.test_headlines import predictions

NEAR = 1e-6
SURE = Interval(0.8, 0.7, 0.9)


def low_at(end: float) -> Interval:
    """An interval that begins at `end`."""
    return Interval(end + 0.05, end, end + 0.1)


def high_at(end: float) -> Interval:
    """An interval that ends at `end`."""
    return Interval(end - 0.05, end - 0.1, end)


EVALUATION = evaluate(predictions(0, 2.0), 105)
CALIBRATION = calibrations(predictions(0, 2.0))
ECE = 0.1


def evaluated(**changes) -> object:
    return dataclasses.replace(EVALUATION, **changes)


SMALL = Interval(0.03, 0.01, 0.05)


def calibrated(ece: Interval = SMALL, **changes) -> object:
    repeats = tuple(
        dataclasses.replace(
            one, errors=(dataclasses.replace(one.errors[0], value=ece.value, low=ece.low, high=ece.high),)
        )
        for one in CALIBRATION.repeats
    )
    changes = {"auroc": SURE, "excess": Interval(0.0, -0.1, 0.1), "repeats": repeats} | changes
    return dataclasses.replace(CALIBRATION, **changes)


def probed(gap: Interval, own: Interval = SURE) -> object:
    probe = make_transfer().probe
    rows = tuple(dataclasses.replace(row, interval=own) for row in probe.scores)
    gaps = tuple(dataclasses.replace(row, gap=gap) for row in probe.gaps)
    return dataclasses.replace(probe, scores=rows, gaps=gaps)


def ranked(*ranks: int) -> tuple[Rank, ...]:
    """consol_proxy at these ranks in the fits."""
    others = [Rank(f"g{i}", "o", 1.0, tuple(float(i + 1) for _ in ranks), i + 1) for i in range(8)]
    own = Rank("consol_proxy", "o", 1.0, tuple(9.5 - rank for rank in ranks), ranks[0])
    return (*others, own)


def trained(ratio: float) -> object:
    return dataclasses.replace(make_balance(), gradient_ratio=ratio, shared_parameters=10)


def f1(interval: Interval) -> object:
    return evaluated(sampled={"f1_macro": Sampled(interval, (Chance(0.5, 0.5),))})


def target(interval: Interval) -> Headline:
    (row,) = [row for row in judge({"f1_macro": {"mean": interval.value}}) if row.actual is not None]
    return scores.of_target(row, interval)


def counted(interval: Interval) -> Headline:
    only = evaluated(metrics={"f1_macro": {"mean": interval.value}}, sampled={"f1_macro": Sampled(interval, ())})
    return scores.of_targets(only)


def beaten(word: str, interval: Interval) -> Headline:
    found = make_comparison()
    pair = next(row for row in found.verdicts if row.against == "full")
    at = dataclasses.replace(pair, verdict=word, delta=interval.value, low=interval.low, high=interval.high)
    return comparison_text.beaten(
        dataclasses.replace(found, verdicts=tuple(at if row is pair else row for row in found.verdicts))
    )


def confident(pointing: Pointing, excess: Interval, high: float = 0.05) -> Headline:
    rows = tuple(
        dataclasses.replace(row, p_value=0.5, error=dataclasses.replace(row.error, low=0.0, high=high))
        for row in pointing.confidence
    )
    return headlines.of_confidence(dataclasses.replace(pointing, confidence=rows, excess=excess))


def domain(interval: Interval, null_high: float = 0.0) -> Headline:
    return headlines.of_domain(Domain(interval.value, 0.4, null_high, 40, (), (), interval))


def learned(gain: Interval) -> Headline:
    return headlines.of_pretraining(dataclasses.replace(make_learned(), gain=gain))


def all_learned(*gains: Interval) -> Headline:
    return encoders.of_pretrainings([dataclasses.replace(make_learned(), gain=gain) for gain in gains])


def ruled(interval: Interval) -> Headline:
    found = make_comparison()
    first = dataclasses.replace(found.arms[0], f1=Sampled(interval, ()))
    return comparison_text.of_rule(dataclasses.replace(found, arms=(first, *found.arms[1:])))


def measured(gain: Interval) -> Headline:
    measures = (Measure("Accuracy", 0.5, 0.4, "higher", gain),)
    return headlines.of_pretraining(dataclasses.replace(make_learned(), masked_mae=None, measures=measures))


def recalibrated(gain: Interval, auroc: Interval = SURE) -> Headline:
    return headlines.of_recalibration(calibrated(gains={"temperature": gain}, auroc=auroc))


def expected(interval: Interval) -> Headline:
    return headlines.of_expectation(Expectation("it goes", interval.value, None, interval.low, interval.high, 0.2))


def searched(word: str, interval: Interval, better: str = "higher") -> Headline:
    metric = "f1_macro" if better == "higher" else "log_loss"
    made = make_search()
    row = dataclasses.replace(
        made.default, metric=metric, verdict=word, delta=interval.value, low=interval.low, high=interval.high
    )
    return search.of_search(dataclasses.replace(made, metric=metric, default=row))


def pointed(part: str, gain: Interval) -> Headline:
    return headlines.of_pointers(evaluated(pointer_gains={part: gain}))


# By kind of sentence: pairs of makers, which judge just on one side of a threshold and not just on the other.
Pair = tuple[Callable[..., Headline], Callable[..., Headline]]
PAIRS: dict[str, list[Pair]] = {
    "of_classes": [
        (
            lambda: headlines.of_classes(evaluated(auroc_within_folds=low_at(0.5 + NEAR))),
            lambda: headlines.of_classes(evaluated(auroc_within_folds=low_at(0.5 - NEAR))),
        ),
        (
            lambda: headlines.of_classes(evaluated(auroc_within_folds=high_at(0.5 - NEAR))),
            lambda: headlines.of_classes(evaluated(auroc_within_folds=high_at(0.5 + NEAR))),
        ),
    ],
    "of_majority": [
        (
            lambda: headlines.of_majority(evaluated(over_majority=low_at(NEAR))),
            lambda: headlines.of_majority(evaluated(over_majority=low_at(-NEAR))),
        ),
        (
            lambda: headlines.of_majority(evaluated(over_majority=high_at(-NEAR))),
            lambda: headlines.of_majority(evaluated(over_majority=high_at(NEAR))),
        ),
    ],
    "of_pointers": [
        (lambda: pointed("length", low_at(NEAR)), lambda: pointed("length", low_at(-NEAR))),
        (lambda: pointed("length", high_at(-NEAR)), lambda: pointed("length", high_at(NEAR))),
        (
            lambda: pointed("center", Interval(0.5, -0.1, 1 - NEAR)),
            lambda: pointed("center", Interval(0.5, -0.1, 1 + NEAR)),
        ),
    ],
    "of_confidence": [
        (lambda p: confident(p, low_at(NEAR)), lambda p: confident(p, low_at(-NEAR), 0.2)),
        (lambda p: confident(p, high_at(-NEAR)), lambda p: confident(p, high_at(NEAR), 0.2)),
        (
            lambda p: confident(p, Interval(0, -1, 1), ECE - NEAR),
            lambda p: confident(p, Interval(0, -1, 1), ECE + NEAR),
        ),
    ],
    "of_calibration": [
        (
            lambda: headlines.of_calibration(calibrated(excess=low_at(NEAR), auroc=low_at(0.4))),
            lambda: headlines.of_calibration(calibrated(excess=low_at(-NEAR), auroc=low_at(0.4))),
        ),
        (
            lambda: headlines.of_calibration(calibrated(high_at(ECE - NEAR))),
            lambda: headlines.of_calibration(calibrated(high_at(ECE + NEAR))),
        ),
        (
            lambda: headlines.of_calibration(calibrated(auroc=low_at(0.5 + NEAR))),
            lambda: headlines.of_calibration(calibrated(auroc=low_at(0.5 - NEAR))),
        ),
    ],
    "of_recalibration": [
        (lambda: recalibrated(low_at(NEAR)), lambda: recalibrated(low_at(-NEAR))),
        (lambda: recalibrated(high_at(-NEAR)), lambda: recalibrated(high_at(NEAR))),
        (
            lambda: recalibrated(low_at(NEAR), low_at(0.5 + NEAR)),
            lambda: recalibrated(low_at(NEAR), low_at(0.5 - NEAR)),
        ),
    ],
    "of_pretraining": [
        (lambda: learned(low_at(NEAR)), lambda: learned(low_at(-NEAR))),
        (lambda: learned(high_at(-NEAR)), lambda: learned(high_at(NEAR))),
        (lambda: measured(low_at(NEAR)), lambda: measured(low_at(-NEAR))),
        (lambda: measured(high_at(-NEAR)), lambda: measured(high_at(NEAR))),
    ],
    "of_probe": [
        (lambda: headlines.of_probe(probed(low_at(NEAR))), lambda: headlines.of_probe(probed(low_at(-NEAR)))),
        (lambda: headlines.of_probe(probed(high_at(-NEAR))), lambda: headlines.of_probe(probed(high_at(NEAR)))),
        (
            lambda: headlines.of_probe(probed(low_at(NEAR), low_at(0.5 + NEAR))),
            lambda: headlines.of_probe(probed(low_at(NEAR), low_at(0.5 - NEAR))),
        ),
    ],
    "of_balance": [],  # a share of the steps that were taken: each side of its threshold judges, see below
    "of_expectation": [
        (lambda: expected(low_at(0.2 + NEAR)), lambda: expected(low_at(0.2 - NEAR))),
        (lambda: expected(high_at(0.2 - NEAR)), lambda: expected(high_at(0.2 + NEAR))),
    ],
    "of_domain": [
        (lambda: domain(low_at(0.5 + NEAR)), lambda: domain(Interval(0.6, 0.5 - NEAR, 0.7))),
        (lambda: domain(Interval(0.6, 0.55, 0.65), 0.6 - NEAR), lambda: domain(Interval(0.6, 0.55, 0.65), 0.6 + NEAR)),
        (lambda: domain(high_at(0.6 - NEAR), 1.0), lambda: domain(high_at(0.6 + NEAR), 1.0)),
    ],
    "of_rank": [
        (
            lambda: headlines.of_rank(ranked(4, 3), "o", "consol_proxy", evaluated(auroc_within_folds=SURE)),
            lambda: headlines.of_rank(ranked(5, 4), "o", "consol_proxy", evaluated(auroc_within_folds=SURE)),
        ),
        (
            lambda: headlines.of_rank(ranked(5, 6), "o", "consol_proxy", evaluated(auroc_within_folds=SURE)),
            lambda: headlines.of_rank(ranked(4, 6), "o", "consol_proxy", evaluated(auroc_within_folds=SURE)),
        ),
        (
            lambda: headlines.of_rank(
                ranked(1, 1), "o", "consol_proxy", evaluated(auroc_within_folds=low_at(0.5 + NEAR))
            ),
            lambda: headlines.of_rank(
                ranked(1, 1), "o", "consol_proxy", evaluated(auroc_within_folds=low_at(0.5 - NEAR))
            ),
        ),
    ],
    "of_f1": [
        (lambda: scores.of_f1(f1(low_at(0.5 + NEAR))), lambda: scores.of_f1(f1(low_at(0.5 - NEAR)))),
        (lambda: scores.of_f1(f1(high_at(0.5 - NEAR))), lambda: scores.of_f1(f1(high_at(0.5 + NEAR)))),
    ],
    "of_target": [
        (lambda: target(low_at(0.6 + NEAR)), lambda: target(low_at(0.6 - NEAR))),
        (lambda: target(high_at(0.6 - NEAR)), lambda: target(high_at(0.6 + NEAR))),
    ],
    "of_targets": [
        (lambda: counted(low_at(0.6 + NEAR)), lambda: counted(low_at(0.6 - NEAR))),
        (lambda: counted(high_at(0.6 - NEAR)), lambda: counted(high_at(0.6 + NEAR))),
    ],
    "of_rule": [
        (lambda: ruled(low_at(0.5 + NEAR)), lambda: ruled(low_at(0.5 - NEAR))),
        (lambda: ruled(high_at(0.3 - NEAR)), lambda: ruled(high_at(0.3 + NEAR))),
        (lambda: ruled(Interval(0.4, 0.3 + NEAR, 0.5 - NEAR)), lambda: ruled(Interval(0.4, 0.3 - NEAR, 0.5 - NEAR))),
    ],
    "of_pretrainings": [
        (lambda: all_learned(low_at(NEAR), low_at(NEAR)), lambda: all_learned(low_at(NEAR), low_at(-NEAR))),
        (lambda: all_learned(high_at(-NEAR), high_at(-NEAR)), lambda: all_learned(high_at(-NEAR), high_at(NEAR))),
    ],
    "of_search": [
        (lambda: searched("helps", low_at(NEAR)), lambda: searched("undecided", low_at(-NEAR))),
        (lambda: searched("hurts", high_at(-NEAR)), lambda: searched("undecided", high_at(NEAR))),
        (
            lambda: searched("equivalent", Interval(0.0, -0.01, 0.02 - NEAR)),
            lambda: searched("undecided", Interval(0.0, -0.01, 0.02 + NEAR)),
        ),
        (lambda: searched("helps", high_at(-NEAR), "lower"), lambda: searched("undecided", high_at(NEAR), "lower")),
    ],
    "beaten": [
        (lambda: beaten("helps", low_at(NEAR)), lambda: beaten("undecided", low_at(-NEAR))),
    ],
}


def test_every_kind_of_sentence_that_judges_has_its_pairs_here():
    assert set(PAIRS) == set(JUDGES), f"give pairs in PAIRS, or register the sentence: {set(PAIRS) ^ set(JUDGES)}"


@pytest.mark.parametrize("name", PAIRS)
def test_a_sentence_judges_just_beyond_its_threshold_and_not_just_before(name, tmp_path, windows):
    spans = make_span_run(tmp_path, windows).result("pointing") if name == "of_confidence" else None
    pointing = [codec.restore(Pointing, spans)] if name == "of_confidence" else []
    for judged, kept in PAIRS[name]:
        found, withheld = judged(*pointing), kept(*pointing)
        assert found.outcome in ("supported", "opposed") and any(claim.interval for claim in found.claims)
        assert (withheld.outcome == "open" and "cannot be told" in withheld.text) or name in OTHER_WORDS
        assert found.text != withheld.text and (name in OTHER_WORDS or not judging(withheld.headline))


# Sentences that say "open" otherwise: a recalibration is not offered, targets are counted.
OTHER_WORDS = {"of_recalibration", "of_targets"}


def test_almost_no_gradient_is_a_matter_of_its_threshold():
    for ratio, word in ((0.1 - NEAR, "pointer task"), (0.1 + NEAR, "Neither"), (10 + NEAR, "class task")):
        found = headlines.of_balance(trained(ratio))
        assert word in found.text and found.claims[0].interval.value == ratio


def test_a_recall_is_judged_of_a_model_that_beats_chance_alone():
    sampled = {"recall a": Sampled(Interval(0.7, 0.6, 0.8), ())}
    for auroc, met in ((low_at(0.5 + NEAR), "yes"), (low_at(0.5 - NEAR), "cannot be told"), (None, "cannot be told")):
        found = evaluated(metrics={"recall": {"a": {"mean": 0.7}}}, sampled=sampled, auroc_within_folds=auroc)
        assert [verdict.headline for _, verdict in scores.of_each(found)] == [met]


def test_a_sentence_cannot_judge_without_a_decided_claim():
    undecided = Claim("a difference", Interval(0, -1, 1))
    for outcome in ("supported", "opposed"):
        for claims in ((), (undecided,), (Claim("never measured", None),)):
            with pytest.raises(ValueError, match="no interval decides it"):
                Headline("It is better.", "", outcome, claims)
    assert Headline("Whether it is better cannot be told.", "", "open", (undecided,)).block.claims == (undecided,)


JUDGING = re.compile(
    r"\b(better|worse|best|helps?|hurts?|beats?|learned|calibrated|overconfident|underconfident|as expected|reliable|easier|harder"
    r"|equivalent|as good|healthy|are met|missed)\b",
    re.IGNORECASE,
)
HEDGED = re.compile(
    r"cannot be told|\bwhether\b|\?$|not shown|is not excluded|only a comparison|not measured|may |perhaps|calibrated model"
    r"|where \d+% of|what the probabilities imply",
    re.IGNORECASE,
)


def judging(text: str) -> list[str]:
    """The sentences that judge."""
    sentences = re.split(r"(?<=[.?:!])\s+", text)
    return [one for one in sentences if JUDGING.search(one) and not HEDGED.search(one)]


# True of every run: what to do, and what a fault does to any model.
GENERAL = (
    "A model that remembers the shared bars looks better than it is.",
    "The shared weights are trained for one task; the pointer head has to use features learned for the other.",
    "The hidden bars were still in the input, so the network learned to copy.",
    "Use it until a network beats it.",
)
# The conclusions of a plan are those of its studies, which hold the verdicts with their intervals.
ELSEWHERE = {"plan"}


def texts(report: Report) -> Iterator[tuple[str, Text]]:
    for section in report.sections:
        yield from ((section.name, block) for block in flat(section.blocks) if isinstance(block, Text))


@pytest.mark.parametrize(
    "name",
    [
        "full_run",
        "pretrained",
        "study_run",
        "plan_run",
        "investigation_run",
        "search_run",
        "hostile_run",
        "figures_run",
    ],
)
def test_no_section_judges_without_a_claim(request, name):
    run = request.getfixturevalue(name)
    kinds = ("", "doctor") if run.record.kind in ("finetune", "pretrain") else ("",)
    for report in (build(run, kind=kind) for kind in kinds):
        for section, block in texts(report):
            said = [one for one in judging(f"{block.strong} {block.text}") if one not in GENERAL]
            assert not said or block.claims or section in ELSEWHERE, f"{section}: {said} rests on nothing"
            for claim in block.claims:
                assert claim.quantity and (claim.interval is None or claim.interval.low <= claim.interval.high)


WORDS = {"yes", "no", "helps", "hurts", "equivalent"}


@pytest.mark.parametrize("name", ["full_run", "pretrained", "study_run", "hostile_run"])
def test_a_table_that_judges_shows_the_interval_in_the_row(request, name):
    for section in build(request.getfixturevalue(name)).sections:
        for table in (block for block in flat(section.blocks) if isinstance(block, Table)):
            judged = [row for row in table.rows if WORDS & {cell for cell in row if isinstance(cell, str)}]
            assert not judged or {"from", "to"} <= set(table.columns), (section.name, table.columns)


def test_a_finding_that_judges_a_sample_rests_on_its_interval():
    sampled = {name for name, check in CHECKS.items() if check.sampled}
    assert {"loss_at_chance", "worse_than_majority", "miscalibrated", "learned_nothing", "simple_arm"} < sampled
    for name, (facts, _) in RULES.items():
        for finding in examine(case_of(name, facts), [CHECKS[name]]).findings:
            said = [one for one in judging(f"{finding.title}. {finding.summary}") if one not in GENERAL]
            assert not said or finding.claims or name in NO_SAMPLE, f"{name}: {said}"
            assert name not in sampled or finding.severity == "info" or finding.claims


# Facts of a spec, of counts or of a report's own figures, not estimates from a sample.
NO_SAMPLE = {"stopped_too_early", "calibration_noise"}

# Of checks of samples: facts, and the same ones with the interval just on the other side, which is then a note.
EDGES = {
    "worse_than_majority": (
        {"accuracy": 0.4, "majority_accuracy": 0.5, "over_majority_low": -0.2, "over_majority_high": -NEAR},
        {"over_majority_high": NEAR},
    ),
    "simple_model": (
        {"auroc": 0.6, "reference_auroc": 0.7, "reference_gap_low": -0.2, "reference_gap_high": -NEAR},
        {"reference_gap_high": NEAR},
    ),
    "loss_at_chance": (
        {"log_loss": 0.72, "label_entropy": 0.69, "n_classes": 2, "auroc": 0.5, "auroc_low": 0.4}
        | {"trees_auroc": 0.7, "trees_auroc_low": 0.6, "trees_gap_low": -0.3, "trees_gap_high": -NEAR},
        {"trees_gap_high": NEAR},
    ),
    "pointers_no_better": (
        {"pointer_gains": {"length": {"value": -1.0, "low": -2.0, "high": -NEAR}}},
        {"pointer_gains": {"length": {"value": -1.0, "low": -2.0, "high": NEAR}}},
    ),
    "learned_nothing": (
        {"masked_mae": 0.4, "trivial": {"a": 0.4}, "gain": {"value": -0.01, "low": -0.02, "high": -NEAR}},
        {"gain": {"value": -0.01, "low": -0.02, "high": NEAR}},
    ),
    "frozen_bottleneck": (
        {"schedule": "frozen", "probe_encoder": 0.5, "probe_random": 0.6, "trainable_share": 0.01}
        | {"probe_gap_random": {"value": -0.1, "low": -0.2, "high": -NEAR}},
        {"probe_gap_random": {"value": -0.1, "low": -0.2, "high": NEAR}},
    ),
    "miscalibrated": (
        {"ece": 0.3, "ece_null_95": 0.08, "ece_p": 0.0005, "fitted_temperature": 6.0, "auroc_low": 0.5 + NEAR},
        {"auroc_low": 0.5 - NEAR},
    ),
}


@pytest.mark.parametrize("name", EDGES)
def test_a_finding_is_an_error_only_where_its_interval_is_on_one_side(name):
    facts, other = EDGES[name]
    for given, severity in ((facts, "error"), (facts | other, "info")):
        diagnosis = examine(case_of(name, given), [CHECKS[name]])
        (finding,) = (*diagnosis.findings, *diagnosis.remarks)
        assert finding.severity == severity and finding.claims


def test_a_check_of_a_sample_cannot_find_an_error_that_no_interval_decides():
    class Rash(Check):
        id, title, sampled = "rash", "It is worse", True

        def judge(self, case):
            found = self.finding("error", "Worse.", {"by": 1}, "Stop.")
            return self.resting_on(found, (Claim("a difference", Interval(0, -1, 1)),))

    with pytest.raises(RuntimeError, match="no interval decides it"):
        examine(Case("finetune", {}), [Rash()])
