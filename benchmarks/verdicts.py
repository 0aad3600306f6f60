"""How often the verdict errs: simulated arms of known difference, judged as a study judges its own.

Two arms predict n = 174 windows in 5 folds × 10 repeats. A window's answer is right when skill + sqrt(ρ) u + sqrt(1 − ρ) e > 0: u is the
window's own part, correlated 0.5 between the arms; e is drawn anew for each repeat; ρ is the correlation between repeats of one arm. With
`stride 84` the windows overlap: u is the mean of noise over a window's 105 bars, so neighbours are alike and the groups are runs.

    python benchmarks/verdicts.py [--simulations 2000]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from scipy.stats import norm

from moola_core.diagnostics.comparison import ArmPredictions, draw_differences, judge
from moola_core.metrics import Predictions
from moola_core.training.folds import Places, overlap_groups

N, FOLDS, REPEATS, DRAWS = 174, 5, 10, 1000
CORRELATION, BETWEEN = (0.85, 0.95), 0.5
LIMITS = {"false": 0.08, "coverage": 0.93, "power": 0.70}
RESULT = Path(__file__).parent / "results" / "verdicts.json"


def scores(rng: np.random.Generator, rho: float, overlapping: bool) -> np.ndarray:
    """Scores [2 arms, REPEATS, N] of variance 1."""
    common, *own = (_windows(rng, overlapping) for _ in range(3))
    u = [np.sqrt(BETWEEN) * common + np.sqrt(1 - BETWEEN) * part for part in own]
    return np.stack([np.sqrt(rho) * part + np.sqrt(1 - rho) * rng.normal(size=(REPEATS, N)) for part in u])


def _windows(rng: np.random.Generator, overlapping: bool) -> np.ndarray:
    if not overlapping:
        return rng.normal(size=N)
    total = np.concatenate([[0.0], np.cumsum(rng.normal(size=84 * (N - 1) + 105))])
    first = 84 * np.arange(N)
    return (total[first + 105] - total[first]) / np.sqrt(105)


def predictions(right: np.ndarray, target: np.ndarray, group: np.ndarray, fold: np.ndarray) -> ArmPredictions:
    predicted = np.where(right, target, 1 - target)
    every = np.broadcast_to(target, fold.shape)
    return ArmPredictions(Predictions(("a", "b"), every, np.eye(2)[predicted] * 0.5 + 0.25), group, fold)


def one(job: tuple[int, float, bool, float]) -> tuple[str, bool, float]:
    """Verdict, whether the interval covers the truth, and the measured difference of one simulated study."""
    seed, rho, overlapping, difference = job
    rng = np.random.default_rng((seed, round(1000 * rho), overlapping, round(1000 * difference)))
    target = rng.permutation(np.r_[np.zeros(81, int), np.ones(93, int)])
    first = 84 * np.arange(N) if overlapping else 1000 * np.arange(N)
    group = overlap_groups(Places(np.zeros(N, int), first, 105), FOLDS)
    fold = np.stack([rng.permutation(np.arange(N) % FOLDS) for _ in range(REPEATS)])
    level = (0.45, 0.45 + difference)
    drawn = scores(rng, rho, overlapping)
    arms = [
        predictions(part + norm.ppf(share) > 0, target, group, fold) for part, share in zip(drawn, level, strict=True)
    ]
    found = judge(draw_differences(arms[1], arms[0], seed, DRAWS)["f1_macro"], "f1_macro", arms[0], 0.95, 0.02)
    # Both classes are answered alike, so macro F1 over many windows is the share of right answers, but for the classes' sizes.
    truth = expected(level[1]) - expected(level[0])
    return found.verdict, found.low <= truth <= found.high, found.delta


def expected(right: float) -> float:
    """Macro F1 over endless windows when each class's windows are right with the same probability."""
    a, b = 81 / N, 93 / N
    return float(np.mean([2 * right * x / (x + right * x + (1 - right) * y) for x, y in ((a, b), (b, a))]))


def row(rho: float, overlapping: bool, difference: float, found: list[tuple[str, bool, float]]) -> dict[str, object]:
    """One line of the table."""
    said = [verdict for verdict, _, _ in found]
    return {
        "correlation": rho,
        "windows": "stride 84" if overlapping else "apart",
        "difference": difference,
        "helps": said.count("helps") / len(said),
        "hurts": said.count("hurts") / len(said),
        "coverage": float(np.mean([covered for _, covered, _ in found])),
        "mean_delta": float(np.mean([delta for _, _, delta in found])),
    }


def main() -> None:
    """Print a line a design and write them with host and limits."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--simulations", type=int, default=2000)
    simulations = arguments.parse_args().simulations
    designs = [(rho, apart, gap) for rho in CORRELATION for apart in (False, True) for gap in (0.0, 0.10)]
    rows = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for design in designs:
            jobs = [(seed, *design) for seed in range(simulations)]
            rows.append(row(*design, list(pool.map(one, jobs, chunksize=20))))
            print(
                ", ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in rows[-1].items()),
                flush=True,
            )
    host = {"python": platform.python_version(), "numpy": np.__version__, "cores": os.cpu_count()}
    found = {"host": host, "simulations": simulations, "draws": DRAWS, "limits": LIMITS, "rows": rows}
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
