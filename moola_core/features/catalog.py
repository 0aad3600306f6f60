"""The features by name: order, bounds, units and meaning. The one owner of how many there are."""

from __future__ import annotations

from dataclasses import dataclass

from moola_core.errors import SpecError, nearest


@dataclass(frozen=True)
class Feature:
    """One column of what a model reads.

    Attributes
    ----------
    name, group : str
        Both may be named in ``features.columns``.
    low, high : float or None
        Closed bounds of the values; None where they are not bounded.
    unit : str
        What one unit of the values is.
    meaning : str
        What the column says of a bar, in a few words.
    """

    name: str
    group: str
    low: float | None
    high: float | None
    unit: str
    meaning: str


def _relativity(name: str, low: float, high: float, unit: str, meaning: str) -> Feature:
    return Feature(name, "relativity", low, high, unit, meaning)


FEATURES: tuple[Feature, ...] = (
    _relativity("open_norm", 0, 1, "of the bar's range", "where the bar opened"),
    _relativity("close_norm", 0, 1, "of the bar's range", "where the bar closed"),
    _relativity("body_pct", -1, 1, "of the bar's range", "body, signed"),
    _relativity("upper_wick", 0, 1, "of the bar's range", "wick above the body"),
    _relativity("lower_wick", 0, 1, "of the bar's range", "wick below the body"),
    _relativity("range_z", 0, 3, "of the mean range", "range relative to its exponential mean"),
    _relativity("dist_prev_SH", -3, 3, "ATR", "distance up to the last swing high"),
    _relativity("dist_prev_SL", -3, 3, "ATR", "distance down to the last swing low"),
    _relativity("bars_since_SH", 0, 3, "windows", "time since the last swing high"),
    _relativity("bars_since_SL", 0, 3, "windows", "time since the last swing low"),
    _relativity("expansion_proxy", -2, 2, "", "large bodies along the leg"),
    _relativity("consol_proxy", 0, 3, "", "small bars long after both swings"),
)

PRICE_PATH: tuple[Feature, ...] = tuple(
    Feature(f"path_{price}", "price_path", None, None, "mean ranges", f"{price} less the window's first close")
    for price in ("open", "high", "low", "close")
)

_BY_NAME = {feature.name: feature for feature in (*FEATURES, *PRICE_PATH)}
_GROUPS = {
    "relativity": tuple(feature.name for feature in FEATURES),
    "price_path": tuple(feature.name for feature in PRICE_PATH),
}


def feature(name: str) -> Feature:
    """The feature called `name`. Raises SpecError that names the nearest one."""
    if name not in _BY_NAME:
        raise SpecError(
            f"unknown feature {name!r}.", where="features.columns", hint=nearest(name, [*_GROUPS, *_BY_NAME])
        )
    return _BY_NAME[name]


def names(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The features that a setting of columns stands for.

    Parameters
    ----------
    columns : sequence of str
        Names of features and of groups.

    Returns
    -------
    tuple of str
        Names of features in the given order, each once.

    Raises
    ------
    SpecError
        When there is no such feature or group; the message names the nearest.
    """
    expanded = [name for column in columns for name in _GROUPS.get(column, (feature_name(column),))]
    return tuple(dict.fromkeys(expanded))


def feature_name(name: str) -> str:
    """`name`, if there is such a feature or group."""
    return name if name in _GROUPS else feature(name).name
