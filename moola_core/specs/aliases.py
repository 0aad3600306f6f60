"""Names of before: settings, and keys and words of stored results, that are called otherwise now, so that older runs and commands still work."""

from __future__ import annotations

from typing import Any

# Old setting, by the last part of its name -> the setting that holds it now; and its old words -> those of now.
SETTINGS = {
    "reference": "estimator",
    "exclude_labelled": "labelled",
    "grades_left_out": "exclude_grades",
    "batch": "batch_size",
    "clip_norm": "max_grad_norm",
    "label_frac": "train_size",
    "inner_frac": "validation_size",
    "monitor_every": "eval_every_epochs",
    "lambda_class": "class_weight",
    "lambda_pointer": "pointer_weight",
    "log_variance_rate": "log_variance_lr",
    "last_layer_rate": "last_layer_lr",
    "all_rate": "all_lr",
    "encoder_rate_frac": "encoder_lr_scale",
    "view_noise": "augment_noise",
    "view_warp": "augment_warp",
    "view_shift_bars": "augment_shift_bars",
}
# Setting, by its old name where that changed, -> its old words -> those of now.
SETTING_VALUES = {
    "reference": {"none": "network"},
    "exclude_labelled": {"true": "exclude", "false": "see"},
    "state": {"restarted": "per_window", "continuous": "streaming"},
    "pointer": {"pooled": "regression", "positions": "soft_argmax"},
}
# What stored tables and events call the part of a fold that decides when to stop, and its name here.
SPLITS = {"inner": "validation"}
STORED_SPLITS = {name: stored for stored, name in SPLITS.items()}

# Old field of a stored result -> the field that holds it now.
RESULT_FIELDS = {
    "spoils": "invalidates",
    "shows": "diagnostic",
    "beaten_by": "better_baselines",
    "covered": "masked_input",
    "covered_mae": "masked_input_mae",
    "foreign": "out_of_distribution",
}
# Field -> its old words -> those of now.
RESULT_VALUES = {"severity": {"blocks": "critical", "harms": "error", "note": "info"}}


def renamed(name: str) -> str:
    """What the setting of this name, dotted or not, is called now."""
    part, dot, last = name.rpartition(".")
    return f"{part}{dot}{SETTINGS.get(last, last)}"


def reworded(name: str, value: Any) -> Any:
    """The value of the setting that was or is called `name`, in the words of now."""
    words = SETTING_VALUES.get(name.rpartition(".")[2], {})
    return words.get(str(value).lower(), value) if isinstance(value, str | bool) else value
