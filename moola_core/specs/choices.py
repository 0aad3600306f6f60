"""The options of each setting that names a member of a registry, with a sentence each. Imports nothing heavy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import AfterValidator
from pydantic.fields import FieldInfo

from moola_core.errors import nearest
from moola_core.specs.objectives import RULES

ENCODERS = {
    "bilstm": "bidirectional LSTM; layers and hidden units per direction are settings",
    "tcn": "residual convolutions over ever wider spans of bars; layers are blocks, and each has 2 × hidden channels",
    "inception": "convolutions over 39, 19 and 9 bars side by side (InceptionTime), for classes of whole windows; layers are blocks of three with "
    "a skip connection, which see 115 bars, 229, 343 and 457",
}
WEIGHTINGS = {
    "uncertainty": "learned from each task's uncertainty",
    "fixed": "class_weight and pointer_weight",
    "equal": "divided by the first epoch's losses",
    "dwa": "by their rate of fall",
}
ESTIMATORS = {
    "network": "the encoder with its heads, trained by gradient descent",
    "locate_then_classify": "finds the expansion among all spans, then reads the class from the bars around it",
    "majority": "the most frequent class and the median expansion",
    "logistic": "logistic and ridge regression on means and deviations of the features",
    "extra_trees": "extra trees on every bar",
    "minirocket": "MiniRocket with a ridge",
    "quant": "QUANT with extra trees",
    "imported": "predictions that were made elsewhere",
    "joined": "the classes of one finished run and the expansions of another",
}
IMPORTED, JOINED = "imported", "joined"
TRAINED = tuple(name for name in ESTIMATORS if name not in (IMPORTED, JOINED))  # those that a run can be asked to train
OBJECTIVES = {name: rules.sentence for name, rules in RULES.items()}
CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Choices:
    """The built-in names of a setting, each with a sentence."""

    names: Mapping[str, str]


def choice(concept: str, names: Mapping[str, str]) -> Any:
    """The type of a setting that names the member of a registry.

    Parameters
    ----------
    concept : str
        What a member is, in the singular, such as ``"encoder"``; installed packages offer members under ``moola.<concept>s``.
    names : mapping of str to str
        The built-in names, each with a sentence.

    Returns
    -------
    type
        A text that pydantic accepts when it is one of `names`, a name that an installed package offers, or ``package.module:Class``.
    """

    def known(value: str) -> str:
        if value in names or CLASS.fullmatch(value):
            return value
        # Asked for last: it reads the description of every installed package.
        installed = [point.name for point in metadata.entry_points(group=f"moola.{concept}s")]
        if value in installed:
            return value
        raise ValueError(f"unknown {concept} {value!r}; {nearest(value, [*names, *installed])}")

    return Annotated[str, AfterValidator(known), Choices(names)]


if TYPE_CHECKING:
    EncoderName: TypeAlias = str
    EstimatorName: TypeAlias = str
    WeightingName: TypeAlias = str
    ObjectiveName: TypeAlias = str
else:
    EncoderName, WeightingName = choice("encoder", ENCODERS), choice("weighting", WEIGHTINGS)
    EstimatorName = choice("estimator", ESTIMATORS)
    ObjectiveName = choice("objective", OBJECTIVES)


def choices(field: FieldInfo) -> Mapping[str, str]:
    """The built-in names of a setting with a sentence each; empty when it is no such choice."""
    return next((one.names for one in field.metadata if isinstance(one, Choices)), {})


def listed(names: Mapping[str, str]) -> str:
    """The names with their sentences, for a setting's description."""
    return "; ".join(f"{name}: {sentence}" for name, sentence in names.items())
