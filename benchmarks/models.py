"""What each model finds: center within 3 bars, macro F1, AUROC, log loss and seconds on demo markets, labellers and your own windows.

.venv/bin/python benchmarks/models.py [--windows FILE] [--models NAME ...] [--sets SET ...] [--seeds N] [--folder DIR]

Settings were chosen on the labellers of TUNING in labellers.py, on the demo markets of seeds 11, 22 and 33 and on one division of real windows;
what is counted here uses the labellers of COUNTED, fresh demo seeds and fresh divisions. Rows that are done are kept in the folder and not
computed again, so it can be stopped at any time; rows of other sets and models stay in the result. 5 folds; windows that share bars stay together.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from labellers import CLASSES, COUNTED, Hand, Labels, label
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from moola_core.features.catalog import names
from moola_core.features.matrix import window_matrix
from moola_core.market.demo import make_demo
from moola_core.market.windows import Windows, bar_spans, load_windows, windows_from_arrays
from moola_core.presets import preset
from moola_core.specs import Finetune, change
from moola_core.training.baselines import fit_baseline
from moola_core.training.finetune import fit_all
from moola_core.training.folds import Fold, make_folds
from moola_core.training.inputs import Inputs, Replicate

RESULT = Path(__file__).parent / "results" / "models.json"
MODELS = ("locate_then_classify", "network", "majority", "logistic", "extra_trees", "minirocket", "quant")
DEMO_SEEDS, MARKET_SEED = (44, 55, 66, 77), 66
SEED = 1000


def sets(own: str | None) -> Iterator[tuple[str, Windows]]:
    """Windows by the name of the set: the user's own, demo markets, and labellers on the bars of another demo market."""
    if own:
        windows = load_windows(own)
        yield "own", windows.trainable(("D",))[0]
    for seed in DEMO_SEEDS:
        yield f"demo {seed}", make_demo("helpful", 60_000, 174, seed).windows.trainable(("D",))[0]
    bars = make_demo("helpful", 60_000, 174, MARKET_SEED).bars.ohlc
    rng = np.random.default_rng(MARKET_SEED)
    firsts = rng.permutation(rng.choice(np.arange(0, len(bars) - 105, 105), 400, replace=False))
    for hand in COUNTED:
        yield _title(hand), windows_of(label(bars, firsts, hand, 2))


def _title(hand: Hand) -> str:
    return hand.name + (", late" if hand.late_bars else "")


def windows_of(labels: Labels) -> Windows:
    """The windows that a labeller has labelled, with its classes and expansions."""
    names = np.array(CLASSES)[labels.label]
    return windows_from_arrays(labels.prices, names, expansion_start=labels.start, expansion_end=labels.end)


def spec_of(model: str, seed: int) -> Finetune:
    base = preset("network" if model == "network" else "recommended").finetune()
    return change(base, {"estimator": model, "training.repeats": 1, "training.seed": seed})


def fitted(windows: Windows, model: str, seed: int) -> tuple[Inputs, tuple[Fold, ...], list[Replicate]]:
    """The fits of one division of the windows into folds."""
    spec = spec_of(model, seed)
    series, first = bar_spans(windows)
    x = window_matrix(windows, spec.features)
    inputs = Inputs(
        x,
        windows.label,
        windows.start,
        windows.end,
        windows.window_id,
        series,
        first,
        names(spec.features.columns),
        windows.prices,
    )
    folds = make_folds(inputs.label, inputs.shared, spec.training, spec.faults)
    if spec.is_network:
        return inputs, folds, list(fit_all(spec, inputs, folds, lambda event: None))
    return inputs, folds, [fit_baseline(spec, inputs, fold) for fold in folds]


def measured(windows: Windows, model: str, seed: int) -> dict[str, float]:
    """Scores of one division of the windows, pooled over the folds."""
    started = time.perf_counter()
    inputs, _, fits = fitted(windows, model, seed)
    seconds = (time.perf_counter() - started) / len(fits)
    p = np.zeros((len(windows), len(inputs.classes)))
    center = np.full(len(windows), np.nan)
    for fit in fits:
        assert fit.probabilities is not None and fit.start_pred is not None and fit.end_pred is not None
        p[fit.test], center[fit.test] = fit.probabilities, (fit.start_pred + fit.end_pred) / 2
    hit = np.abs(center - (windows.start + windows.end) / 2) <= 3
    return {
        "hit_at_3": float(hit[windows.has_pointer].mean()),
        "f1_macro": float(f1_score(inputs.target, p.argmax(1), average="macro")),
        "auroc": float(roc_auc_score(inputs.target, p[:, 1])),
        "log_loss": float(log_loss(inputs.target, np.clip(p, 1e-6, 1))),
        "seconds_a_fit": seconds,
    }


def count(args: argparse.Namespace) -> dict[str, Any]:
    """All rows, each kept in the folder as soon as it is there."""
    folder = Path(args.folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Any] = {}
    for name, windows in sets(args.windows):
        if args.sets and name not in args.sets:
            continue
        for model in args.models:
            done = []
            for seed in range(SEED, SEED + args.seeds):
                path = folder / f"{name}-{model}-{seed}.json".replace(" ", "_")
                if not path.is_file():
                    path.write_text(json.dumps(measured(windows, model, seed)), encoding="utf-8")
                done.append(json.loads(path.read_text(encoding="utf-8")))
            rows[f"{name} · {model}"] = {key: float(np.mean([one[key] for one in done])) for key in done[0]}
            print(f"{name:24s} {model:22s}", " ".join(f"{k} {v:.3f}" for k, v in rows[f"{name} · {model}"].items()))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", help="labelled windows of your own")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--seeds", type=int, default=1, help="divisions into folds")
    parser.add_argument("--folder", default="artifacts/models-benchmark")
    args = parser.parse_args()
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    RESULT.write_text(json.dumps(known | count(args), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
