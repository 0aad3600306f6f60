"""Whether stated probabilities come true: of the expansion's place and of the class, on demo markets, labellers and your own windows.

.venv/bin/python benchmarks/calibration.py [--windows FILE] [--models NAME ...] [--sets SET ...] [--seeds N] [--folder DIR]

For each set of windows, model and division into folds: the calibration error of `p_span` and of the classes, out of fold, and where it lies among
the errors of models of the same size whose probabilities are exactly right. A row counts as right when it is no larger than 95% of them. The
coverage of the sets of spans stands beside. Rows that are done are kept in the folder, so it can be stopped at any time; rows of other sets and models stay in the result.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from models import SEED, fitted, sets

from moola_core.diagnostics.calibration import calibration_error, draw
from moola_core.market.windows import Windows
from moola_core.metrics.probability import BINS, bin_number
from moola_core.overlap import Overlap
from moola_core.spans.conformal import cross_conformal
from moola_core.spans.decoding import NEAR_BARS
from moola_core.training.inputs import Inputs

RESULT = Path(__file__).parent / "results" / "calibration.json"
MODELS = ("locate_then_classify", "network")
LEVELS = (0.8, 0.9)
LEAST = {"within 95%": 0.05, "within 99.9%": 0.001}


def measured(windows: Windows, model: str, seed: int) -> dict[str, Any]:
    """One division of the windows, pooled over the folds."""
    inputs, folds, fits = fitted(windows, model, seed)
    n = len(windows)
    p, span = np.zeros((n, len(inputs.classes))), np.full((n, 2), np.nan)
    stated, fold = np.full(n, np.nan), np.zeros(n, int)
    for number, fit in enumerate(fits):
        assert fit.probabilities is not None and fit.start_pred is not None and fit.spans is not None
        p[fit.test], stated[fit.test], fold[fit.test] = fit.probabilities, fit.spans.p_span, number
        span[fit.test] = np.stack([fit.start_pred, fit.end_pred], axis=1)
    true = np.stack([windows.start, windows.end], axis=1)
    known = np.isfinite(true).all(1)
    hit = np.abs((span - true).mean(1)) <= NEAR_BARS
    row = {
        "place": _error(stated[known], hit[known], _among(inputs, known))
        | {"mean": float(stated[known].mean()), "true": float(hit[known].mean())},
        "class": _error(p.max(1), p.argmax(1) == inputs.target, inputs.shared),
    }
    off = np.abs(span - true).max(1)
    group = inputs.shared.groups(len(folds))
    for level in LEVELS:
        radii = cross_conformal(off, fold, group, level)
        row[f"sets {level:.0%}"] = {
            "coverage": float((off <= radii)[known].mean()),
            "radius": float(np.median(radii[known])),
        }
    return row


def _among(inputs: Inputs, rows: np.ndarray) -> Overlap:
    """The bars that these windows share."""
    return Overlap(inputs.series[rows], inputs.first[rows], inputs.window_bars)


def _error(p: np.ndarray, right: np.ndarray, shared: Overlap) -> dict[str, float]:
    error, p_value = calibration_error("", p, right, draw(shared), bin_number(p, BINS))
    return {"error": error.value, "calibrated_95": error.null_95, "p_value": p_value}


def count(args: argparse.Namespace) -> dict[str, Any]:
    """All rows, each kept in the folder as soon as it is there, and how many are right."""
    folder = Path(args.folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = {}
    for name, windows in sets(args.windows):
        if args.sets and name not in args.sets:
            continue
        for model in args.models:
            for seed in range(SEED, SEED + args.seeds):
                path = folder / f"{name}-{model}-{seed}.json".replace(" ", "_")
                if not path.is_file():
                    path.write_text(json.dumps(measured(windows, model, seed)), encoding="utf-8")
                row = rows[f"{name} · {model} · {seed}"] = json.loads(path.read_text(encoding="utf-8"))
                print(f"{name:24s} {model:22s} {seed}", json.dumps(row))
    known = json.loads(RESULT.read_text(encoding="utf-8"))["rows"] if RESULT.is_file() else {}
    rows = known | rows
    return {"rows": rows, "right": {model: _right(rows, model) for model in MODELS}}


def _right(rows: dict[str, Any], model: str) -> dict[str, Any]:
    own = [row for name, row in rows.items() if f"· {model} ·" in name]
    return {
        part: {title: sum(row[part]["p_value"] >= least for row in own) for title, least in LEAST.items()}
        | {"of": len(own)}
        for part in ("place", "class")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", help="labelled windows of your own")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--seeds", type=int, default=1, help="divisions into folds")
    parser.add_argument("--folder", default="artifacts/calibration-benchmark")
    args = parser.parse_args()
    result = count(args)
    print(json.dumps(result["right"], indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
