"""Finished runs compared: what differs, the verdicts, and where the gains are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from moola_core.diagnostics.comparison import ArmPredictions, arm_predictions, compare, deciding, label_curve, sentence
from moola_core.diagnostics.evaluation import evaluate, over_folds
from moola_core.diagnostics.results import ArmFacts, Comparison, LabelCurve, Selection, Verdict, WindowDifference
from moola_core.diagnostics.selection import select_best
from moola_core.errors import DataError
from moola_core.launch.worker.differing import differences, division, unequal
from moola_core.launch.worker.relay import ProgressCallback
from moola_core.metrics import METRICS
from moola_core.runs.comparable import comparable
from moola_core.runs.facts import needed
from moola_core.runs.folds import shared_bars
from moola_core.runs.joined import parts_of
from moola_core.runs.predictions import PredictionTable
from moola_core.runs.record import FIT
from moola_core.runs.store import Run, Store
from moola_core.specs.choices import IMPORTED
from moola_core.specs.pretrain import SAW

if TYPE_CHECKING:
    import pandas as pd

# Predictions made elsewhere are compared with the networks.
NETWORKS = ("network", IMPORTED)
PICKED = ("f1_macro", "hit_at_3")


def work(run: Run, listen: ProgressCallback | None) -> None:
    """Compare the runs that the spec names."""
    spec = run.spec
    runs: dict[str, Run] = {}
    for one in comparable(Store(run.store_root), spec.runs):
        runs[_name(one, runs)] = one
    run.write_result("comparison", build("comparison", runs, next(iter(runs)), spec.margin, spec.seed))


def _name(run: Run, taken: Mapping[str, Run]) -> str:
    name = run.record.name or run.record.preset or "run"
    return f"{name} {run.id[-4:]}" if name in taken else name


def build(
    name: str,
    runs: Mapping[str, Run],
    against: str,
    margin: float,
    seed: int,
    placebos: Mapping[str, str] | None = None,
) -> Comparison:
    """The comparison of finished runs by name; placebos: the runs that have one, with it."""
    placebos = dict(placebos or {})
    inert = set(placebos.values())
    tables = {arm: run.predictions for arm, run in runs.items()}
    common = sorted(set.intersection(*(set(table["window_id"].astype(str)) for table in tables.values())))
    why_not = _why_not(runs, tables, common)
    arms = tuple(_facts(arm, run, tables[arm], common) for arm, run in runs.items())
    verdicts: tuple[Verdict, ...] = ()
    gains: dict[str, tuple[WindowDifference, ...]] = {}
    predictions: dict[str, ArmPredictions] = {}
    if not why_not:
        predictions = _predictions(runs, tables, common)
        verdicts = _verdicts(predictions, arms, against, margin, placebos)
        gains = {arm: _gains(one, predictions[against], common) for arm, one in predictions.items() if arm != against}
    beaten = _beaten([arm for arm in arms if arm.name not in inert])
    return Comparison(
        name,
        against,
        max(len(table["window_id"].unique()) for table in tables.values()),
        len(common),
        min(int(table["repeat"].nunique()) for table in tables.values()),
        arms,
        verdicts,
        differences(runs),
        gains,
        why_not or sentence(verdicts, arms, against, placebos),
        beaten,
        why_not,
        _label_curve(runs, arms, seed),
        _selection({arm: one for arm, one in predictions.items() if arm not in inert}, seed),
        unequal(runs, tables),
        _saw(runs),
        placebos,
    )


def _selection(predictions: Mapping[str, ArmPredictions], seed: int) -> Selection | None:
    """The best arm and its bias-corrected score, by the first metric that two arms have of those with a target of the researcher's."""
    for metric in PICKED:
        own = {arm: one.predictions for arm, one in predictions.items() if METRICS[metric].measures(one.predictions)}
        if len(own) > 1:
            with suppress(DataError):  # all windows share bars
                return select_best(own, metric, next(iter(predictions.values())).shared.groups(), seed=seed)
    return None


def _label_curve(runs: Mapping[str, Run], arms: tuple[ArmFacts, ...], seed: int) -> LabelCurve | None:
    """None unless at least three runs of one model were trained on different shares of the labels."""
    scores = {}
    own = runs[next(iter(runs))].spec.estimator
    for arm in arms:
        spec = runs[arm.name].spec
        if spec.estimator == own and arm.f1_by_repeat:
            windows = needed(runs[arm.name].record.facts.windows, "windows")
            used = windows * (1 - 1 / spec.training.folds)
            scores[round(used * spec.training.train_size)] = arm.f1_by_repeat
    return label_curve(scores, seed) if len(scores) >= 3 else None


def _why_not(runs: Mapping[str, Run], tables: Mapping[str, pd.DataFrame], common: list[str]) -> str:
    if len({run.record.data_hashes.get("windows") for run in runs.values()}) > 1:
        return (
            f"The runs use different windows; shown together on the {len(common)} that they share, without a verdict."
        )
    if len({division(table) for table in tables.values()}) > 1:
        return (
            "The runs use different folds; shown together, without a verdict. "
            "Give them the same folds, repeats and seed."
        )
    if any(shared_bars(run) is None for run in runs.values()):
        return "A run is of a version that did not keep which windows share bars; launch it again for a verdict."
    return ""


def _predictions(
    runs: Mapping[str, Run], tables: Mapping[str, pd.DataFrame], common: list[str]
) -> dict[str, ArmPredictions]:
    shared = shared_bars(next(iter(runs.values())))
    return {arm: arm_predictions(table, shared, common, _pretrainings(runs[arm])) for arm, table in tables.items()}


def _pretrainings(run: Run) -> Sequence[int]:
    """Of each repeat, a number of the pre-training that it started from; repeats of one seed share it, folds of their own or not.

    None where each fit starts from a fit of another run, which is a part of its own repeat as its training is.
    """
    if any(FIT.fullmatch(reference) for reference in run.spec.transfer.encoders):
        return []
    count = len(run.spec.transfer.encoders)
    return run.record.facts.pretraining_seeds or [
        repeat % count for repeat in range(run.spec.training.repeats if count > 1 else 0)
    ]


def _saw(runs: Mapping[str, Run]) -> str:
    """What pre-training saw of the labelled windows, in words; the arms by name where it was not the same for all."""
    words: dict[str, list[str]] = {}
    for arm, run in runs.items():
        if seen := run.record.facts.saw:
            words.setdefault(seen, []).append(arm)
    if len(words) == 1:
        return SAW[next(iter(words))]
    return " ".join(f"{', '.join(arms)}: {SAW[word]}" for word, arms in words.items())


def _verdicts(
    predictions: Mapping[str, ArmPredictions],
    arms: Sequence[ArmFacts],
    against: str,
    margin: float,
    placebos: Mapping[str, str],
) -> tuple[Verdict, ...]:
    """Networks and simple models are two families of comparisons; the best of each meet in a third.

    A placebo is a candidate for nothing, so it is no member of a family: it is described next to the arm that all are compared with, and
    each arm that has one is compared with it by itself.
    """
    inert = list(dict.fromkeys(placebos.values()))
    arms = [arm for arm in arms if arm.name not in inert]
    simple = [arm.name for arm in arms if arm.model != "network" and arm.name != against]
    verdicts: tuple[Verdict, ...] = ()
    for pair in [(name, against) for name in inert] + list(placebos.items()):
        verdicts += compare({name: predictions[name] for name in pair}, pair[1], margin)
    for names in ([name for name in predictions if name not in (*simple, *inert, against)], simple):
        for family in _of_the_same_tasks(names, predictions):
            verdicts += compare({name: predictions[name] for name in (against, *family)}, against, margin)
    best = {kind: _best([arm for arm in arms if (arm.model == "network") == kind]) for kind in (True, False)}
    if best[True] and best[False] and best[True] != against:
        champions = {name: predictions[name] for name in (best[True], best[False])}
        verdicts += compare(champions, best[True], margin)
    return verdicts


def _of_the_same_tasks(names: Sequence[str], predictions: Mapping[str, ArmPredictions]) -> list[list[str]]:
    """The arms in families that have the same metrics: one of the class alone and one of the pointers alone share none."""
    families: dict[frozenset[str], list[str]] = {}
    for name in names:
        own = predictions[name].predictions.repeat(0)
        measured = frozenset(one for one, metric in METRICS.items() if metric.compared and metric.measures(own))
        families.setdefault(measured, []).append(name)
    return list(families.values())


def _best(arms: list[ArmFacts]) -> str:
    scores = _scores(arms)
    return max(scores, key=lambda name: scores[name]) if scores else ""


def _scores(arms: Sequence[ArmFacts]) -> dict[str, float]:
    """What each arm reaches in the metric that decides between them; without the arms that have none."""
    known = {arm.name: {name: value for name, value in arm.metrics.items() if value is not None} for arm in arms}
    known = {arm: values for arm, values in known.items() if values}
    metric = deciding(set(next(iter(known.values()), {})).intersection(*known.values()))
    return {arm: values[metric] for arm, values in known.items() if metric}


def _beaten(arms: Sequence[ArmFacts]) -> tuple[str, ...]:
    """The simple models that are ahead of every network in the metric that decides, the best first."""
    score = _scores(arms)
    networks = [score[arm.name] for arm in arms if arm.model == "network" and arm.name in score]
    simple = [arm.name for arm in arms if arm.model != "network" and arm.name in score]
    above = [name for name in simple if networks and score[name] > max(networks)]
    return tuple(sorted(above, key=lambda name: -score[name]))


def _facts(name: str, run: Run, table: pd.DataFrame, common: list[str]) -> ArmFacts:
    record, spec, facts = run.record, run.spec, run.record.facts
    rows, window_bars = table[table["window_id"].astype(str).isin(common)], needed(facts.window_bars, "window_bars")
    shown = evaluate(rows, window_bars, facts.sigma_ratios, shared_bars(run))
    trained = spec.estimator in NETWORKS
    network = trained or any(part.spec.is_network for part in parts_of(run))
    best, epochs = (
        float(np.median(each)) if each and trained else None for each in (facts.best_epochs, facts.epochs_run)
    )
    metrics: dict[str, Any] = {
        key: {part: value.mean for part, value in spread.items()} if isinstance(spread, dict) else spread.mean
        for key, spread in shown.metrics.items()
    }
    scores = tuple(float(row["f1_macro"]) for row in shown.by_repeat if row.get("f1_macro") is not None)
    return ArmFacts(
        name,
        run.id,
        "network" if network else spec.estimator,
        metrics,
        scores,
        facts.trainable_parameters if network else None,
        best,
        epochs,
        spec.training.patience if trained else None,
        record.seconds,
        record.state,
        (shown.sampled or {}).get("f1_macro"),
        over_folds(PredictionTable(rows, window_bars), "f1_macro"),
    )


def _gains(arm: ArmPredictions, against: ArmPredictions, common: list[str]) -> tuple[WindowDifference, ...]:
    """Window by window, the largest gain in the probability of the true class first; by the pointers where there are no classes."""
    own, other = arm.predictions, against.predictions
    p, center = np.zeros(len(common)), None
    if own.probabilities is not None and other.probabilities is not None:
        true = arm.target[None, :, None]
        p = np.take_along_axis(own.probabilities - other.probabilities, true, 2)[..., 0].mean(0)
    if own.span is not None and other.span is not None:
        gained = np.where(own.located & other.located, other.gaps["center"] - own.gaps["center"], np.nan)
        center = gained.mean(0)
    rows = [
        WindowDifference(
            common[i],
            own.classes[arm.target[i]],
            float(p[i]),
            None if center is None or not np.isfinite(center[i]) else float(center[i]),
        )
        for i in range(len(common))
    ]
    return tuple(sorted(rows, key=lambda row: (-row.gain, -(row.center_gain_bars or 0.0))))
