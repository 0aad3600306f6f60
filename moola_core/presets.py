"""Named starting points for specs, ours and the user's own; each says what it is for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from moola_core.errors import SpecError, nearest
from moola_core.market.folder import presets_folder
from moola_core.specs import Finetune, Pretrain, SpecModel, Transfer, build, change, named
from moola_core.specs import settings as flat_settings


@dataclass(frozen=True)
class Preset:
    """Settings that differ from the defaults, and the sentence that explains them.

    values: of cross-validated runs; pretraining: of pre-training, next to the model and the features; schedule: how a
    checkpoint is transferred when one is given; network: the preset that stands in where an encoder is needed; start: the run, or
    RUN/REPEAT-FOLD, whose fits a network starts from unless another checkpoint is given.
    """

    name: str
    summary: str
    values: dict[str, Any]
    pretraining: dict[str, Any]
    schedule: str = "full"
    network: str = ""
    start: str = ""

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


# What a preset of the user's may not set: which files are read, and what belongs to one run or to one fold of a study.
NOT_OWN = (
    "data.",
    "join.",
    "transfer.checkpoint",
    "transfer.more_",
    "transfer.fold_",
    "transfer.encoder_name",
    "sampling.left_out",
)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
SCHEDULES = get_args(Transfer.model_fields["schedule"].annotation)[1:]  # all but none
KEYS = ("summary", "settings", "pretraining", "schedule", "start", "from_run")
MOST_BYTES, MOST_LETTERS, MOST_START = 1 << 20, 300, 60


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
    """The preset called `name`, ours or the user's own. Raises SpecError that names the nearest one, or says why it cannot be used."""
    if name in PRESETS:
        return PRESETS[name]
    good, bad = own_presets()
    if name in bad:
        raise bad[name]
    if name not in good:
        raise SpecError(f"unknown preset {name!r}.", hint=nearest(name, [*PRESETS, *good]))
    return good[name]


def available() -> dict[str, Preset]:
    """Every preset that can be used by its name: ours, then the user's own."""
    return PRESETS | own_presets()[0]


def own_presets() -> tuple[dict[str, Preset], dict[str, SpecError]]:
    """The user's own presets by name, and of those that cannot be used why: `presets/NAME.json` in the data folder."""
    folder = presets_folder()
    try:
        paths = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
        stamps = tuple((str(path), (status := path.stat()).st_mtime_ns, status.st_size) for path in paths)
    except OSError:  # no folder, or none that can be read: then there are no presets of one's own
        stamps = ()
    return _read_all(stamps)


def own_preset(path: Path, values: Mapping[str, Any]) -> Preset:
    """The user's preset of these values, as they stand in the file. Raises SpecError that says what is wrong with them."""
    name, where = path.stem, str(path)
    refuse_name(name, where)
    for key in values:
        if key not in KEYS:
            raise SpecError(f"unknown key {key!r}.", where=where, hint=nearest(key, KEYS))
    summary, schedule = values.get("summary", ""), values.get("schedule", "full")
    start = values.get("start", "")
    parts = {key: values.get(key, {}) for key in ("settings", "pretraining")}
    if not isinstance(start, str) or len(start) > MOST_START:
        raise SpecError("its start names no run.", where=where, hint="Write the id of a run, or RUN/REPEAT-FOLD.")
    if not isinstance(summary, str) or len(summary) > MOST_LETTERS or not isinstance(schedule, str):
        raise SpecError(
            "its summary is not a short text.", where=where, hint=f"Write a sentence of at most {MOST_LETTERS} letters."
        )
    for key, settings in parts.items():
        if not isinstance(settings, dict):
            raise SpecError(f"its {key} are not an object.", where=where, hint='Write {"training.epochs": 20, …}.')
    try:
        finetune, pretraining = _nested(parts["settings"], Finetune), _nested(parts["pretraining"], Pretrain)
        made = Preset(
            name, summary or "A preset of your own.", finetune, pretraining, schedule, _stand_in(finetune), start
        )
        made.finetune(), made.pretrain()
    except SpecError as error:
        raise SpecError(f"{error.what.rstrip('.')}.", where=where, hint=error.hint or "Correct the setting.") from None
    if schedule not in SCHEDULES:
        raise SpecError(f"unknown schedule {schedule!r}.", where=where, hint=nearest(schedule, SCHEDULES))
    return made


def refuse_name(name: str, where: str) -> None:
    """Raise SpecError for a name that no preset of the user's can have."""
    if not NAME.fullmatch(name):
        raise SpecError(
            f"{name!r} cannot be the name of a preset.",
            where=where,
            hint="Use up to 40 letters, digits, - and _, beginning with a letter or a digit.",
        )
    if name.lower() in PRESETS:
        raise SpecError(f"{name} is a preset of moola's own.", where=where, hint="Choose another name.")


def _stand_in(values: Mapping[str, Any]) -> str:
    return "" if values.get("estimator", "network") == "network" else "network"


def may_set(name: str) -> bool:
    """Whether a preset of the user's may have the setting of this dotted name."""
    return not name.startswith(NOT_OWN) and name != "transfer.schedule"


def _nested(settings: Mapping[str, Any], kind: type[SpecModel]) -> dict[str, Any]:
    """The settings as nested values, checked. Raises SpecError for what is unknown, does not fit, or belongs to one run."""
    full = named(settings, kind)
    refused = [name for name in full if not may_set(name)]
    if refused:
        raise SpecError(f"a preset cannot set {', '.join(refused)}: that belongs to one run.", hint="Leave it out.")
    held: dict[str, Any] = {}
    values = flat_settings(change(kind(), dict(settings)))
    for name in full:
        *path, last = name.split(".")
        place = held
        for step in path:
            place = place.setdefault(step, {})
        place[last] = values[name]
    return held


@lru_cache(maxsize=8)
def _read_all(stamps: tuple[tuple[str, int, int], ...]) -> tuple[dict[str, Preset], dict[str, SpecError]]:
    """The presets in these files as they are now; read again when one of them has changed."""
    good, bad = {}, {}
    for path, _, size in stamps:
        name = Path(path).stem
        try:
            good[name] = own_preset(Path(path), _values(Path(path), size))
        except SpecError as error:
            hint = f"{error.hint} Or delete the file." if error.hint else "Correct or delete the file."
            bad[name] = SpecError(f"the preset {name} cannot be used: {error.what}", where=path, hint=hint)
    return good, bad


def _values(path: Path, size: int) -> dict[str, Any]:
    """What the file holds. Raises SpecError for one that is no JSON object."""
    try:
        if size > MOST_BYTES:
            raise ValueError(f"it is {size:,} bytes long")
        values = json.loads(path.read_text(encoding="utf-8-sig"))
        if not isinstance(values, dict):
            raise ValueError("it is not a JSON object")
        return values
    except (OSError, ValueError, RecursionError) as error:
        why = (
            "it is nested too deeply" if isinstance(error, RecursionError) else getattr(error, "strerror", "") or error
        )
        raise SpecError(f"it cannot be read: {why}.", where=str(path), hint="Restore it from a copy.") from None
