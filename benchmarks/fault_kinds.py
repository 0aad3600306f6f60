"""Kinds of faults that practitioners meet, each with where it comes from and how it is planted: what the doctor is tried on.

No rule of the doctor was made for this list; about a quarter of the kinds were known to it before. A kind is planted in files of bars and
labelled windows, in settings, or in a step of training that is replaced while it runs; no two kinds differ only in size. `halves` divides
the kinds of each stage by a seeded shuffle into one half to choose rules on and one that is counted once. A kind counts where it lowers
the score on fresh windows by more than its noise, or breaks what the data is stated to be.

    python benchmarks/fault_kinds.py            the kinds, their stages and halves
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import faulty_files as damage
import faulty_training as training
import numpy as np
import pandas as pd
from faulty_files import Files, column, moved, of_bars, other_label, pointers, prices, rows, some

STAGES = ("data", "labels", "inputs", "network", "optimisation", "evaluation", "transfer")
SEED = 23
# Published studies of real faults.
TAXONOMY = "Humbatova et al. 2020, Taxonomy of real faults in deep learning systems"
MUTATION = "Humbatova, Jahangirova and Tonella 2021, DeepCrime"
LEAKAGE = "Kapoor and Narayanan 2023, Leakage and the reproducibility crisis"
LABELS = "Northcutt, Athalye and Mueller 2021, Pervasive label errors"
CASCADES = "Sambasivan et al. 2021, Data cascades in high-stakes AI"
SHORTCUTS = "Geirhos et al. 2020, Shortcut learning in deep neural networks"
TRAINING = "Zhang et al. 2021, AUTOTRAINER"
SILENT = "Jiang et al. 2025, TrainCheck"
NEGATIVE = "Wang et al. 2019, Characterizing and avoiding negative transfer"
CALIBRATION = "Guo et al. 2017, On calibration of modern neural networks"


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes
    ----------
    name, stage : str
        What it is, and where it lies, one of STAGES.
    source : str
        The published study of faults that it is an instance of; empty where it is known from practice alone.
    files : callable, optional
        Takes and returns the frames of bars and of labelled windows.
    settings : dict
        Settings of the run that plant it.
    patched : callable, optional
        A context manager in which training is faulty.
    pretrain : dict
        Settings of the pre-training that the run starts from, where it has one.
    """

    name: str
    stage: str
    source: str = ""
    files: Files | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    patched: Callable[[], AbstractContextManager[Any]] = nullcontext
    pretrain: dict[str, Any] | None = None


START, END = "expansion_start", "expansion_end"
WRONG_RATE = {"training.learning_rate": 0.3}
KINDS = (
    # data: the file of bars or of windows
    Kind("spikes in the prices", "data", CASCADES, prices(damage.spiked)),
    Kind("prices that stand still", "data", CASCADES, prices(damage.flat_runs)),
    Kind("half of the windows in another unit", "data", TAXONOMY, prices(damage.scaled_part)),
    Kind("prices rounded to a coarse tick", "data", CASCADES, prices(damage.coarse)),
    Kind("half of the windows backwards in time", "data", "", prices(damage.reversed_part)),
    Kind("gaps filled with the last price", "data", CASCADES, prices(damage.filled)),
    Kind("open taken from the bar after", "data", LEAKAGE, prices(damage.one_bar_later)),
    Kind(
        "noise on the prices",
        "data",
        MUTATION,
        prices(damage.noisy),
    ),
    Kind("copies under other times", "data", LEAKAGE, rows(lambda w, rng: damage.copied(w, rng, False))),
    Kind(
        "copies with the other label",
        "data",
        LABELS,
        rows(lambda w, rng: damage.copied(w, rng, True)),
        {"data.windows_reading.twice": "keep"},
    ),
    Kind("a third of the windows alone", "data", MUTATION, rows(lambda w, rng: w[some(w, 1 / 3, rng)])),
    Kind(
        "one class nearly gone",
        "data",
        MUTATION,
        rows(lambda w, rng: w[(w["label"] != sorted(w["label"].unique())[0]) | some(w, 0.12, rng)]),
    ),
    Kind("times an hour off", "data", "", column("start_time", lambda w, rng: w["start_time"] + pd.Timedelta(hours=1))),
    Kind(
        "times an hour off after a date",
        "data",
        "",
        column(
            "start_time",
            lambda w, rng: w["start_time"] + pd.to_timedelta(np.where(w["start_time"].rank(pct=True) > 0.5, 1, 0), "h"),
        ),
    ),
    Kind(
        "prices of another row",
        "data",
        CASCADES,
        column("features", lambda w, rng: list(w["features"].iloc[rng.permutation(len(w))])),
    ),
    Kind(
        "bars repeated in the file",
        "data",
        CASCADES,
        of_bars(
            lambda b, rng: b.assign(
                **{name: np.repeat(b[name].to_numpy()[::2], 2)[: len(b)] for name in ("open", "high", "low", "close")}
            )
        ),
    ),
    # labels: classes and pointers
    Kind(
        "labels flipped at random", "labels", LABELS, column("label", lambda w, rng: other_label(w, some(w, 0.25, rng)))
    ),
    Kind(
        "labels of one class flipped",
        "labels",
        LABELS,
        column(
            "label",
            lambda w, rng: other_label(
                w, some(w, 0.5, rng) & (w["label"] == sorted(w["label"].unique())[0]).to_numpy()
            ),
        ),
    ),
    Kind("labels at chance in one grade", "labels", LABELS, column("label", damage.grade_b)),
    Kind("labels that follow the price level", "labels", SHORTCUTS, column("label", damage.by_price)),
    Kind("classes exchanged in the newest third", "labels", CASCADES, column("label", damage.drifting)),
    Kind("labels of the row before", "labels", CASCADES, column("label", damage.next_row)),
    Kind(
        "labels in another spelling",
        "labels",
        CASCADES,
        column("label", lambda w, rng: np.where(some(w, 0.3, rng), w["label"].str.upper() + "S", w["label"])),
    ),
    Kind("labels sorted by row", "labels", SHORTCUTS, column("label", lambda w, rng: np.sort(w["label"].to_numpy()))),
    Kind(
        "every label the wrong way round",
        "labels",
        TAXONOMY,
        column("label", lambda w, rng: other_label(w, np.ones(len(w), bool))),
    ),
    Kind("pointers a constant lag late", "labels", "", moved(lambda w, rng: np.full(len(w), 12))),
    Kind(
        "pointers late in one half",
        "labels",
        CASCADES,
        moved(lambda w, rng: np.where(w["start_time"].rank(pct=True) > 0.5, 15, 0)),
    ),
    Kind("pointers scattered", "labels", LABELS, moved(lambda w, rng: rng.integers(-20, 21, len(w)))),
    Kind(
        "pointers in the middle",
        "labels",
        SHORTCUTS,
        pointers(lambda w: np.full(len(w), 49), lambda w: np.full(len(w), 55)),
    ),
    Kind(
        "pointers counted from the end", "labels", TAXONOMY, pointers(lambda w: 104 - w[END], lambda w: 104 - w[START])
    ),
    Kind(
        "pointers of the row before",
        "labels",
        CASCADES,
        pointers(lambda w: np.roll(w[START], 1), lambda w: np.roll(w[END], 1)),
    ),
    Kind("pointers one bar long", "labels", "", pointers(lambda w: w[START], lambda w: w[START])),
    # inputs
    Kind("a mark that goes with the class", "inputs", SHORTCUTS, prices(damage.marked)),
    Kind("no scaling", "inputs", TAXONOMY, settings={"features.standardise": False}),
    Kind("one feature alone", "inputs", TAXONOMY, settings={"features.columns": ("body_pct",)}),
    Kind("noise as large as the inputs", "inputs", MUTATION, settings={"training.jitter_std": 3.0}),
    Kind("bars in random order", "inputs", TAXONOMY, settings={"faults.shuffled_bars": True}),
    Kind("scaled by all windows", "inputs", LEAKAGE, patched=training.scaled_by_all),
    # network
    Kind("four hidden units", "network", TAXONOMY, settings={"model.hidden": 4}),
    Kind("dropout of nearly everything", "network", MUTATION, settings={"model.dropout": 0.95}),
    Kind(
        "no normalisation in a deep network",
        "network",
        TRAINING,
        settings={"model.normalisation": "none", "model.layers": 4},
    ),
    Kind("the last bar alone is read", "network", TAXONOMY, settings={"model.pooling": "last"}),
    Kind("an output too many", "network", TAXONOMY, settings={"faults.extra_output": 4}),
    Kind("a trunk of one unit", "network", TAXONOMY, settings={"model.trunk_width": 1}),
    # optimisation
    Kind("a rate that is far too high", "optimisation", TRAINING, settings=WRONG_RATE),
    Kind("a rate that is far too low", "optimisation", TRAINING, settings={"training.learning_rate": 1e-6}),
    Kind("far too few epochs", "optimisation", MUTATION, settings={"training.epochs": 2}),
    Kind("no patience", "optimisation", MUTATION, settings={"training.patience": 1}),
    Kind(
        "weights decayed away",
        "optimisation",
        MUTATION,
        settings={"training.weight_decay": 1.0, "training.learning_rate": 1e-2},
    ),
    Kind("gradients cut to nothing", "optimisation", MUTATION, settings={"training.max_grad_norm": 1e-9}),
    Kind("all windows in one step", "optimisation", MUTATION, settings={"training.batch_size": 4096}),
    Kind(
        "one task weighs nothing",
        "optimisation",
        TAXONOMY,
        settings={"loss.weighting": "fixed", "loss.class_weight": 0.001},
    ),
    Kind("the weight of a task runs away", "optimisation", "", settings={"loss.log_variance_lr": 1.0}),
    Kind("projection at every step", "optimisation", "", settings={"loss.pcgrad": True, "loss.pcgrad_threshold": 0.99}),
    Kind("gradients that are never zeroed", "optimisation", SILENT, patched=training.gradients(training.accumulated)),
    Kind("steps uphill", "optimisation", SILENT, patched=training.gradients(training.ascending)),
    Kind("noise in the gradients", "optimisation", TRAINING, patched=training.gradients(training.noisy_gradients)),
    Kind("windows never shuffled", "optimisation", TAXONOMY, patched=training.fixed_order),
    Kind("one batch again and again", "optimisation", SILENT, patched=training.one_batch),
    Kind("an optimiser that forgets", "optimisation", SILENT, patched=training.stale_state),
    Kind("a loss that is cut off", "optimisation", TAXONOMY, patched=training.losses(lambda own: own.clamp(max=0.3))),
    Kind(
        "a loss of the wrong sign in one task",
        "optimisation",
        TAXONOMY,
        patched=training.losses(lambda own: own * own.new_tensor([-0.3, 1.0])),
    ),
    # evaluation
    Kind("folds that tear windows apart", "evaluation", LEAKAGE, settings={"faults.shuffled_folds": True}),
    Kind("epochs selected on the tested fold", "evaluation", LEAKAGE, settings={"faults.test_fold_selection": True}),
    Kind("folds sorted by class", "evaluation", TAXONOMY, patched=training.unstratified),
    Kind("probabilities sharpened", "evaluation", CALIBRATION, settings={"faults.temperature": 0.25}),
    Kind("validation of a few windows", "evaluation", MUTATION, settings={"training.validation_size": 0.03}),
    Kind("two folds", "evaluation", "", settings={"training.folds": 2}),
    # transfer
    Kind(
        "an encoder of noise",
        "transfer",
        NEGATIVE,
        settings={"faults.noise_encoder": True, "transfer.schedule": "frozen"},
        pretrain={},
    ),
    Kind(
        "an encoder that never learned",
        "transfer",
        NEGATIVE,
        settings={"transfer.schedule": "frozen"},
        pretrain={"training.learning_rate": 0.0},
    ),
    Kind(
        "an encoder of shuffled bars",
        "transfer",
        NEGATIVE,
        settings={"transfer.schedule": "frozen"},
        pretrain={"sampling.shuffled": True},
    ),
    Kind(
        "inputs of another kind than in pre-training",
        "transfer",
        TAXONOMY,
        settings={"transfer.schedule": "full"},
        pretrain={"objective.name": "masked", "features.state": "streaming"},
    ),
    Kind(
        "dropout in a frozen encoder",
        "transfer",
        TAXONOMY,
        settings={"transfer.schedule": "frozen", "faults.frozen_dropout": True},
        pretrain={},
    ),
    Kind(
        "nothing is unfrozen",
        "transfer",
        TAXONOMY,
        settings={"transfer.schedule": "gradual", "faults.nothing_unfrozen": True},
        pretrain={},
    ),
    Kind(
        "an encoder held in its place",
        "transfer",
        "",
        settings={"transfer.schedule": "full", "transfer.l2_sp": 1000.0},
        pretrain={},
    ),
    Kind(
        "the target was visible in pre-training",
        "transfer",
        LEAKAGE,
        settings={"transfer.schedule": "frozen"},
        pretrain={"objective.name": "masked", "faults.unmasked_input": True},
    ),
)


def halves(seed: int = SEED) -> dict[str, tuple[str, ...]]:
    """The names of the kinds to choose rules on, and of those that are counted once: half of each stage each, by a seeded shuffle."""
    rng = np.random.default_rng(seed)
    parts: dict[str, list[str]] = {"choosing": [], "counted": []}
    for stage in STAGES:
        names = [kind.name for kind in KINDS if kind.stage == stage]
        order = [names[i] for i in rng.permutation(len(names))]
        parts["choosing"] += order[: len(order) // 2]
        parts["counted"] += order[len(order) // 2 :]
    return {part: tuple(names) for part, names in parts.items()}


def main() -> None:
    """Print the kinds."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    half = {name: part for part, names in halves().items() for name in names}
    for kind in KINDS:
        print(f"{kind.stage:<13} {half[kind.name]:<9} {kind.name:<44} {kind.source}")


if __name__ == "__main__":
    main()
