"""Vital signs along the rows and the days: classes that are exchanged in some of them, labels that hold in some and not in others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from moola_core.diagnostics.vitals.classes import auroc_of, mean_probabilities, ridge_scores
from moola_core.diagnostics.vitals.groups import LEAST, deviation_of_auroc, parts, stretches, surprise
from moola_core.diagnostics.vitals.other_rows import of_several
from moola_core.diagnostics.vitals.pointing import pointers_of
from moola_core.diagnostics.vitals.prices import mean_range
from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign
from moola_core.market.windows import Windows

BLOCKS = range(5, 61)  # rows that take turns
SURE = 3.0  # standard deviations from which classes count as exchanged
LEAST_CYCLE = {"rows": 4, "days": 2}  # in the shortest cycle
LEAST_WINDOWS = 40


@dataclass(frozen=True)
class Exchange:
    """The part whose classes, exchanged, make those of all windows told best.

    words, mask [n]; better, own: AUROC of a ridge regression with the exchange and without; deviations: by how many standard deviations the AUROC with the
    exchange is above 0.5, inside or outside of the part, whichever is less, as the largest of few would by chance.
    """

    words: str
    mask: np.ndarray
    better: float
    own: float
    deviations: float


def exchange(evidence: Evidence) -> Exchange:
    """The part in which classes are most likely exchanged. Raises NotKnown where there are not two classes."""
    return evidence.kept("exchange", lambda: _exchange(evidence))


def _exchange(evidence: Evidence) -> Exchange:
    if len(np.unique(evidence.target)) != 2:
        raise NotKnown("It is measured of two classes.")
    tried = list(_parts(evidence))
    if not tried:
        raise NotKnown("There are too few windows to divide.")
    positive = evidence.target == 0
    exchanged = positive[:, None] ^ np.stack([mask for _, mask in tried], axis=1)
    scores = ridge_scores(evidence, np.column_stack([exchanged, positive]))
    own = auroc_of(scores[:, -1], positive)
    aurocs = [auroc_of(*each) for each in zip(scores.T, exchanged.T, strict=False)]
    # As they are, classes are told by what also tells the part: only what tells them better speaks for an exchange.
    sure = [
        min(_above_chance(each[side], classes[side]) for side in (mask, ~mask)) if better > own else 0.0
        for each, classes, better, (_, mask) in zip(scores.T, exchanged.T, aurocs, tried, strict=False)
    ]
    best = int(np.argmax(sure))
    words, mask = tried[best]
    return Exchange(words, mask, aurocs[best], own, of_several(sure[best], len(tried)))


def _above_chance(scores: np.ndarray, positive: np.ndarray) -> float:
    """By how many standard deviations the AUROC is above 0.5; 0 of one class alone."""
    if not 0 < positive.sum() < len(positive):
        return 0.0
    return (auroc_of(scores, positive) - 0.5) / deviation_of_auroc(positive)


def _parts(evidence: Evidence) -> Iterator[tuple[str, np.ndarray]]:
    """Parts of at most half of the windows: groups, halves by what they show, runs of neighbouring rows or dates, and blocks of rows that take turns."""
    n = len(evidence.windows)
    for words, value in _shown(evidence.windows):
        mask = value > np.median(value)
        if mask.sum() >= LEAST:
            yield f"windows with {words}", mask
    for words, mask in parts(evidence):
        if mask.mean() <= 0.5:
            yield words, mask
    orders = {"row": np.arange(n)}
    if not np.isnat(evidence.windows.start_time).any():
        orders["date"] = evidence.windows.start_time
    for name, values in orders.items():
        for first, last, mask in stretches(values):
            yield f"windows {first + 1} to {last + 1} by {name}", mask
    for size in BLOCKS:
        mask = evidence.rows_in_file // size % 2 == 1
        if min(mask.sum(), (~mask).sum()) >= LEAST:
            yield f"every second block of {size} rows", mask


def _shown(windows: Windows) -> Iterator[tuple[str, np.ndarray]]:
    """What windows may be told apart by without a look at their pattern, in words, and its values [n]."""
    yield "wide bars", mean_range(windows.prices)
    yield "a close above the first open", windows.prices[:, -1, 3] - windows.prices[:, 0, 0]
    if windows.has_pointer.all():
        yield "a long expansion", windows.end - windows.start
        yield "a late expansion", windows.start + windows.end


@sign(
    "labels",
    "Classes exchanged in a part",
    "Where the classes of all windows are told better once those of a part are exchanged, they mean the opposite there.",
    "Look at windows of the part and of the rest, side by side: who or what set the classes there, with which keys or codes?",
    unit="standard deviations",
    usual=(-np.inf, SURE),
)
def exchanged(evidence: Evidence) -> Measured:
    """By how many standard deviations a ridge regression tells the classes, inside and outside of a part, once those of the part are exchanged, less what the largest of so many is by chance."""
    best = exchange(evidence)
    detail = f"{best.words}: AUROC {best.better:.2f} with the classes exchanged there, {best.own:.2f} as they are"
    return Measured(best.deviations, detail, evidence.some(best.mask))


@sign(
    "labels",
    "Labels that hold here and there",
    "Where classes can be told, or labelled spans are movements, in some rows or on some days and not in others, by turns, labels get worse within each sitting, come from different hands, or prices are late on some days.",
    "Look at windows where they do not hold: which sitting, day, feed or batch are they from?",
    unit="−log10 p",
    usual=(-np.inf, 3.0),
)
def labels_come_and_go(evidence: Evidence) -> Measured:
    """−log10 of the p-value that neither the probability of the own class, by extra trees out of fold, nor the movement in the labelled span has a cycle along rows or days."""
    tried = []
    for words, measure in (("classes", _own_class), ("pointers", _own_movement)):
        try:
            value, rows = measure(evidence)
            tried.append((_cycles(evidence, value, rows), words))
        except NotKnown:
            continue
    if not tried:
        raise NotKnown(f"It needs {LEAST_WINDOWS} windows with pointers, or whose classes extra trees were asked for.")
    best, words = max(tried, key=lambda one: one[0].value)
    return Measured(best.value, f"{words}: {best.detail}", best.windows)


def _own_class(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """The probability [m] of each window's own class, and the rows [m] that have one."""
    p = mean_probabilities(evidence)[np.arange(len(evidence.target)), evidence.target]
    rows = np.flatnonzero(np.isfinite(p))
    return p[rows], rows


def _own_movement(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    own = pointers_of(evidence)
    return own.own, own.rows


def _cycles(evidence: Evidence, value: np.ndarray, rows: np.ndarray) -> Measured:
    """The surest cycle of values [m] of the windows at rows [m], along the rows of the file or the days."""
    if len(value) < LEAST_WINDOWS or np.ptp(value) == 0:
        raise NotKnown(f"It needs {LEAST_WINDOWS} windows.")
    axes = {"rows": evidence.rows_in_file[rows]}
    days = _days(evidence)
    if days is not None:
        axes["days"] = days[rows]
    tried = [(p, words, low) for name, place in axes.items() for p, words, low in _waves(value, place, name)]
    p, words, low = min(tried, key=lambda one: one[0])
    return Measured(surprise(p, len(tried)), words, evidence.some(rows[low]))


def _waves(value: np.ndarray, place: np.ndarray, name: str) -> Iterator[tuple[float, str, np.ndarray]]:
    """The p-value of each number of half cycles along the places, in words, and where [n] its wave is low (least squares; Lomb 1976, Scargle 1982)."""
    length, centred = float(np.ptp(place) + 1), value - value.mean()
    for halves in range(2, int(2 * length // LEAST_CYCLE[name]) + 1):
        angle = np.pi * halves * place / length
        waves = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        waves -= waves.mean(0)
        fitted = waves @ np.linalg.lstsq(waves, centred, rcond=None)[0]
        explained = float(np.clip((fitted @ fitted) / (centred @ centred), 0.0, 1.0))
        yield (1 - explained) ** ((len(value) - 3) / 2), f"a cycle of {2 * length / halves:.0f} {name}", fitted < 0


def _days(evidence: Evidence) -> np.ndarray | None:
    """The number [n] of each window's day among the days on which there are bars, or windows; None without times."""
    time = evidence.windows.start_time
    if np.isnat(time).any():
        return None
    day = time.astype("datetime64[D]")
    known = np.unique(day if evidence.bars is None else evidence.bars.time.astype("datetime64[D]"))
    return np.searchsorted(known, day)
