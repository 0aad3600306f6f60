"""The checks of a file of bars or windows: problems that refuse it, warnings that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moola_core.errors import DataError

SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """A broken rule: how often (`count`), the `first` rows or windows that break it, and how to fix it."""

    rule: str
    count: int
    first: tuple[str, ...]
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.rule} ({self.count}: {', '.join(self.first)}{', …' if self.count > len(self.first) else ''})."


@dataclass(frozen=True)
class Report:
    """The problems and warnings of a file.

    `rows` counts what was kept; `reader` understood it, as surely as `confidence` says; `contradicting` counts windows with the prices of
    another one and a different label, kept or not.
    """

    kind: Literal["bars", "windows"]
    rows: int
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    reader: str = ""
    confidence: float = 1.0
    contradicting: int = 0

    @property
    def ok(self) -> bool:
        return not self.problems


def listed(names: Sequence[object], most: int = SHOWN) -> str:
    """The names, the first few of many."""
    return ", ".join(map(str, names[:most])) + (", …" if len(names) > most else "")


def problem(rule: str, bad: np.ndarray, names: np.ndarray, hint: str = "") -> list[Problem]:
    """The rule as a problem if any of `bad` [n] is true; `names` [n] say which rows they are."""
    rows = np.flatnonzero(bad)
    return [Problem(rule, len(rows), tuple(str(names[i]) for i in rows[:SHOWN]), hint)] if len(rows) else []


def price_faults(ohlc: np.ndarray) -> dict[str, np.ndarray]:
    """Each price rule and which bars of `ohlc` [..., 4] break it, as a bool array [...]."""
    finite = np.isfinite(ohlc).all(-1)
    with np.errstate(invalid="ignore"):
        o, h, low, c = (ohlc[..., i] for i in range(4))
        return {
            "a price is missing or infinite": ~finite,
            "a price is not positive": finite & (ohlc <= 0).any(-1),
            "high is below the body": finite & (h < np.maximum(o, c)),
            "low is above the body": finite & (low > np.minimum(o, c)),
        }


def refuse(report: Report, where: str) -> None:
    """Raise DataError when the report holds problems; each is named with its first rows and how to fix it."""
    if report.ok:
        return
    fixes = dict.fromkeys(broken.hint for broken in report.problems if broken.hint)
    raise DataError(" ".join(str(broken) for broken in report.problems), where=where, hint=" ".join(fixes))
