"""What a finished run's folder says: facts of its predictions, steps, events and results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from moola_core.diagnostics import claims
from moola_core.diagnostics.doctor.baseline_facts import reference_facts
from moola_core.diagnostics.doctor.reading import LabelledInputs, of_folds, of_spec, of_windows
from moola_core.diagnostics.results import Comparison, PretrainReport
from moola_core.errors import RunError
from moola_core.runs import codec
from moola_core.runs.folds import shared_bars
from moola_core.runs.predictions import PredictionTable
from moola_core.runs.store import Run, Store
from moola_core.specs import settings

SIZES = {
    "layers": "model.layers",
    "hidden": "model.hidden",
    "epochs": "training.epochs",
    "patience": "training.patience",
}

# What no other model than a network has.
OF_TRAINING = {
    "weighting",
    "log_variance_lr",
    "pcgrad",
    "pcgrad_threshold",
    "patience",
    "epochs",
    "learning_rate",
    "schedule",
    "trainable_parameters",
    "shared_parameters",
    "best_epochs",
    "epochs_run",
    "fits_at_limit",
}


def finetuned(run: Run, seen: LabelledInputs) -> dict[str, Any]:
    """Everything that the checks may ask of a cross-validated run."""
    spec, own, events = run.spec, run.record.facts, run.events()
    facts = of_spec(spec) | of_windows(spec, seen) | of_folds(run.folds, seen)
    facts |= {
        "trainable_parameters": own.trainable_parameters,
        "shared_parameters": own.shared_parameters,
        "best_epochs": list(own.best_epochs) or None,
        "epochs_run": list(own.epochs_run) or None,
        "fits_at_limit": own.fits_at_limit,
    }
    if not spec.is_network:
        facts = {name: fact for name, fact in facts.items() if name not in OF_TRAINING}
    task = "pointer" if spec.model.tasks == "pointers" else "class"
    facts |= _training(events, task) | _steps(run) | _balance(run) | _transfer(run)
    if facts["validation_in_test_share"] > 0:
        facts |= _choice(events, task)
    if spec.model.tasks != "class":
        facts |= _pointers(run)
    if spec.model.tasks != "pointers":
        facts |= _answers(run) | reference_facts(run.predictions, run.folds, seen)
    return facts


def imported(run: Run, label: np.ndarray) -> dict[str, Any]:
    """What a table of predictions made elsewhere shows: nothing is known of the settings, features and training windows behind it.

    label [n]: the classes of the windows.
    """
    shares = np.unique(label.astype(str), return_counts=True)[1] / len(label)
    auroc = _result(run, "evaluation").get("auroc_within_folds")
    facts = {
        "n_windows": len(label),
        "n_classes": len(shares),
        "majority_accuracy": float(shares.max()),
        "label_entropy": float(-(shares * np.log(shares)).sum()),
        "window_bars": run.record.facts.window_bars,
    }
    if auroc:
        facts |= {"auroc": auroc["value"], "auroc_low": auroc["low"], "auroc_high": auroc["high"]}
    return facts | _pointers(run) | _answers(run)


def pretrained(run: Run, more: dict[str, Any]) -> dict[str, Any]:
    """Everything that the checks may ask of a pre-training run; more: facts of its windows."""
    learned = codec.plain(codec.restore(PretrainReport, run.result("learned")))
    facts = of_spec(run.spec) | more
    facts |= {
        name: learned.get(name)
        for name in ("masked_mae", "masked_input_mae", "trivial", "noise_floor", "measures", "gain")
    }
    facts["noise_floor"] = facts["noise_floor"] or None
    return facts | _probe(learned.get("probe"), "pre-trained")


def compared(run: Run) -> dict[str, Any]:
    """What the arms of a study, or of a comparison, are; and the verdicts on them."""
    comparison = codec.plain(codec.restore(Comparison, run.result("comparison")))
    store = Store(run.store_root)
    networks = [row for row in comparison["arms"] if row["model"] == "network"]
    every = {row["name"]: settings(store.open(row["run_id"]).spec) for row in networks}
    arms = [
        {"name": row["name"], "trainable_parameters": row["trainable_parameters"]}
        | {title: every[row["name"]][name] for title, name in SIZES.items()}
        for row in networks
    ]
    differing = {
        name
        for one in every.values()
        for name, value in one.items()
        if any(other.get(name) != value for other in every.values())
    }
    return {
        "n_windows": comparison["common"],
        "arms": arms,
        "compared": _meant(differing),
        "verdicts": comparison["verdicts"] or None,
        "reference_arms": [row["name"] for row in comparison["arms"] if row["model"] != "network"] or None,
    }


def _meant(differing: set[str]) -> list[str]:
    """The sizes that a study means to vary: those of the one thing in which its arms differ."""
    if differing and all(name.startswith("model.") for name in differing):
        return ["layers", "hidden", "trainable_parameters"]
    if differing and differing <= {"training.patience", "training.epochs"}:
        return ["patience", "epochs"]
    return []


def _pointers(run: Run) -> dict[str, Any]:
    """By how many bars the pointers beat a constant one; None without pointers."""
    table = PredictionTable(run.predictions)
    grid = table.grid()
    gains = claims.beats_constant(grid, grid.shared(shared_bars(run))) if table.has_pointer else None
    return {"pointer_gains": {name: vars(gain) for name, gain in gains.items()} if gains else None}


def _result(run: Run, name: str) -> dict[str, Any]:
    """A stored diagnostic; empty where it could not be computed."""
    try:
        result = run.result(name)
    except RunError:
        return {}
    return {} if "why_not" in result else result


def _answers(run: Run) -> dict[str, Any]:
    evaluation, facts = _result(run, "evaluation"), {}
    metrics = evaluation.get("metrics") or {}
    for name in ("accuracy", "log_loss", "f1_macro"):
        facts[name] = (metrics.get(name) or {}).get("mean")
    # One class in a fold of a few windows is chance, and no evidence either way.
    shares = [row for row in evaluation.get("fold_shares") or [] if row["constant"] or max(row["shares"]) < 1]
    facts["fold_largest_share"] = [max(row["shares"]) for row in shares] or None
    repeats = _result(run, "calibration").get("repeats") or []
    if repeats:
        facts["ece"] = float(np.mean([row["errors"][0]["value"] for row in repeats]))
        facts["ece_null_95"] = float(np.median([row["errors"][0]["null_95"] for row in repeats]))
        facts["ece_p"] = float(np.median([row["p_value"] for row in repeats]))
        heats = [one["parameter"] for row in repeats for one in row["recalibrated"] if one["method"] == "temperature"]
        facts["fitted_temperature"] = float(np.median(heats)) if heats else None
    calibration = _result(run, "calibration")
    excess, gains = calibration.get("excess"), calibration.get("gains") or {}
    if excess:
        facts |= {"brier_excess_low": excess["low"], "brier_excess_high": excess["high"]}
    facts["temperature_gain_low"] = (gains.get("temperature") or {}).get("low")
    over = evaluation.get("over_majority")
    if over:
        facts |= {"over_majority_low": over["low"], "over_majority_high": over["high"]}
    doubted = _result(run, "errors").get("second_look") or []
    return facts | {"doubted_windows": [row["window_id"] for row in doubted]}


def _training(events: list[dict[str, Any]], task: str) -> dict[str, Any]:
    """What training recorded: how far weights moved, the task's loss at first and last, what was unfrozen, the frozen encoder's noise."""
    moved = [e["values"].get("moved") for e in events if e["type"] == "replicate_finished"]
    known = [value for value in moved if value is not None]
    train = pd.DataFrame(
        [
            {"repeat": e["repeat"], "fold": e["fold"], "epoch": e["epoch"], "loss": e["values"][f"loss_{task}"]}
            for e in events
            if e["type"] == "epoch" and e["split"] == "train"
        ]
    )
    facts: dict[str, Any] = {"moved": float(np.median(known)) if known else None, "train_loss_of": task}
    if len(train):
        by_fit = train.sort_values("epoch").groupby(["repeat", "fold"])["loss"]
        facts |= {"train_loss_first": float(by_fit.first().median()), "train_loss_last": float(by_fit.last().median())}
    changed = {name for e in events if e["type"] == "changed" for name in e["values"]["names"]}
    noise = [e["values"].get("encoder_noise") for e in events if e["type"] == "trainable"]
    noise = [value for value in noise if value is not None]
    return facts | {
        "encoder_changed": sum(name.startswith("encoder.") for name in changed) if changed else None,
        "encoder_noise": float(np.median(noise)) if noise else None,
    }


def _choice(events: list[dict[str, Any]], task: str) -> dict[str, Any]:
    """The validation loss at the selected epochs, and on average over the last quarter of the epochs, selected or not."""
    best = {
        (e["repeat"], e["fold"]): e["values"].get("best_epoch") for e in events if e["type"] == "replicate_finished"
    }
    validation = [e for e in events if e["type"] == "epoch" and e["split"] == "validation"]
    last = max((e["epoch"] for e in validation), default=0)
    selected = [e["values"][f"loss_{task}"] for e in validation if best.get((e["repeat"], e["fold"])) == e["epoch"]]
    later = [e["values"][f"loss_{task}"] for e in validation if e["epoch"] > 0.75 * last]
    if not selected or not later:
        return {}
    return {"loss_at_chosen_epoch": float(np.mean(selected)), "loss_at_other_epochs": float(np.mean(later))}


def _steps(run: Run) -> dict[str, Any]:
    try:
        steps = run.steps
    except RunError:
        return {}
    fits = steps[["repeat", "fold"]].drop_duplicates() if "repeat" in steps else steps.iloc[:1]
    facts: dict[str, Any] = {"steps_per_fit": round(len(steps) / max(len(fits), 1))}
    projected = steps[steps["projected"] == 1] if "projected" in steps else steps.iloc[:0]
    if "unapplied" in steps and len(projected):
        facts["unapplied"] = float(projected["unapplied"].median())
    return facts


def _balance(run: Run) -> dict[str, Any]:
    balance = _result(run, "balance")
    if not balance:
        return {}
    facts = {name: balance[name] for name in ("conflict_rate", "projection_rate", "gradient_ratio", "sigma_target")}
    first = [task["sigma_start"] for task in balance["tasks"]]
    ratios = {"expected": balance["sigma_expected"], "end": balance["sigma_ratio"]}
    ratios["start"] = first[1] / first[0] if all(first) else None
    # A ratio of 0 is of a task without a loss: no fit had a window to train it on.
    return facts | {f"sigma_{name}_ratio": ratio if ratio and ratio > 0 else None for name, ratio in ratios.items()}


def _transfer(run: Run) -> dict[str, Any]:
    """What a linear probe reads of the encoder as the fits left it (a frozen one is as they used it), and of others."""
    transfer = _result(run, "transfer")
    if not transfer:
        return {}
    used = "fine-tuned" if transfer["schedule"] == "frozen" else "pre-trained"
    facts = _probe(transfer["probe"], used)
    total = _parameters(run)
    trainable = run.record.facts.trainable_parameters
    return facts | {"trainable_share": trainable / total if total and trainable else None}


def _probe(probe: dict[str, Any] | None, used: str) -> dict[str, Any]:
    scores = {row["representation"]: row["mean"] for row in (probe or {}).get("scores", [])}
    names = {"probe_encoder": used, "probe_random": "random weights", "probe_raw": "raw features"}
    facts = {fact: scores.get(name) for fact, name in names.items()}
    gaps = {row["against"]: row["gap"] for row in (probe or {}).get("gaps") or [] if row["representation"] == used}
    return facts | {
        f"probe_gap_{kind}": gaps.get(name) for kind, name in (("random", "random weights"), ("raw", "raw features"))
    }


def _parameters(run: Run) -> int | None:
    """How many numbers the network of the first fit holds."""
    from safetensors.numpy import load_file

    fits = run.replicates()
    if not fits:
        return None
    weights = load_file(fits[min(fits)] / "weights.safetensors")
    return sum(array.size for name, array in weights.items() if not name.startswith("scale."))
