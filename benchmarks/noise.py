"""Whether the product's 95% intervals hold on pure noise: each has to hold the truth in 95% of many runs.

Windows lie in chains that share most of their bars, or at a stride of 84. Their features are noise along the bars, so windows that share bars
are alike; the labels have nothing to do with them. Labels are permuted, or come from noise along the bars of their own, so that windows
which share bars have like labels too: the harder case. In each run a simple model is cross-validated as a run is, and every interval that
a page shows of it is taken: of AUROC, F1, Brier score, log loss and ECE, of probes and of their gaps, of slices, of the shift from other windows, of
features. The truth is known (.5, 0, the share of a class) or, for scores that depend on the model, the mean over all runs.

    python benchmarks/noise.py [--runs 1000] [--processes 2]

Resumable: each kind of world is written when it is done. An interval fails where it covers less often than chance allows of one that is right (a
one-sided binomial test at 5%, corrected over all intervals of a world by Holm), or less than 92%.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binom
from verdicts import WINDOW_BARS, along, layout, logistic

from moola_core.diagnostics import calibration, claims, correlation, shift, slices, transfer
from moola_core.diagnostics.pointing import pointing
from moola_core.diagnostics.results import Interval
from moola_core.diagnostics.sampling import sample
from moola_core.metrics.probability import BINS, bin_number
from moola_core.overlap import Overlap
from moola_core.runs.predictions import PredictionTable
from moola_core.specs import Faults, Training
from moola_core.training.folds import Fold, make_folds

RESULT = Path(__file__).parent / "results" / "noise.json"
WORLDS = [(place, labels) for place in ("chains of 9", "stride 84") for labels in ("permuted", "along the bars")]
N, FEATURES, REPEATS, FOLDS, SHARE, OTHERS = 174, 6, 2, 5, 0.47, 300
LEAST_COVERAGE, LEVEL = 0.92, 0.95
CLASSES = ("a", "b")
# Value, low and high of an interval, and the truth; nan where that is the mean of the values over all runs.
Row = tuple[float, float, float, float]


def run(world: tuple[str, str], seed: int) -> dict[str, Row]:
    """Every interval of one run on noise."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng((seed, *map(ord, "".join(world))))
    first = layout(world[0], N)
    shared = Overlap(np.zeros(N, int), first, WINDOW_BARS, np.arange(N).astype(str).astype(object))
    x = along(rng, first, FEATURES)
    rank = along(rng, first, 1)[:, 0] if world[1] == "along the bars" else rng.normal(size=N)
    target = (rank > np.quantile(rank, SHARE)).astype(int)
    center = 52 + 6 * (along(rng, first, 1)[:, 0] if world[1] == "along the bars" else rng.normal(size=N))
    folds = make_folds(np.array(CLASSES)[target], shared, Training(folds=FOLDS, repeats=REPEATS, seed=seed), Faults())
    frame = predicted(x, target, center, folds)
    return {
        **of_metrics(frame, shared),
        **of_calibration(frame, shared, np.array([1 - target.mean(), target.mean()])),
        **of_slices(frame, shared, rng),
        **of_probes(x, target, folds, shared, rng),
        **of_shift(x, shared, rng),
        **of_features(x, target, shared),
    }


def predicted(x: np.ndarray, target: np.ndarray, center: np.ndarray, folds: list[Fold]) -> pd.DataFrame:
    """Out-of-fold predictions of logistic and of ridge regression, as a run stores them."""
    parts = []
    for one in folds:
        rows = np.union1d(one.train, one.validation)
        p = logistic(x[rows], target[rows], x[one.test], 1.0)
        design = [np.c_[np.ones(len(part)), part] for part in (x[rows], x[one.test])]
        place = design[1] @ np.linalg.solve(design[0].T @ design[0] + np.eye(FEATURES + 1), design[0].T @ center[rows])
        spans = {"start_true": center[one.test] - 4, "end_true": center[one.test] + 4}
        spans |= {"start_pred": place - 4, "end_pred": place + 4}
        names = {"window_id": one.test.astype(str), "repeat": one.repeat, "fold": one.fold}
        words = {"label": np.array(CLASSES)[target[one.test]], "predicted": np.array(CLASSES)[p.argmax(1)]}
        parts.append(pd.DataFrame(names | words | {"p_a": p[:, 0], "p_b": p[:, 1]} | spans))
    return pd.concat(parts, ignore_index=True)


def row(interval: Interval | None, truth: float = np.nan) -> Row | None:
    return None if interval is None else (interval.value, interval.low, interval.high, truth)


def known(rows: dict[str, Row | None]) -> dict[str, Row]:
    return {name: values for name, values in rows.items() if values is not None}


def of_metrics(frame: pd.DataFrame, shared: Overlap) -> dict[str, Row]:
    """The scores of the run, that it beats chance, the most frequent class and a constant pointer, and its hits."""
    table = PredictionTable(frame, WINDOW_BARS)
    grid = table.grid()
    own = grid.shared(shared)
    rows = {
        f"score: {name}": row(one.interval, 0.5 if name == "auroc" else np.nan)
        for name, one in sample(table, own).items()
    }
    rows["beats the majority"] = row(claims.beats_majority(grid, own))
    rows |= {f"beats a constant: {part}": row(gain) for part, gain in (claims.beats_constant(grid, own) or {}).items()}
    placed = pointing(frame, shared)
    rows |= {f"center within {near.bars}": row(near.share) for near in placed.near}
    rows |= {f"spans at {one.level:.0%}": row(one.coverage) for one in placed.sets}
    return known(rows)


def of_calibration(frame: pd.DataFrame, shared: Overlap, share: np.ndarray) -> dict[str, Row]:
    """The ECE, whose truth is how far the probabilities of each bin are from the shares of the classes; recalibrations."""
    report = calibration.calibrations(frame, known=shared)
    table = PredictionTable(frame).repeat(0)
    p = table.probabilities
    confidence, last = p.max(1), p[:, -1]
    mass = np.argsort(np.argsort(confidence, kind="stable"), kind="stable") * BINS // len(p)
    truths = [
        gap(confidence, share[p.argmax(1)], bin_number(confidence, BINS)),
        gap(confidence, share[p.argmax(1)], mass),
        gap(last, share[-1], bin_number(last, BINS)),
    ]
    errors = report.repeats[0].errors
    rows: dict[str, Row | None] = {
        f"ECE: {one.convention}": (one.value, one.low, one.high, truth)
        for one, truth in zip(errors, truths, strict=False)
    }
    rows["Brier score above the expected one"] = row(report.excess)
    rows |= {f"recalibrated by {name}": row(gain) for name, gain in (report.gains or {}).items()}
    return known(rows)


def gap(stated: np.ndarray, occurs: np.ndarray | float, place: np.ndarray) -> float:
    """The calibration error of probabilities of what occurs with probability `occurs`."""
    count = np.bincount(place)
    return float(np.abs(np.bincount(place, occurs - stated)).sum() / count.sum())


def of_slices(frame: pd.DataFrame, shared: Overlap, rng: np.random.Generator) -> dict[str, Row]:
    """Accuracy and center error among half of the windows, and among those of one stretch of time."""
    table = PredictionTable(frame)
    frame = frame.assign(target=table.target, answered=table.number(frame["predicted"].to_numpy()))
    number = frame["window_id"].astype(int)
    halves = {"at random": rng.permutation(N)[: N // 2], "in a third of the time": np.arange(N // 3)}
    rows: dict[str, Row | None] = {}
    for name, wanted in halves.items():
        one = slices.of_slice("slice", name, frame[number.isin(wanted)], CLASSES, shared)
        rows[f"slice {name}: accuracy"] = (one.accuracy, one.low, one.high, np.nan)
        rows[f"slice {name}: center error"] = (one.center_mae_bars, one.center_low, one.center_high, np.nan)
    return known(rows)


def of_probes(
    x: np.ndarray, target: np.ndarray, folds: list[Fold], shared: Overlap, rng: np.random.Generator
) -> dict[str, Row]:
    """The AUROC of linear probes on two representations, and their difference."""
    splits = [(one.repeat, np.union1d(one.train, one.validation), one.test) for one in folds]
    other = x @ rng.normal(size=(FEATURES, 4))
    probe = transfer.linear_probe({"one": x, "other": other}, np.array(CLASSES)[target], splits, shared)
    rows = {f"probe {score.representation}": row(score.interval, 0.5) for score in probe.scores}
    return known(rows | {"gap of the probes": row(probe.gaps[0].gap, 0.0)})


def of_shift(x: np.ndarray, shared: Overlap, rng: np.random.Generator) -> dict[str, Row]:
    """The AUROC of labelled windows against others of the same kind."""
    wide = x[:, None] + 0.1 * rng.normal(size=(N, 3, FEATURES))
    others = rng.normal(size=(OTHERS, 1, FEATURES)) + 0.1 * rng.normal(size=(OTHERS, 3, FEATURES))
    names = tuple(f"f{i}" for i in range(FEATURES))
    interval, _, _ = shift.domain_auroc(wide, shared, names, others)
    return known({"shift: AUROC": row(interval, 0.5)})


def of_features(x: np.ndarray, target: np.ndarray, shared: Overlap) -> dict[str, Row]:
    """AUC and correlation of one feature with the label."""
    names, label = tuple(f"f{i}" for i in range(FEATURES)), np.array(CLASSES)[target]
    table = correlation.label_table(x[:, None], label, np.zeros(N, int), names, shared, correlation.Permutations(20, 0))
    one = next(entry for entry in table if entry.feature == "f0")
    return {
        "feature: AUC": (one.auc, one.auc_low, one.auc_high, 0.5),
        "feature: correlation": (one.r, one.r_low, one.r_high, 0.0),
    }


def coverage(runs: list[dict[str, Row]]) -> list[dict[str, object]]:
    """One line an interval: how often it holds the truth, and whether that is too seldom."""
    rows: list[dict[str, object]] = []
    for name in dict.fromkeys(name for one in runs for name in one):
        value, low, high, truth = np.array([one[name] for one in runs if name in one], float).T
        truth = np.where(np.isnan(truth), value.mean(), truth)
        held = int(((low <= truth + 1e-9) & (truth <= high + 1e-9)).sum())
        p = float(binom.cdf(held, len(value), LEVEL))
        rows.append({"interval": name, "runs": len(value), "coverage": held / len(value), "p": p})
    for place, one in enumerate(sorted(rows, key=lambda one: one["p"])):
        one["too_seldom"] = bool(one["p"] * (len(rows) - place) < 1 - LEVEL or one["coverage"] < LEAST_COVERAGE)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--worlds", default=f"0:{len(WORLDS)}")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    start, stop = map(int, asked.worlds.split(":"))
    done = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.exists() else []
    with ProcessPoolExecutor(asked.processes) as pool:
        for world in WORLDS[start:stop]:
            if any(old["world"] == list(world) and old["runs"] >= asked.runs for old in done):
                continue
            rows = coverage(list(pool.map(partial(run, world), range(asked.runs), chunksize=4)))
            done = [old for old in done if old["world"] != list(world)]
            done.append({"world": list(world), "runs": asked.runs, "rows": rows})
            for one in rows:
                print(*world, *one.values(), sep="\t", flush=True)
            asked.out.write_text(json.dumps(done, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
