"""How probable it is that a finding names the cause: a logistic regression on planted faults of many kinds, made by `benchmarks/likely.py`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from moola_core.diagnostics.doctor.check import INFO, WARNING
from moola_core.diagnostics.results import Finding
from moola_core.runs import codec

TABLE = Path(__file__).with_name("likely.json")
# What a finding is, beyond what it says, that tells how often such findings name the cause.
TRAITS = ("second", "third", "later", "by experiments", "by vital signs", "a warning", "explained", "several")


@cache
def table() -> dict[str, Any]:
    """`faults`: how many planted faults it was learned from; `intercept`, and `weights` in the order of TRAITS."""
    return codec.load_object(TABLE.read_bytes())


def with_probabilities(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings in their order, each above a note with the probability that it names the cause if there is one fault."""
    grave = [one for one in findings if one.severity != INFO]
    chances = dict(zip(map(id, grave), probabilities(traits(grave)), strict=True))
    return tuple(dataclasses.replace(one, probability=chances.get(id(one))) for one in findings)


def probabilities(rows: np.ndarray) -> list[float]:
    """The probability of each finding, from its traits [n, traits]."""
    return [float(p) for p in expit(table()["intercept"] + rows @ np.array(table()["weights"]))]


def traits(grave: Sequence[Finding]) -> np.ndarray:
    """The traits [n, traits] of findings above a note, in their order: 1 where it has one, 0 where not."""
    return np.array(
        [
            [
                place == 1,
                place == 2,
                place > 2,
                one.check == "experiments",
                one.check.startswith("unusual_"),
                one.severity == WARNING,
                bool(one.explained_by),
                len(grave) > 3,
            ]
            for place, one in enumerate(grave)
        ],
        float,
    ).reshape(len(grave), len(TRAITS))
