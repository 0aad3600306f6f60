"""Named starting points for specs; each says what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moola_core.errors import SpecError, nearest
from moola_core.specs import Finetune, Pretrain, build


@dataclass(frozen=True)
class Preset:
    """Settings that differ from the defaults, and the sentence that explains them.

    values: of cross-validated runs; pretraining: of pre-training, next to the model and the features; schedule: how a
    checkpoint is transferred when one is given; network: the preset that stands in where an encoder is needed.
    """

    name: str
    summary: str
    values: dict[str, Any]
    pretraining: dict[str, Any]
    schedule: str = "full"
    network: str = ""

    @property
    def keeps_state(self) -> bool:
        """Whether fine-tuning computes the features as pre-training does, and so takes their state from a checkpoint."""
        return self.finetune().features.state == self.pretrain().features.state

    def finetune(self) -> Finetune:
        return build(Finetune, {**self.values, "preset": self.name}, where=f"preset {self.name}")

    def pretrain(self) -> Pretrain:
        if self.network:
            return PRESETS[self.network].pretrain()
        shared: dict[str, Any] = {name: self.values[name] for name in ("model", "features") if name in self.values}
        return build(Pretrain, {**shared, **self.pretraining, "preset": self.name}, where=f"preset {self.name}")


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "recommended",
            "What measurement shows to be best on small data: no network; it finds the expansion, then reads the class around it.",
            {
                "estimator": "locate_then_classify",
                "features": {"columns": ("price_path",)},
                "training": {"repeats": 5},
            },
            {},
            network="network",
        ),
        Preset(
            "network",
            "The best network so far: convolutions and the span model's statistics score all spans, and the class is read around the span.",
            {
                "model": {
                    "encoder": "tcn",
                    "layers": 4,
                    "hidden": 16,
                    "dropout": 0.2,
                    "normalisation": "batch",
                    "pointer": "span",
                    "class_input": "aligned",
                    "span_statistics": True,
                },
                "features": {"columns": ("price_path",)},
                "loss": {"weighting": "uncertainty", "log_variance_lr": 0.05},
                "training": {
                    "epochs": 80,
                    "patience": 15,
                    "learning_rate": 1e-3,
                    "repeats": 5,
                    "weight_decay": 1e-2,
                    "mirrored_frac": 0.5,
                },
            },
            {
                "objective": {"name": "contrastive"},
                "training": {"epochs": 20, "batch_size": 256, "learning_rate": 2e-3},
            },
        ),
        Preset(
            "series",
            "A network for classes of whole windows that hold no labelled expansion: InceptionTime's convolutions, and the class alone.",
            {
                "model": {
                    "encoder": "inception",
                    "layers": 1,
                    "hidden": 16,
                    "dropout": 0.2,
                    "normalisation": "batch",
                    "tasks": "class",
                },
                "features": {"columns": ("price_path",)},
                "loss": {"weighting": "uncertainty", "log_variance_lr": 0.05},
                "training": {
                    "epochs": 40,
                    "patience": 15,
                    "batch_size": 16,
                    "learning_rate": 5e-3,
                    "averaging": 0.8,
                    "weight_decay": 1e-2,
                    "repeats": 5,
                },
            },
            {
                "objective": {"name": "contrastive"},
                "training": {"epochs": 20, "batch_size": 256, "learning_rate": 2e-3},
            },
        ),
        Preset(
            "quick",
            "A small model in a minute or two: for a first look and for trying things.",
            {
                "model": {
                    "layers": 1,
                    "hidden": 32,
                    "dropout": 0.3,
                    "pooling": "mean",
                    "normalisation": "batch",
                },
                "loss": {"weighting": "uncertainty", "log_variance_lr": 0.05},
                "training": {"epochs": 30, "patience": 10, "learning_rate": 5e-3, "repeats": 2},
            },
            {
                "objective": {"name": "contrastive"},
                "sampling": {"stride_bars": 26},
                "training": {"epochs": 20, "batch_size": 64, "learning_rate": 3e-3},
            },
        ),
        Preset(
            "stones",
            "The plan's settings: 2×128, heavy dropout, uncertainty weighting, PCGrad at −0.1.",
            {
                "model": {"layers": 2, "hidden": 128, "dropout": 0.65},
                "loss": {"weighting": "uncertainty", "pcgrad": True, "pcgrad_threshold": -0.1},
                "training": {"epochs": 60, "patience": 15, "learning_rate": 3e-4, "repeats": 1},
            },
            {"training": {"epochs": 20, "batch_size": 1024, "learning_rate": 1e-3}},
            "gradual",
        ),
        Preset(
            "october",
            "The run that failed, faults included; for comparison only.",
            {
                "model": {"layers": 2, "hidden": 128, "dropout": 0.65, "trunk_width": 64},
                "features": {"standardise": False},
                "loss": {"weighting": "uncertainty", "pcgrad": True, "pcgrad_threshold": -0.3},
                "training": {"epochs": 20, "patience": 5, "learning_rate": 3e-4, "jitter_std": 0.03, "repeats": 1},
                "faults": {"extra_output": 1, "shuffled_folds": True, "test_fold_selection": True},
            },
            {
                "features": {"standardise": False, "state": "streaming"},
                "objective": {"mask_block_bars": 1},
                "training": {"epochs": 20, "batch_size": 1024, "learning_rate": 1e-3, "jitter_std": 0.03},
                "faults": {"unmasked_input": True},
            },
            "frozen",
        ),
    )
}


def network_preset(name: str) -> tuple[Preset, str]:
    """The preset called `name`, or the one that stands in for it where an encoder is needed, and a sentence that says so.

    Raises SpecError that names the nearest one.
    """
    start = preset(name)
    if not start.network:
        return start, ""
    return PRESETS[start.network], (
        f"The preset {name} trains no encoder; the preset {start.network} is used in its place."
    )


def preset(name: str) -> Preset:
    """The preset called `name`. Raises SpecError that names the nearest one."""
    if name not in PRESETS:
        raise SpecError(f"unknown preset {name!r}.", hint=nearest(name, PRESETS))
    return PRESETS[name]
