"""Whether `moola power`, and "N more labels would settle it", are right: predicted against simulated, with both arms fitted anew.

The learners are those of `benchmarks/verdicts.py`. The arms read features whose noise they have in part in common, and of which the second arm
is spared some: with half of the noise in common they are about as alike as the networks of a study; none and all of it are the extremes.
Predicted: the smallest difference in AUROC that is found with 80% power, by `diagnostics.power` from logistic regression on the control's
features alone. Simulated: the difference at which 80% of the studies find it, between seven strengths; none where no strength reaches that.
More labels: of a difference that a part of the studies finds, the number of labels that they say would settle it, and how many find it with
that number, and with 1.5 times more and fewer.

    python benchmarks/power.py [--studies 100]
"""

from __future__ import annotations

import argparse
import json
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
from verdicts import OWN, SIGNAL, WINDOW_BARS, Cell, along, fit_predict, layout, logistic

from moola_core.diagnostics.intervals import TWO_MODELS, Estimate, estimate, within_folds
from moola_core.diagnostics.power import power
from moola_core.overlap import Overlap
from moola_core.specs import Faults, Training
from moola_core.training.folds import make_folds

RESULT = Path(__file__).parent / "results" / "power.json"
STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.45, 0.65, 0.9)
NOISE = 2.5  # next to a signal of 1: leaves room for differences of 0.2
CELLS = (
    (Cell("random features", repeats=3), 0.5),
    (Cell("trees", repeats=3), 0.5),
    (Cell("logistic", repeats=3), 0.5),
    (Cell("random features", n=60, repeats=1), 0.5),
    (Cell("random features", n=400, repeats=2), 0.5),
    (Cell("random features", "chains of 9", repeats=3), 0.5),
    (Cell("random features", repeats=3), 0.0),
    (Cell("random features", repeats=3), 1.0),
)
LABELS = (
    (Cell("random features", repeats=3, n=100, better=0.25), 0.5),
    (Cell("logistic", repeats=3, n=60, better=0.3), 0.5),
)


def drawn(cell: Cell, common: float, rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray], Overlap]:
    """Target [n], the features of both arms, and which windows share bars; common: the part of the noise that both arms have."""
    first = layout(cell.layout, cell.n)
    signal = along(rng, first, SIGNAL)
    scores = signal[:, :2] * 1.2 + along(rng, first, 2)
    gap = scores[:, 1] - scores[:, 0]
    shared, *own = (along(rng, first, SIGNAL + OWN) for _ in range(3))
    noise = [np.sqrt(common) * shared + np.sqrt(1 - common) * one for one in own]
    arms = [
        np.c_[signal + (1 - spared) * NOISE * own[:, :SIGNAL], own[:, SIGNAL:]]
        for spared, own in ((0.0, noise[0]), (cell.better, noise[1]))
    ]
    target = (gap > np.quantile(gap, cell.rare)).astype(int)
    return target, arms, Overlap(np.zeros(cell.n, int), first, WINDOW_BARS)


def study(cell: Cell, common: float, seed: int) -> tuple[Estimate, float]:
    """The difference in AUROC of one study, and the smallest that was predicted before it."""
    rng = np.random.default_rng((seed, round(10 * common), *map(ord, repr(cell))))
    target, arms, shared = drawn(cell, common, rng)
    training = Training(folds=cell.folds, repeats=cell.repeats, seed=seed, validation_size=0.2)
    folds = make_folds(np.array(list("ab"))[target], shared, training, Faults())
    place = np.zeros((cell.repeats, cell.n), int)
    p = [np.zeros((cell.repeats, cell.n, 2)) for _ in range(3)]
    for one in folds:
        rows = np.union1d(one.train, one.validation)
        place[one.repeat, one.test] = one.fold
        for x, own in zip(arms, p, strict=False):
            own[one.repeat, one.test] = fit_predict(cell.learner, x[rows], target[rows], x[one.test], rng)
        p[2][one.repeat, one.test] = logistic(arms[0][rows], target[rows], arms[0][one.test], 10.0)
    control, arm, quick = (within_folds(target, own, place) for own in p)
    difference = estimate(arm - control, shared, TWO_MODELS)
    assert difference is not None
    return difference, power(quick, 0.0, shared).smallest(cell.n, cell.repeats, 0, 1)


def many(cell: Cell, common: float, seeds: range) -> list[tuple[Estimate, float]]:
    """Studies of one cell, side by side."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(partial(study, cell, common), seeds, chunksize=4))


def decided(studies: list[tuple[Estimate, float]]) -> float:
    """The share of the studies that find a difference in the direction of the better arm."""
    return float(np.mean([one.interval().low > 0 for one, _ in studies]))


def smallest(cell: Cell, common: float, count: int) -> dict[str, float]:
    """Predicted and simulated smallest difference."""
    at, predicted = [], []
    for strength in STRENGTHS:
        made = many(replace(cell, better=strength), common, range(count))
        at.append((decided(made), float(np.mean([one.value for one, _ in made]))))
        predicted += [one for _, one in made]
    found, difference = (np.array(part) for part in zip(*at, strict=True))
    values = {"predicted": float(np.median(predicted)), "most": float(found.max())}
    if found.max() < 0.8:
        return values
    simulated = float(np.interp(0.8, np.maximum.accumulate(found), difference))
    return values | {"simulated": simulated, "ratio": values["predicted"] / simulated}


def more_labels(cell: Cell, common: float, count: int) -> dict[str, float]:
    """How many labels settle a difference, as the studies that leave it open say, and how many find it with so many."""
    made = many(cell, common, range(count))
    true = float(np.mean([one.value for one, _ in made]))
    needed = [replace(one, value=true).windows_needed(cell.n) for one, _ in made]
    labels = int(np.median([one for one in needed if one is not None]))
    values: dict[str, float] = {"difference": true, "power": decided(made), "labels": labels}
    for factor in (1 / 1.5, 1.0, 1.5):
        again = replace(cell, n=round(labels * factor))
        values[f"power_at_{factor:.2f}"] = decided(many(again, common, range(count, 2 * count)))
    return values


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=100)
    parser.add_argument("--out", type=Path, default=RESULT)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for cells, measure in ((CELLS, smallest), (LABELS, more_labels)):
        for cell, common in cells:
            row = measure(cell, common, asked.studies)
            print(measure.__name__, cell.learner, cell.layout, cell.n, common, row, flush=True)
            rows.append({"cell": asdict(cell), "common_noise": common, **row})
    asked.out.write_text(json.dumps({"studies": asked.studies, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
