"""How probable it is that a finding names the cause: a logistic regression on planted faults of many kinds, made by `benchmarks/likely.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit, logit

from moola_core.diagnostics.doctor.check import INFO, WARNING
from moola_core.diagnostics.doctor.outcome import SYMPTOMS
from moola_core.diagnostics.results import Finding
from moola_core.diagnostics.results.vitals import STAGES
from moola_core.runs import codec

TABLE = Path(__file__).with_name("likely.json")
# Checks that judge how training or predictions came out, whatever the reason; others see what is wrong in data, settings, weights or folds themselves.
OF_OUTCOME = (
    "stopped_too_early",
    "too_little_training",
    "miscalibrated",
    "label_noise",
    "task_starved",
    "sigma_never_moved",
    "sigma_at_limit",
    "pcgrad_idle",
    "underpowered",
    "weak_part",
)
# What a finding is, beyond what it says, that tells how often such findings name the cause. The first is a check that is none of these.
TRAITS = (
    "settings, by experiments",
    "anything else, by experiments",
    "the code of training",
    "a symptom",
    "a check of the outcome",
    *(f"unusual in {stage}" for stage in STAGES),
    "a warning",
    "explained",
    "more than three",
)


@cache
def table() -> dict[str, Any]:
    """`faults`: how many planted faults it was learned from; `intercept`, and `weights` in the order of TRAITS; `first`: how much surer the first finding is, as log odds."""
    return codec.load_object(TABLE.read_bytes())


def with_probabilities(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Each finding above a note with the probability that it names the cause, if there is one fault."""
    grave = [one for one in findings if one.severity != INFO]
    chances = dict(zip(map(id, grave), probabilities(traits(grave)), strict=True))
    return tuple(dataclasses.replace(one, probability=chances.get(id(one))) for one in findings)


def with_surer_first(ordered: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings in their final order, the first above a note with the probability that it has as the first."""
    grave = [one for one in ordered if one.probability is not None]
    if not grave:
        return tuple(ordered)
    surer = dataclasses.replace(grave[0], probability=as_first(grave[0].probability or 0.0))
    return tuple(surer if one is grave[0] else one for one in ordered)


def as_first(probability: float) -> float:
    """What a finding's probability is where it is the first."""
    return float(expit(logit(probability) + table()["first"]))


def probabilities(rows: np.ndarray) -> list[float]:
    """The probability of each finding, from its traits [n, traits]."""
    return [float(p) for p in expit(table()["intercept"] + rows @ np.array(table()["weights"]))]


def traits(grave: Sequence[Finding]) -> np.ndarray:
    """The traits [n, traits] of findings above a note: 1 where one has it, 0 where not."""
    rows = [
        [
            one.check == "experiments" and bool(one.evidence.get("settings")),
            one.check == "experiments" and not one.evidence.get("settings"),
            one.check == "training_code",
            one.check in SYMPTOMS,
            one.check in OF_OUTCOME,
            *(one.check == f"unusual_{stage}" for stage in STAGES),
            one.severity == WARNING,
            bool(one.explained_by),
            len(grave) > 3,
        ]
        for one in grave
    ]
    return np.array(rows, float).reshape(len(grave), len(TRAITS))
