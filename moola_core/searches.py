"""What a search tries unless its user says otherwise: a space of settings for each model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moola_core.errors import SpecError
from moola_core.specs import Finetune, Search, build

NETWORK, SPANS = "network", "locate_then_classify"
COLUMNS = {"features.columns": {"choices": [["price_path"], ["relativity"], ["relativity", "price_path"]]}}
SPACES: dict[str, dict[str, dict[str, Any]]] = {
    NETWORK: {
        "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
        "training.weight_decay": {"low": 1e-5, "high": 1e-1, "log": True},
        "model.dropout": {"low": 0.0, "high": 0.7},
        "model.hidden": {"low": 8, "high": 128, "log": True},
        "model.layers": {"low": 1, "high": 3},
        "model.normalisation": {"choices": ["none", "layer", "batch"]},
    },
    SPANS: {
        "spans.penalty": {"low": 0.25, "high": 64.0, "log": True},
        "spans.scatter_bars": {"choices": [None, 0.5, 1.0, 2.0, 4.0]},
        "spans.misplaced_frac": {"choices": [None, 0.0, 0.05, 0.2]},
        "spans.general": {"choices": [None, True, False]},
    },
    "logistic": COLUMNS,
    "extra_trees": COLUMNS,
    "minirocket": COLUMNS,
    "quant": COLUMNS,
}
# Models of which nothing can be searched, with the reason.
NOTHING = {"majority": "it always predicts the most frequent class and the median expansion"}
# Of an encoder that is there already these are given.
OF_ENCODER = ("model.layers", "model.hidden", "model.normalisation")


def default_space(base: Finetune) -> dict[str, dict[str, Any]]:
    """The settings that are tried where none are named, for the model of these settings.

    Raises SpecError where the model has no settings to search, and where no space is known for it.
    """
    if base.estimator in NOTHING:
        raise SpecError(
            f"there is nothing to search: {NOTHING[base.estimator]}.",
            where=f"estimator={base.estimator}",
            hint=f"Choose another model: {', '.join(SPACES)}.",
        )
    if base.estimator not in SPACES:
        raise SpecError(
            "no default space is known for this model.",
            where=f"estimator={base.estimator}",
            hint='Name the settings to try, such as {"features.columns": {"choices": […]}}.',
        )
    space = dict(SPACES[base.estimator])
    if base.is_network and base.transfer.encoders:
        space = {name: values for name, values in space.items() if name not in OF_ENCODER}
        if base.transfer.schedule == "full":
            space["transfer.encoder_lr_scale"] = {"low": 0.01, "high": 1.0, "log": True}
    return space


def search_spec(base: Finetune, space: Mapping[str, Any] | None = None, **how: Any) -> Search:
    """The search from the settings `base`.

    Parameters
    ----------
    base : Finetune
        The first trial, and what all trials share.
    space : mapping of str to mapping, optional
        By setting ``{"low", "high", "log", "step"}`` or ``{"choices"}``; `default_space` unless given.
    **how
        Fields of `Search`; those that are None keep their defaults. Without a `metric` it is macro F1, and for pointers alone the share of
        centers within 3 bars.

    Raises
    ------
    SpecError
        For a space that cannot be searched, and for a wrong field.
    """
    values = {name: value for name, value in how.items() if value is not None}
    if base.model.tasks == "pointers":
        values = {"metric": "hit_at_3"} | values
    values |= {"base": base.model_dump(), "space": default_space(base) if space is None else space}
    return build(Search, values, "search")
