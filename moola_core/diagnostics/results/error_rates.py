"""How often the rule of the verdict errs, as simulated studies showed: a table that is shipped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

# Written by benchmarks/verdicts.py.
TABLE = Path(__file__).with_name("error_rates.json")


@dataclass(frozen=True)
class ErrorRate:
    """One kind of simulated study.

    learner, layout: the model of both arms, and how the windows share bars; n, folds, repeats, classes: of the study; rare: share of the first class;
    difference: the true one in AUROC, 0 where the arms are equally good; studies: how many were simulated; decided, f1_decided: the share
    with a verdict in AUROC, and in macro F1; coverage: of the true difference in AUROC by its 95% interval.
    """

    learner: str
    layout: str
    n: int
    folds: int
    repeats: int
    classes: int
    rare: float
    difference: float
    studies: int
    decided: float
    f1_decided: float
    coverage: float


@lru_cache(maxsize=1)
def error_rates() -> tuple[ErrorRate, ...]:
    """Every kind of study that was simulated."""
    return tuple(ErrorRate(**row) for row in json.loads(TABLE.read_text(encoding="utf-8")))
