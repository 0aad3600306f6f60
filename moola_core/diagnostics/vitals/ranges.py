"""Ranges of vital signs in healthy runs, and how far outside them a value lies.

A value's distance is 0 at the median of the healthy runs and 1 as far out as the farthest of them. A run is judged by its largest distance
over all signs at once: the limit is the one that 3% of healthy runs exceed, each measured against the others (leave-one-out conformal
prediction), so that measuring more signs raises no more alarms.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from moola_core.diagnostics.results import NotJudged
from moola_core.diagnostics.results.vitals import VitalSign
from moola_core.diagnostics.vitals.sign import SIGNS, Evidence, Measured, NotKnown, Sign
from moola_core.runs import codec

TABLE = Path(__file__).with_name("reference.json")
ALARM = 0.03  # share of healthy runs with an unusual sign
KEPT = np.linspace(0, 1, 21)  # quantiles of a sign that the table holds
FARTHEST = 99.0
LEAST = 20  # healthy runs without which a sign has no range

Rows = Iterable[tuple[str, Mapping[str, float]]]


def measure(evidence: Evidence) -> tuple[dict[str, Measured], tuple[NotJudged, ...]]:
    """Every sign of the run, and those that could not be measured with the reason."""
    readings: dict[str, Measured] = {}
    unknown: list[NotJudged] = []
    for name, sign in SIGNS.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing are not finite, and named below
                reading = sign.measure(evidence)
        except NotKnown as why:
            unknown.append(NotJudged(name, str(why)))
            continue
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            unknown.append(NotJudged(name, f"It could not be computed from this run: {error}."))
            continue
        if np.isfinite(reading.value):
            readings[name] = reading
        else:
            unknown.append(NotJudged(name, "Too few windows or fits hold it."))
    return readings, tuple(unknown)


@cache
def reference() -> dict[str, Any]:
    """The table of the product: `limit`, `runs`, and `signs` by name and model with their quantiles at KEPT."""
    return codec.load_object(TABLE.read_bytes())


def table_of(rows: Rows) -> dict[str, Any]:
    """The table of healthy runs, given as the model and the values by sign of each."""
    known = list(rows)
    values = _values(known)
    farthest = sorted(
        max((_left_out(name, model, value, values) for name, value in own.items()), default=0.0) for model, own in known
    )
    place = int(np.ceil((1 - ALARM) * (len(farthest) + 1))) - 1
    signs: dict[str, dict[str, Any]] = {}
    for (name, model), own in values.items():
        quantiles = [round(float(q), 6) for q in np.quantile(own, KEPT)]
        signs.setdefault(name, {})[model] = {"runs": len(own), "quantiles": quantiles}
    limit = max(1.0, farthest[min(place, len(farthest) - 1)])
    return {"runs": len(known), "limit": round(limit, 3), "signs": signs}


def judge(readings: Mapping[str, Measured], model: str) -> tuple[VitalSign, ...]:
    """The readings with their healthy ranges; those without a range are left out."""
    table, signs = reference(), []
    for name, reading in readings.items():
        sign = SIGNS[name]
        own = table["signs"].get(name, {}).get(_group(sign, model))
        if own is None or own["runs"] < LEAST:
            continue
        quantiles = np.array(own["quantiles"])
        away = distance(sign, reading.value, (quantiles[0], quantiles[10], quantiles[-1]))
        percentile = float(np.interp(reading.value, quantiles, KEPT))
        signs.append(
            VitalSign(
                name,
                sign.stage,
                sign.title,
                sign.unit,
                float(reading.value),
                float(quantiles[0] + 0.5 * (quantiles[1] - quantiles[0])),
                float(quantiles[-1] - 0.5 * (quantiles[-1] - quantiles[-2])),
                percentile,
                away,
                away > table["limit"],
                sign.reason,
                sign.advice,
                reading.detail,
                reading.windows,
            )
        )
    return tuple(signs)


def distance(sign: Sign, value: float, healthy: tuple[float, float, float]) -> float:
    """How far outside the value lies, given the least, the median and the largest of healthy runs; 0 on a side that does not matter."""
    low, middle, high = healthy
    if sign.usual[0] <= value <= sign.usual[1]:
        return 0.0
    if value >= middle:
        if sign.tail == "low":
            return 0.0
        reach = high - middle
    else:
        if sign.tail == "high":
            return 0.0
        reach = middle - low
    return float(min(abs(value - middle) / max(reach, 1e-9), FARTHEST))


def _group(sign: Sign, model: str) -> str:
    return model if sign.of_model else "any"


def _values(rows: list[tuple[str, Mapping[str, float]]]) -> dict[tuple[str, str], np.ndarray]:
    """The sorted values of each sign and model."""
    gathered: dict[tuple[str, str], list[float]] = {}
    for model, own in rows:
        for name, value in own.items():
            gathered.setdefault((name, _group(SIGNS[name], model)), []).append(value)
    return {key: np.sort(values) for key, values in gathered.items()}


def _left_out(name: str, model: str, value: float, values: Mapping[tuple[str, str], np.ndarray]) -> float:
    """The distance of a healthy run's own value from those of the others."""
    sign = SIGNS[name]
    own = values[name, _group(sign, model)]
    if len(own) <= LEAST:
        return 0.0
    others = np.delete(own, np.searchsorted(own, value))
    return distance(sign, value, (others[0], float(np.median(others)), others[-1]))
