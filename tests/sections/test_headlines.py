"""No sentence says more than its interval: swept intervals, simulated runs, and results of older versions."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest

from moola_core.diagnostics.calibration import _over_repeats, calibrations
from moola_core.diagnostics.claims import beats_chance
from moola_core.diagnostics.evaluation import evaluate
from moola_core.diagnostics.results import RESULTS, Domain, Expectation, Interval, Rank
from moola_core.runs import codec
from moola_core.runs.predictions import PredictionTable
from moola_core.runs.store import Run, Store
from moola_core.sections import comparison_text, headlines, scores, text
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import build, make
from tests.app_samples import make_comparison, make_learned, make_predictions, make_run, make_transfer

SPREAD = [Interval(*np.sort(np.random.default_rng(seed).normal(0, 1, 3))[[1, 0, 2]]) for seed in range(40)]
AUROCS = [Interval(0.5 + found.value / 10, 0.5 + found.low / 10, 0.5 + found.high / 10) for found in SPREAD]


def predictions(seed: int, skill: float = 0.0, sharpness: float = 1.0, n: int = 120, repeats: int = 2) -> pd.DataFrame:
    """Answers whose logits hold `skill` of the class and are `sharpness` times as large as they should be."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, n)
    parts = []
    for repeat in range(repeats):
        seen = skill * (label - 0.5) + rng.normal(0, 1, n)
        p = 1 / (1 + np.exp(-sharpness * (skill or 1.0) * seen))
        names = np.array(["a", "b"])
        part = {
            "repeat": repeat,
            "fold": rng.permutation(n) % 5,
            "window_id": [f"w{i}" for i in range(n)],
            "label": names[label],
            "predicted": names[(p > 0.5).astype(int)],
            "p_a": 1 - p,
            "p_b": p,
            "start_true": 40.0 + rng.integers(0, 30, n),
        }
        parts.append(pd.DataFrame(part).assign(end_true=lambda rows: rows["start_true"] + 6))
        parts[-1]["start_pred"] = parts[-1]["start_true"].median() + rng.normal(0, 1, n)
        parts[-1]["end_pred"] = parts[-1]["start_pred"] + 6
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(predictions(0, 2.0), 105)


@pytest.fixture(scope="module")
def calibration():
    return calibrations(predictions(0, 2.0))


def expected(found: Interval, than: float = 0.0) -> str:
    return "supported" if found.low > than else "opposed" if found.high < than else "open"


def test_chance_majority_and_pointers_are_beaten_where_the_interval_says_so(evaluation):
    for found, auroc in zip(SPREAD, AUROCS, strict=True):
        said = dataclasses.replace(
            evaluation, auroc_within_folds=auroc, over_majority=found, pointer_gains={"length": found}
        )
        verdict = headlines.of_classes(said)
        assert verdict.outcome == expected(auroc, 0.5)
        assert ("The model tells the classes better than chance." in verdict.headline) == (auroc.low > 0.5)
        assert f"{auroc.low:.2f} to {auroc.high:.2f}" in verdict.rest
        verdict = headlines.of_majority(said)
        assert verdict.outcome == expected(found) and verdict.headline.startswith("It is better") == (found.low > 0)
        verdict = headlines.of_pointers(said)
        assert verdict.outcome == expected(found) and ("The pointers beat" in verdict.headline) == (found.low > 0)
        center = headlines.of_pointers(dataclasses.replace(said, pointer_gains={"center": found}))
        assert (center.outcome == "supported") == (found.low > 0)
        assert (center.outcome == "opposed") == (found.low <= 0 and found.high < 1), (
            "less than a bar is as good as none"
        )


def test_both_parts_of_the_pointer_must_beat_a_constant(evaluation):
    good, bad = Interval(5, 4, 6), Interval(-40, -45, -35)
    verdict = headlines.of_pointers(dataclasses.replace(evaluation, pointer_gains={"center": good, "length": bad}))
    assert verdict.outcome == "opposed" and "length is worse" in verdict.headline and "-45.0 to -35.0" in verdict.rest


def test_probabilities_are_taken_and_recalibrated_only_of_a_model_that_beats_chance(calibration):
    for auroc in AUROCS:
        for excess in SPREAD[::7]:
            for high in (0.05, 0.2):
                error = dataclasses.replace(calibration.repeats[0].errors[0], high=high)
                first = dataclasses.replace(calibration.repeats[0], errors=(error,))
                gains = {"temperature": SPREAD[3], "Platt": Interval(0.2, 0.1, 0.3)}
                report = dataclasses.replace(calibration, repeats=(first,), auroc=auroc, excess=excess, gains=gains)
                taken, fixed = headlines.of_calibration(report), headlines.of_recalibration(report)
                calibrated = excess.low <= 0 <= excess.high
                assert (taken.outcome == "supported") == (auroc.low > 0.5 and calibrated and high < 0.1)
                assert taken.headline.startswith("The probabilities are well calibrated") == (
                    taken.outcome == "supported"
                )
                assert (taken.outcome == "opposed") == (not calibrated)
                assert fixed.headline.startswith("Recalibrate with") == (auroc.low > 0.5)
                assert auroc.low > 0.5 or "temperature" not in fixed.text


def test_a_recalibration_is_named_only_if_it_surely_lowers_the_log_loss(calibration):
    known = dataclasses.replace(calibration, auroc=Interval(0.8, 0.7, 0.9))
    for found in SPREAD:
        verdict = headlines.of_recalibration(dataclasses.replace(known, gains={"temperature": found}))
        assert verdict.outcome == expected(found)
        assert (verdict.headline == "Recalibrate with temperature.") == (found.low > 0)
        assert ("cannot be told" in verdict.headline) == (found.low <= 0 <= found.high)


def test_a_probe_is_read_by_the_difference_and_not_by_two_means():
    probe = make_transfer().probe
    for gap, own in zip(SPREAD, AUROCS[::-1], strict=True):
        rows = tuple(
            dataclasses.replace(row, interval=own) if row.representation == "pre-trained" else row
            for row in probe.scores
        )
        gaps = tuple(
            dataclasses.replace(row, gap=gap)
            if (row.representation, row.against) == ("pre-trained", "random weights")
            else row
            for row in probe.gaps
        )
        verdict = headlines.of_probe(dataclasses.replace(probe, scores=rows, gaps=gaps))
        assert (verdict.outcome == "supported") == (gap.low > 0 and own.low > 0.5)
        assert (verdict.outcome == "opposed") == (gap.high < 0)
        assert ("Do not freeze" in verdict.text) == (gap.high < 0)
        assert f"{gap.low:+.2f} to {gap.high:+.2f}" in verdict.text


def test_pre_training_learned_something_only_if_it_is_surely_better_than_without_learning():
    for found in SPREAD:
        verdict = headlines.of_pretraining(dataclasses.replace(make_learned(), gain=found))
        assert verdict.outcome == expected(found) and verdict.headline.startswith("It learned to") == (found.low > 0)
    measures = tuple(
        headlines.Measure(name, 0.5, 0.4, "higher", Interval(0.1, low, 0.3))
        for name, low in (("a", 0.05), ("b", -0.05))
    )
    others = dataclasses.replace(make_learned(), masked_mae=None, measures=measures)
    assert headlines.of_pretraining(others).outcome == "open"
    assert headlines.of_pretraining(dataclasses.replace(others, measures=measures[:1])).outcome == "supported"


def test_what_is_expected_of_a_feature_is_so_not_so_or_cannot_be_told():
    for found in SPREAD:
        row = Expectation("it goes with it", found.value, None, found.low, found.high, 0.2)
        verdict = headlines.of_expectation(row)
        assert verdict.headline == {"supported": "yes", "opposed": "no", "open": "cannot be told"}[expected(found, 0.2)]
    weak = headlines.of_expectation(Expectation("expansion_proxy goes with retracement", 0.037, None, -0.11, 0.18, 0.0))
    assert weak.headline == "cannot be told" and "0.037 (95% interval -0.110 to 0.180)" in weak.rest


def test_windows_are_told_from_other_bars_only_outside_of_what_chance_gives():
    for found in AUROCS:
        verdict = headlines.of_domain(Domain(found.value, 0.44, 0.56, 40, (), (), found))
        assert (verdict.outcome == "supported") == (found.value > 0.56 and found.low > 0.5)
        assert verdict.headline.endswith("cannot be told.") == (verdict.outcome == "open")


def test_a_rank_is_as_expected_only_if_the_model_beats_chance_and_the_fits_agree(evaluation):
    def ranking(*own: float) -> tuple[Rank, ...]:
        others = tuple(Rank(f"g{i}", "o", 1.0 + i, (1.0 + i,) * len(own), 0) for i in range(6))
        return (*others, Rank("consol_proxy", "o", float(np.mean(own)), own, 1))

    chance, sure = (dataclasses.replace(evaluation, auroc_within_folds=Interval(0.6, low, 0.7)) for low in (0.45, 0.55))
    read = [headlines.of_rank(ranking(*own), "o", "consol_proxy", sure).outcome for own in ((9, 8), (0, 0.5), (9, 0))]
    assert read == ["supported", "opposed", "open"]
    assert headlines.of_rank(ranking(9, 8), "o", "consol_proxy", chance).outcome == "open"
    assert headlines.of_rank(ranking(9, 8), "o", "consol_proxy", None).outcome == "unmeasured"


def test_of_runs_at_chance_nothing_good_is_said_more_often_than_chance_has_it(calibration):
    """Answers that know nothing, stated with far too much certainty: a temperature of hundreds would calibrate them."""
    said = {"classes": 0, "majority": 0, "pointers": 0, "calibration": 0, "recalibration": 0}
    for seed in range(10):
        frame = predictions(seed, sharpness=4.0, n=60, repeats=1)
        found, grid = evaluate(frame, 105), PredictionTable(frame).grid()
        shared = grid.shared(None)
        excess, gains = _over_repeats(grid, shared)
        report = dataclasses.replace(calibration, auroc=beats_chance(grid, shared), excess=excess, gains=gains)
        said["classes"] += headlines.of_classes(found).outcome == "supported"
        said["majority"] += headlines.of_majority(found).outcome == "supported"
        said["pointers"] += headlines.of_pointers(found).outcome == "supported"
        said["calibration"] += headlines.of_calibration(report).outcome == "supported"
        said["recalibration"] += headlines.of_recalibration(report).outcome == "supported"
    most = 10 * 0.025 + 3 * np.sqrt(10 * 0.025 * 0.975)
    assert all(count <= most for count in said.values()), said


def test_a_model_that_knows_the_classes_and_boasts_is_recalibrated(calibration):
    report = calibrations(predictions(1, 2.0, sharpness=4.0, n=400, repeats=1))
    assert headlines.of_calibration(report).headline == "The probabilities are overconfident."
    assert headlines.of_recalibration(report).headline == "Recalibrate with temperature."
    assert headlines.of_classes(report).outcome == "supported"
    assert headlines.of_recalibration(calibration).outcome != "supported", "these are calibrated"


RULES = {
    "evaluation": (
        "auroc_within_folds over_majority pointer_gains sampled",
        (headlines.of_classes, headlines.of_majority, headlines.of_pointers, scores.of_f1),
    ),
    "calibration": ("auroc excess gains", (headlines.of_calibration, headlines.of_recalibration)),
    "transfer": ("", (lambda found: headlines.of_probe(found.probe),)),
    "learned": ("gain", (headlines.of_pretraining, lambda found: headlines.of_probe(found.probe))),
    "features": ("", (lambda found: headlines.of_expectation(found.expectations[0]),)),
}


def older(name: str, stored: dict) -> dict:
    """The stored result as it was before there were intervals."""
    plain = codec.loads(codec.dumps(stored))
    for field in RULES[name][0].split():
        del plain[field]
    if name in ("transfer", "learned"):
        del plain["probe"]["gaps"]
        plain["probe"]["scores"] = [
            {k: v for k, v in row.items() if k != "interval"} for row in plain["probe"]["scores"]
        ]
    if name == "features":
        plain["expectations"] = [{k: row[k] for k in ("text", "actual", "met")} for row in plain["expectations"]]
    return plain


@pytest.mark.parametrize("name", RULES)
def test_a_result_of_an_older_version_is_shown_and_said_to_be_unmeasured(name, tmp_path, full_run):
    shutil.copytree(full_run.store_root, tmp_path / "store")
    run = Store(tmp_path / "store").open(full_run.id)
    holder = next((one for one in (run, *_children(run)) if (one.folder / "results" / f"{name}.json").is_file()), run)
    stored = codec.plain(make_learned()) if name == "learned" else holder.result(name)
    plain = older(name, stored)
    found = codec.restore(RESULTS[name], plain)
    for rule in RULES[name][1]:
        verdict = rule(found)
        assert verdict.outcome == "unmeasured" and "not measured" in verdict.text, verdict
    holder.write_result(name, plain)
    shown = {"transfer": "transfer", "features": "features", "calibration": "calibration"}.get(name, "metrics")
    assert [section.name for section in build(run, [shown]).sections] == [shown], "the report is still made"
    if name != "learned":  # a fine-tuned run's reports do not show it
        assert "not measured" in text.render(make(shown, ReportContext(run)))


def _children(run: Run) -> list[Run]:
    return [Store(run.store_root).open(record.run_id) for record in Store(run.store_root).runs("diagnose")]


def test_a_simple_model_beats_every_network_only_by_the_verdict_between_the_two():
    found = make_comparison()
    pair = next(row for row in found.verdicts if row.against == "full")
    for word, outcome in (("helps", "supported"), ("equivalent", "opposed"), ("undecided", "open")):
        rows = tuple(dataclasses.replace(row, verdict=word) if row is pair else row for row in found.verdicts)
        verdict = comparison_text.beaten(dataclasses.replace(found, verdicts=rows))
        assert verdict.outcome == outcome and ("beats every network." in verdict.headline) == (word == "helps")


def test_page_report_and_command_say_the_same(tmp_path, windows):
    run = make_run(tmp_path, windows)
    report = calibrations(make_predictions(windows))
    told = headlines.of_calibration(report)
    section = next(one for one in build(run).sections if one.name == "calibration")
    assert section.blocks[0].strong == told.headline and section.blocks[0].text == told.rest
    assert f"{told.headline} {told.rest}" in text.render(make("calibration", ReportContext(run)))
