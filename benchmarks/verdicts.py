"""How often the verdict errs where both arms are fitted anew, as in every real study.

A study: n windows in a layout (far apart, one chain at a stride of 84 bars, or chains of nine that share most of their bars), a learner, k
folds × R repeats. Both arms read features that are equally good (the null: the true difference is 0), or the second reads better ones.
Features, labels and places of expansions come from noise along the bars, so windows that share bars are alike in all of them. The verdict
is that of a study: `compare`, on folds and groups as training makes them. Counted: false verdicts at the null, intervals that miss the true
difference (the mean over the studies of the cell), and verdicts where there is a difference.

    python benchmarks/verdicts.py [--studies 1000] [--cells 0:40] [--processes 2]
    python benchmarks/verdicts.py --ship

Resumable: each cell is written when it is done. Learners: logistic regression, bagged logistic regression, nearest neighbours, trees,
random features, and two held out from every choice: a network trained by SGD, and naive Bayes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.tree import ExtraTreeClassifier

from moola_core.diagnostics.comparison import ArmPredictions, compare
from moola_core.diagnostics.results.error_rates import TABLE
from moola_core.errors import DataError
from moola_core.metrics import Predictions
from moola_core.overlap import Overlap
from moola_core.specs import Faults, Training
from moola_core.training.folds import make_folds

WINDOW_BARS, SIGNAL, OWN = 105, 4, 6
RESULT = Path(__file__).parent / "results" / "verdicts.json"
METRICS = ("auroc", "f1_macro", "brier", "log_loss", "hit_at_3")


@dataclass(frozen=True)
class Cell:
    """A kind of study. better: how much of the noise in its features the second arm is spared; 0 is the null."""

    learner: str
    layout: str = "independent"
    n: int = 174
    folds: int = 5
    repeats: int = 10
    classes: int = 2
    rare: float = 0.47  # share of the first class
    better: float = 0.0


def cells() -> list[Cell]:
    """The design: 40 cells, about one factor at a time."""
    quick = ("logistic", "neighbours", "random features", "naive Bayes")
    rows = [Cell(learner, layout) for layout in ("independent", "stride 84", "chains of 9") for learner in quick]
    rows += [
        Cell(learner, layout) for layout in ("independent", "chains of 9") for learner in ("bagged", "trees", "SGD")
    ]
    rows += [
        Cell(learner, layout, better=0.5)
        for layout in ("independent", "chains of 9")
        for learner in ("logistic", "neighbours", "random features")
    ]
    rows += [Cell("logistic", "stride 84", better=0.5), Cell("naive Bayes", "stride 84", better=0.5)]
    rows += [Cell("logistic", n=60), Cell("logistic", n=1000, repeats=3), Cell("neighbours", "chains of 9", n=60)]
    rows += [Cell("logistic", folds=3), Cell("logistic", folds=10), Cell("naive Bayes", "chains of 9", folds=3)]
    rows += [Cell("logistic", repeats=1), Cell("random features", repeats=3), Cell("logistic", repeats=20)]
    rows += [Cell("logistic", classes=3), Cell("neighbours", "chains of 9", classes=3)]
    rows += [
        Cell("logistic", rare=1 / 7),
        Cell("naive Bayes", "chains of 9", rare=1 / 7),
        Cell("neighbours", rare=1 / 4),
    ]
    return rows


def layout(name: str, n: int) -> np.ndarray:
    """First bar of each window [n]."""
    i = np.arange(n)
    if name == "independent":
        return 110 * i
    return 84 * i if name == "stride 84" else 21 * (i % 9) + 300 * (i // 9)


def along(rng: np.random.Generator, first: np.ndarray, columns: int) -> np.ndarray:
    """Noise along the bars, averaged over each window and scaled to a variance of 1 [n, columns]."""
    total = np.concatenate([np.zeros((1, columns)), rng.normal(size=(first[-1] + WINDOW_BARS, columns)).cumsum(0)])
    return (total[first + WINDOW_BARS] - total[first]) / np.sqrt(WINDOW_BARS)


def world(cell: Cell, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
    """Target [n], center of the expansion [n], the features of both arms, and first bars [n]."""
    first = layout(cell.layout, cell.n)
    signal = along(rng, first, SIGNAL)
    scores = signal[:, : cell.classes] * 1.2 + along(rng, first, cell.classes)
    if cell.classes == 2:
        gap = scores[:, 1] - scores[:, 0]
        target = (gap > np.quantile(gap, cell.rare)).astype(int)
    else:
        target = scores.argmax(1)
    center = 52 + 6 * signal[:, 0] + 3 * along(rng, first, 1)[:, 0]
    noise = [along(rng, first, SIGNAL + OWN) for _ in range(2)]
    spared = (0.0, cell.better)
    arms = [
        np.c_[signal + (1 - s) * 1.5 * own[:, :SIGNAL], own[:, SIGNAL:]] for s, own in zip(spared, noise, strict=True)
    ]
    return target, center, arms, first


def fit_predict(learner: str, x: np.ndarray, y: np.ndarray, test: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Probabilities [m, C] of a learner fitted to x [n, D] and y [n]."""
    if learner == "logistic":
        return logistic(x, y, test, 10.0)
    if learner == "bagged":
        rows = [rng.integers(0, len(y), len(y)) for _ in range(5)]
        return np.mean([logistic(x[row], y[row], test, 1.0) for row in rows], axis=0)
    if learner == "neighbours":
        return np.eye(int(y.max()) + 1)[y[nearest(x, test, 15)]].mean(1)
    if learner == "trees":
        trees = [ExtraTreeClassifier(min_samples_leaf=8, random_state=int(rng.integers(2**31))) for _ in range(4)]
        return np.mean([tree.fit(x, y).predict_proba(test) for tree in trees], axis=0)
    if learner == "naive Bayes":
        parts = [x[y == c] for c in range(int(y.max()) + 1)]
        logs = [-((test - q.mean(0)) ** 2 / 2 / q.var(0) + np.log(q.var(0)) / 2).sum(1) + np.log(len(q)) for q in parts]
        return softmax(np.stack(logs, axis=1), axis=1)
    if learner == "random features":
        w, b = rng.normal(size=(x.shape[1], 40)) / 2, rng.normal(size=40)
        wide = [np.maximum(part @ w + b, 0) for part in (x, test)]
        return logistic(wide[0], y, wide[1], 50.0)
    return sgd(x, y, test, rng)


def logistic(x: np.ndarray, y: np.ndarray, test: np.ndarray, penalty: float) -> np.ndarray:
    """Logistic regression with an L2 penalty; for two classes by Newton's steps, which take a tenth of scikit-learn's time here."""
    classes = int(y.max()) + 1
    if classes > 2:
        return LogisticRegression(C=1 / penalty, max_iter=200).fit(x, y).predict_proba(test)
    x, test = (np.c_[np.ones(len(part)), part] for part in (x, test))
    ridge, w = penalty * np.eye(x.shape[1]), np.zeros(x.shape[1])
    ridge[0, 0] = 1e-6
    for _ in range(6):
        p = expit(x @ w)
        w = w + np.linalg.solve((x.T * (p * (1 - p) + 1e-9)) @ x + ridge, x.T @ (y - p) - ridge @ w)
    p = expit(test @ w)
    return np.stack([1 - p, p], axis=1)


def nearest(x: np.ndarray, test: np.ndarray, count: int) -> np.ndarray:
    """Rows of the nearest neighbours [m, count] of test [m, D] in x [n, D]."""
    apart = (x**2).sum(1) - 2 * test @ x.T
    return np.argpartition(apart, min(count, len(x) - 1), axis=1)[:, :count]


def sgd(x: np.ndarray, y: np.ndarray, test: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A network of one hidden layer, trained by stochastic gradient descent with momentum from random weights."""
    classes, hidden = int(y.max()) + 1, 16
    w = [rng.normal(size=(x.shape[1], hidden)) / np.sqrt(x.shape[1]), rng.normal(size=(hidden, classes)) / 4]
    speed = [np.zeros_like(part) for part in w]
    for _ in range(25):
        order = rng.permutation(len(y))
        for rows in np.array_split(order, max(1, len(y) // 29)):
            h = np.tanh(x[rows] @ w[0])
            error = (softmax(h @ w[1], axis=1) - np.eye(classes)[y[rows]]) / len(rows)
            slope = [x[rows].T @ ((error @ w[1].T) * (1 - h**2)), h.T @ error]
            for part, v, g in zip(w, speed, slope, strict=True):
                v *= 0.9
                v -= 0.1 * (g + 1e-3 * part)
                part += v
    return softmax(np.tanh(test @ w[0]) @ w[1], axis=1)


def point(learner: str, x: np.ndarray, y: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The predicted center [m]: of neighbours, or by ridge regression."""
    if learner in ("neighbours", "trees"):
        return y[nearest(x, test, 10)].mean(1)
    ones = [np.c_[np.ones(len(part)), part] for part in (x, test)]
    penalty = 10 * np.diag(np.r_[0.0, np.ones(x.shape[1])])
    return ones[1] @ np.linalg.solve(ones[0].T @ ones[0] + penalty, ones[0].T @ y)


def study(cell: Cell, seed: int) -> dict[str, tuple[str, float, float, float]]:
    """One study: the verdict, difference and interval of each metric; empty where the product refuses to divide the windows."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng((seed, *map(ord, repr(cell))))
    target, center, arms, first = world(cell, rng)
    training = Training(folds=cell.folds, repeats=cell.repeats, seed=seed, validation_size=0.2)
    shared = Overlap(np.zeros(cell.n, int), first, WINDOW_BARS)
    try:
        folds = make_folds(np.array(list("abc"))[target], shared, training, Faults())
    except (
        DataError
    ):  # a few chains can leave a fold without a class: the product refuses such a study, and it is not counted
        return {}
    shape = (cell.repeats, cell.n)
    fold, p = np.zeros(shape, int), [np.zeros((*shape, cell.classes)) for _ in arms]
    spans = [np.zeros((*shape, 2)) for _ in arms]
    for one in folds:
        rows, r = np.union1d(one.train, one.validation), one.repeat
        fold[r, one.test] = one.fold
        for x, own, span in zip(arms, p, spans, strict=True):
            own[r, one.test] = fit_predict(cell.learner, x[rows], target[rows], x[one.test], rng)
            span[r, one.test] = point(cell.learner, x[rows], center[rows], x[one.test])[:, None]
    every = np.broadcast_to(target, shape)
    true = np.broadcast_to(center[:, None], (*shape, 2))
    classes = tuple("abc"[: cell.classes])
    named = {
        name: ArmPredictions(Predictions(classes, every, own, span, true, WINDOW_BARS, fold=fold), shared)
        for name, own, span in zip(("control", "arm"), p, spans, strict=True)
    }
    return {v.metric: (v.verdict, v.delta, v.low, v.high) for v in compare(named, "control") if v.metric in METRICS}


def row(cell: Cell, studies: list[dict[str, tuple[str, float, float, float]]]) -> dict[str, object]:
    """One line of the table: of each metric the share of verdicts, coverage and the mean difference."""
    values: dict[str, object] = {"cell": asdict(cell), "studies": len(studies), "refused": studies.count({})}
    for metric in METRICS:
        known = [one[metric] for one in studies if metric in one]
        truth = float(np.mean([delta for _, delta, _, _ in known])) if cell.better else 0.0
        decided = [verdict in ("helps", "hurts") for verdict, *_ in known]
        values[metric] = {
            "decided": float(np.mean(decided)),
            "coverage": float(np.mean([low <= truth <= high for _, _, low, high in known])),
            "difference": truth,
        }
    return values


def shipped(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The table behind "How often is such a verdict wrong?" in the app and in reports."""
    return [
        {name: value for name, value in row["cell"].items() if name != "better"}
        | {"difference": row["auroc"]["difference"], "studies": row["studies"] - row.get("refused", 0)}
        | {"decided": row["auroc"]["decided"], "f1_decided": row["f1_macro"]["decided"]}
        | {"coverage": row["auroc"]["coverage"]}
        for row in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--cells", default="0:40")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument(
        "--ship", action="store_true", help="write the table that the product shows, and simulate nothing"
    )
    asked = parser.parse_args()
    if asked.ship:
        TABLE.write_text(
            json.dumps(shipped(json.loads(asked.out.read_text(encoding="utf-8"))["rows"]), indent=1) + "\n",
            encoding="utf-8",
        )
        return
    start, stop = map(int, asked.cells.split(":"))
    done = json.loads(asked.out.read_text(encoding="utf-8"))["rows"] if asked.out.exists() else []
    with ProcessPoolExecutor(asked.processes) as pool:
        for cell in cells()[start:stop]:
            if any(old["cell"] == asdict(cell) and old["studies"] >= asked.studies for old in done):
                continue
            made = list(pool.map(partial(study, cell), range(asked.studies), chunksize=4))
            done = [old for old in done if old["cell"] != asdict(cell)] + [row(cell, made)]
            values = done[-1]
            print(
                *asdict(cell).values(),
                *(f"{m} {values[m]['decided']:.3f}/{values[m]['coverage']:.3f}" for m in METRICS),
                flush=True,
            )
            machine = {"machine": platform.machine(), "cores": os.cpu_count()}
            asked.out.write_text(json.dumps({"machine": machine, "rows": done}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
