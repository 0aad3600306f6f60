"""Which settings of a spec are far from those of every preset."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from moola_core.presets import PRESETS
from moola_core.specs import Finetune, Pretrain

FACTOR = 4.0  # times the most, or a quarter of the least, that any preset has, of numbers and shares
SCALE_FACTOR = 10.0  # the same of rates, weights and other scales, which are chosen by powers of ten
# Settings in which far less, or far more, than in any preset keeps a network from learning; as a share where they are one.
LESS = (
    "model.hidden",
    "model.trunk_width",
    "training.epochs",
    "training.patience",
    "training.max_grad_norm",
    "training.validation_size",
    "training.train_size",
)
MORE = (
    "model.dropout",
    "loss.log_variance_lr",
    "training.weight_decay",
    "training.jitter_std",
    "training.averaging",
    "training.warmup_frac",
    "objective.mask_block_bars",
    "sampling.valid_frac",
)
EITHER = (
    "loss.class_weight",
    "loss.pointer_weight",
    "training.batch_size",
    "training.learning_rate",
    "transfer.last_layer_lr",
    "transfer.all_lr",
    "objective.mask_frac",
    "objective.temperature",
    "objective.augment_noise",
    "objective.augment_warp",
    "objective.barrier_ranges",
    "objective.horizon_bars",
    "objective.least_bars",
    "objective.most_bars",
    "objective.after_bars",
    "objective.augment_shift_bars",
    "objective.huber_delta",
    "loss.huber_delta",
    "transfer.encoder_lr_scale",
)
SHARES = (
    "model.dropout",
    "training.averaging",
    "training.train_size",
    "training.validation_size",
    "training.warmup_frac",
    "objective.mask_frac",
    "sampling.valid_frac",
)
COUNTED = (
    "model.hidden",
    "model.trunk_width",
    "training.epochs",
    "training.patience",
    "training.batch_size",
    "objective.mask_block_bars",
    "objective.horizon_bars",
    "objective.least_bars",
    "objective.most_bars",
    "objective.after_bars",
    "objective.augment_shift_bars",
)


class Far(NamedTuple):
    """A setting, its value, and the least and the most that a preset has."""

    name: str
    value: float
    least: float
    most: float

    def __str__(self) -> str:
        known = f"{self.least:g}" if self.least == self.most else f"{self.least:g} to {self.most:g}"
        return f"{self.name} is {self.value:g}, and presets have {known}"


def far_settings(spec: Finetune | Pretrain) -> list[Far]:
    """The settings that the spec's model reads and that are far from those of every preset."""
    settings, far = spec.model_dump(), []
    for name in (*LESS, *MORE, *EITHER):
        value = _value(settings, name)
        if value is None or (isinstance(spec, Finetune) and not spec.reads(name)):
            continue
        known = _of_presets(spec.kind, name)
        sizes = [one for one in known if one] or [value]  # zero switches a thing off, and is no size of it
        one = Far(name, value, min(sizes), max(sizes))
        less, more = value < one.least and name not in MORE, value > one.most and name not in LESS
        limit = FACTOR if name in (*COUNTED, *SHARES) else SCALE_FACTOR
        if value not in known and (less or more) and _factor(one) >= limit:
            far.append(one)
    return far


@cache
def _of_presets(kind: str, name: str) -> tuple[float, ...]:
    specs = [getattr(preset, kind)().model_dump() for preset in PRESETS.values()]
    values = [_value(one, name) for one in specs]
    return tuple(value for value in values if value is not None)


def _value(settings: dict[str, Any], name: str) -> float | None:
    group, field = name.split(".")
    value = settings.get(group, {}).get(field)
    return None if value is None or isinstance(value, bool | str) else float(value)


def _factor(one: Far) -> float:
    """How many times as much, or as little, the value is; of shares what is left of 1 counts as well."""
    low, high = sorted((one.value, one.least if one.value < one.least else one.most))
    factor = high / low if low else float("inf")
    if one.name in SHARES and high < 1:
        factor = max(factor, (1 - low) / (1 - high))
    return factor
