"""Figures from a report with no run behind them: plain ones, and the predecessor's two forms.

Plain figures are one JSON object with names of FIGURES; what is not given cannot be judged. The predecessor's
`training_results.json` is a pre-training (`test_metrics`, `config`, `windowed_config`), its `cv_summary.json` a cross-validation
(`avg_metrics`, `fold_results`, `config`; means over folds, the best epoch of each test fold, the center's error in bars).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from moola_core.diagnostics.doctor.check import Case
from moola_core.diagnostics.results.doctor import FIGURES
from moola_core.errors import DataError, nearest
from moola_core.metrics import METRICS
from moola_core.runs import codec
from moola_core.specs import Finetune

SIGMAS = 2  # learned weights of the two losses, counted among the trainable parameters
POINTER_OUTPUTS = 2
MOST_SIZES = {
    "inputs": 100_000,
    "layers": 1000,
    "hidden": 100_000,
}  # of an encoder; its parameters are counted layer by layer
TOLERANCE = 0.03  # between reported and constant-fold figures
DRAWS = 2000
SPREADS = (0.05, 0.10)  # deviation of calibrated probabilities, of a weak model


def load(path: str | Path) -> dict[str, Any]:
    """Plain figures of a JSON file in any of the three forms. Raises DataError for another."""
    try:
        figures = codec.load_object(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be read: {error}.", where=str(path), hint="Give a JSON object of figures.") from None
    try:
        return plain(figures)
    except DataError as error:
        raise DataError(error.what, where=str(path), hint=error.hint) from None


def plain(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures under the names of FIGURES. Raises DataError that names an unknown one."""
    if "test_metrics" in figures and "windowed_config" in figures:
        return _of_training_results(figures)
    if "avg_metrics" in figures:
        return _of_cv_summary(figures)
    unknown = [name for name in figures if name not in FIGURES and name != "about"]
    if unknown or not figures:
        word = unknown[0] if unknown else "nothing"
        raise DataError(f"{word} is not a figure that the doctor reads.", hint=nearest(word, FIGURES))
    wrong = [name for name, value in figures.items() if not _fits(name, value)]
    if wrong:
        raise DataError(
            f"{wrong[0]}={figures[wrong[0]]!r} cannot be.",
            hint=f"It is {FIGURES[wrong[0]]}: give a number of that kind.",
        )
    return figures


def _fits(name: str, value: Any) -> bool:
    if name in ("about", "ece_convention"):
        return isinstance(value, str)
    if name == "encoder":
        return (
            isinstance(value, dict)
            and set(value) == {"inputs", "layers", "hidden"}
            and all(_number(size) and 1 <= size <= MOST_SIZES[part] for part, size in value.items())
        )
    if name in ("class_counts", "f1", "recall"):
        parts = list(value.values()) if isinstance(value, dict) else value
        return isinstance(parts, list) and len(parts) > 1 and all(_number(part) for part in parts)
    return _number(value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _of_training_results(results: dict[str, Any]) -> dict[str, Any]:
    metrics, windowed = results["test_metrics"], results["windowed_config"]
    figures = {
        "masked_mae": metrics.get("val_mae"),
        "pretrain_jitter_std": windowed.get("jitter_sigma"),
        "window_bars": windowed.get("window_length"),
    }
    return {name: value for name, value in figures.items() if _number(value)}


def _of_cv_summary(summary: dict[str, Any]) -> dict[str, Any]:
    metrics, config = summary["avg_metrics"], summary.get("config") or {}
    folds = summary.get("fold_results") or []
    figures: dict[str, Any] = {
        "accuracy": metrics.get("accuracy"),
        "ece": metrics.get("ece"),
        "loss_class": metrics.get("loss_type"),
        "loss_pointer": metrics.get("loss_ptr"),
        "center_mae_bars": metrics.get("center_mae"),
        "folds": len(folds) or None,
        "epochs": config.get("n_epochs"),
        "batch_size": config.get("batch_size"),
        "pcgrad_threshold": config.get("pcgrad_threshold") if config.get("use_pcgrad") else None,
        "ece_bins": 10,
    }
    conflicts = [fold["conflict_stats"] for fold in folds if fold.get("conflict_stats")]
    for name in ("conflict_rate", "projection_rate"):
        rates = [row[name] for row in conflicts if _number(row.get(name))]
        figures[name] = float(np.mean(rates)) if rates else None
    known = {name: value for name, value in figures.items() if _number(value)}
    for name in ("f1", "recall"):
        pair = [metrics.get(f"{name}_{label}") for label in ("cons", "retr")]
        if all(_number(value) for value in pair):
            known[name] = pair
    recalls = [
        [(fold.get("best_metrics") or {}).get(f"recall_{label}") for label in ("cons", "retr")] for fold in folds
    ]
    if recalls and all(_number(value) for pair in recalls for value in pair):
        known["fold_recalls"] = recalls
    return known | {"ece_convention": "mean of folds"}


def reported_case(figures: dict[str, Any], about: str = "", spec: Finetune | None = None) -> Case:
    """The facts that the figures give, each with the arithmetic that leads to it; spec: what fixes start from."""
    facts: dict[str, Any] = {name: figures.get(name) for name in FIGURES}
    counts = facts["class_counts"]
    counts = list(counts.values()) if isinstance(counts, dict) else counts
    n = facts["n_windows"] or (sum(counts) if counts else None)
    facts |= {"n_windows": n, "log_loss": facts["loss_class"], "pcgrad": facts["conflict_rate"] is not None}
    facts["n_classes"] = len(counts) if counts else (len(_list(facts["recall"])) or None)
    if counts:
        shares = np.array(counts, float) / sum(counts)
        facts |= {"majority_accuracy": float(shares.max()), "label_entropy": float(-(shares * np.log(shares)).sum())}
    facts["center_target_frac"] = facts["center_target_frac"] or METRICS["center_mae_frac"].high
    if facts["feature_mean_mae"] is not None:
        facts["trivial"] = {"feature_mean": facts["feature_mean_mae"]}
    jitter = facts["pretrain_jitter_std"]
    facts["noise_floor"] = jitter * math.sqrt(2 / math.pi) if jitter else None
    facts["jitter_std"] = None
    if n and facts["folds"] and facts["batch_size"]:
        facts["steps_per_epoch"] = math.ceil(n * (1 - 1 / facts["folds"]) / facts["batch_size"])
    facts |= _constants(figures, counts) | _sizes(facts) | _calibrated_ece(facts, counts)
    return Case("reported", facts, spec, about)


def _list(value: Any) -> list[float]:
    return list(value.values()) if isinstance(value, dict) else list(value or [])


def _constants(figures: dict[str, Any], counts: list[float] | None) -> dict[str, Any]:
    """Whether recalls and F1 are those of folds that predict one class each: from the folds, or from the means."""
    fold_recalls = figures.get("fold_recalls")
    if fold_recalls:
        constant = sum(sorted(pair) == [0.0, 1.0] for pair in fold_recalls)
        words = f"In {constant} of {len(fold_recalls)} folds one class has recall 1 and the other 0: "
        words += "one predicted class for every window."
        return {"constant_by_arithmetic": {"constant": constant > 0, "folds": len(fold_recalls), "arithmetic": words}}
    recall, folds = _list(figures.get("recall")), figures.get("folds")
    if len(recall) != 2 or not folds:
        return {}
    ones = round(recall[1] * folds)
    off = max(abs(recall[1] - ones / folds), abs(recall[0] - (folds - ones) / folds))
    words = (
        f"Recalls {recall[0]:.3f} and {recall[1]:.3f} are those of {folds - ones} constant folds of the first class and {ones} of the second, "
        f"{folds - ones}/{folds} = {(folds - ones) / folds:.2f} and {ones}/{folds} = {ones / folds:.2f}"
    )
    f1 = _list(figures.get("f1"))
    if counts and len(f1) == 2:
        shares = np.array(counts, float) / sum(counts)
        each = 2 * shares / (1 + shares)
        expected = [float(each[0] * (folds - ones) / folds), float(each[1] * ones / folds)]
        off = max(off, *(abs(a - b) for a, b in zip(f1, expected, strict=True)))
        words += (
            f"; their mean F1 is {folds - ones}/{folds}·2·{shares[0]:.3f}/(1+{shares[0]:.3f}) = {expected[0]:.3f} and {ones}/{folds}·2·{shares[1]:.3f}"
            f"/(1+{shares[1]:.3f}) = {expected[1]:.3f} (reported {f1[0]:.3f} and {f1[1]:.3f})"
        )
    result = {"constant": off <= TOLERANCE, "folds": folds, "largest_difference": off, "arithmetic": f"{words}."}
    return {"constant_by_arithmetic": result}


def _sizes(facts: dict[str, Any]) -> dict[str, Any]:
    """Parameters of the encoder, and how many outputs the trainable ones leave room for."""
    encoder, trainable = facts["encoder"], facts["trainable_parameters"]
    if not encoder:
        return {}
    size, terms = lstm_parameters(int(encoder["inputs"]), int(encoder["layers"]), int(encoder["hidden"]))
    sizes: dict[str, Any] = {
        "encoder_parameters": size,
        "encoder_arithmetic": f"{' + '.join(f'{term:,}' for term in terms)} = {size:,} by layer.",
    }
    if not trainable:
        return sizes
    sizes["trainable_share"] = trainable / (trainable + size)
    width = 2 * int(encoder["hidden"])
    trunk = int(facts["trunk_width"] or 0)
    if facts["outputs"] is None and trunk:
        shared, pointer = width * trunk + trunk, POINTER_OUTPUTS * (trunk + 1)
        rest = trainable - shared - pointer - SIGMAS
        if rest > 0 and rest % (trunk + 1) == 0:
            outputs = rest // (trunk + 1)
            classes = facts["n_classes"] or 2
            right = shared + classes * (trunk + 1) + pointer + SIGMAS
            sizes["outputs"] = outputs
            sizes["outputs_from_parameters"] = {
                "trainable_parameters": trainable,
                "with_right_outputs": right,
                "arithmetic": f"{shared:,} (trunk) + {outputs}·{trunk + 1} (classes) + {pointer} (pointer) + {SIGMAS} (σ) = {trainable:,}; {classes} outputs "
                f"would make it {right:,}.",
            }
    return sizes


def lstm_parameters(inputs: int, layers: int, hidden: int) -> tuple[int, list[int]]:
    """Parameters of a bidirectional LSTM as torch counts them, 8h(in + h + 2) a layer, and those of each layer."""
    terms = [8 * hidden * ((inputs if layer == 0 else 2 * hidden) + hidden + 2) for layer in range(layers)]
    return sum(terms), terms


def _calibrated_ece(facts: dict[str, Any], counts: list[float] | None) -> dict[str, Any]:
    """The ECE that a calibrated weak model shows by the mean over folds of P(last class): median, and 95th percentile at most."""
    n, folds = facts["n_windows"], facts["folds"]
    by_folds = "fold" in (facts["ece_convention"] or "")
    if facts["ece"] is None or not counts or not n or not folds or not by_folds:
        return {}
    bins, base = int(facts["ece_bins"] or 15), counts[-1] / sum(counts)
    rng = np.random.default_rng(0)
    bands = [_null(rng, base, spread, int(n) // int(folds), int(folds), bins) for spread in SPREADS]
    return {
        "ece_calibrated_median": float(np.mean([band[0] for band in bands])),
        "ece_calibrated_95": float(max(band[1] for band in bands)),
        "ece_convention": f"mean of {folds} folds, P(last class), {bins} equal bins",
    }


def _null(
    rng: np.random.Generator, base: float, spread: float, size: int, folds: int, bins: int
) -> tuple[float, float]:
    """Median and 95th percentile of the ECE of calibrated probabilities around `base` with deviation `spread`, `size` of them a fold."""
    p = np.clip(rng.normal(base, spread, (DRAWS, folds, size)), 0.01, 0.99)
    gap = (rng.random(p.shape) < p) - p
    place = np.clip(np.ceil(p * bins).astype(int) - 1, 0, bins - 1)
    error = sum(np.abs((gap * (place == i)).sum(2)) for i in range(bins)) / size
    values = error.mean(1)
    return float(np.median(values)), float(np.quantile(values, 0.95))
