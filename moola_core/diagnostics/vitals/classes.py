"""Vital signs of the classes: how they are named and shared out, and what they go with besides the prices."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.preprocessing import StandardScaler

from moola_core.diagnostics.doctor.baseline_facts import aggregated, around_spans
from moola_core.diagnostics.vitals.groups import (
    aurocs,
    best_told,
    deviation_of_auroc,
    evidence_of_order,
    of_classes,
    parts,
    stretches,
)
from moola_core.diagnostics.vitals.other_rows import far_rows, of_several, other_rows
from moola_core.diagnostics.vitals.prices import mean_range, ranges
from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign

# How files, spreadsheets and programs write that there is no value; "none" may well be a class.
SPREADSHEET = ("n/a", "na", "ref!", "value!", "name?", "null!", "num!", "div/0!")
NOTHING = (
    "",
    "-",
    "--",
    "?",
    ".",
    "n/a",
    "nan",
    "null",
    "nat",
    "<na>",
    "undefined",
    "tbd",
    "todo",
    *(f"#{e}" for e in SPREADSHEET),
)
ALL_BUT_TOLD = 0.97  # AUROC of one figure; of the clearest healthy patterns it is 0.92
SLIPPED = 2.5  # standard deviations by which another row's class is told better


@sign(
    "labels",
    "Class names that are nearly the same, or mean nothing",
    "One class in two spellings is two classes to a model, and a failed look-up, a blank or an error of a spreadsheet is none, which a model learns as one.",
    "Write each class in one way; find the labels of windows that have none, or leave them out.",
    unit="names",
    usual=(-np.inf, 0.0),
)
def class_names(evidence: Evidence) -> Measured:
    """Number of pairs of class names that differ in case, punctuation or an ending alone, and of names that are words for no value."""
    names = np.unique(evidence.every.label.astype(str))
    alike = [f"{one} and {other}" for one, other in combinations(names, 2) if _stem(one) == _stem(other)]
    none = np.isin(np.char.lower(np.char.strip(evidence.label)), NOTHING)
    empty = sorted(set(evidence.label[none]))
    return Measured(float(len(alike) + len(empty)), "; ".join([*alike, *empty]), evidence.some(none))


def _stem(name: str) -> str:
    return re.sub(r"(s|es|ed|ing)$", "", re.sub(r"[\W_]+", "", name.lower()))


@sign(
    "labels",
    "Share of the smallest class",
    "A class of a few windows is learned from a few windows, and its scores rest on them.",
    "Count the classes in the file of labels: are windows of one missing or renamed?",
    tail="low",
    unit="of an equal share",
    usual=(0.5, np.inf),
)
def smallest_class(evidence: Evidence) -> Measured:
    """Share of the windows in the smallest class, times the number of classes."""
    names, counts = np.unique(evidence.label, return_counts=True)
    return Measured(
        float(counts.min() * len(counts) / counts.sum()), f"{names[counts.argmin()]}: {counts.min()} of {counts.sum()}"
    )


@sign(
    "labels",
    "Class against time",
    "Where the class follows the date or the hour, a model can learn those, and fails on later windows.",
    "Label windows of all classes in every period and at every hour, or compare periods.",
    unit="−log10 p",
    usual=(-np.inf, 5.0),
)
def class_by_time(evidence: Evidence) -> Measured:
    """−log10 of the p-value that the classes are in no order of the date or of the time of day, and distributed alike within and outside of any stretch of either."""
    time = evidence.windows.start_time
    if np.isnat(time).any():
        raise NotKnown("It needs the start time of every window.")
    of_day = (time - time.astype("datetime64[D]")).astype(np.int64)
    measured = []
    for name, value in (("date", time.astype(np.int64)), ("time of day", of_day)):
        if np.ptp(value):
            measured.append(Measured(evidence_of_order(value, evidence.target), f"by the {name}"))
            own = list(stretches(value))
            measured += [
                Measured(
                    of_classes(mask, evidence.target, len(own)),
                    f"windows {first + 1} to {last + 1} by {name}",
                    evidence.some(mask),
                )
                for first, last, mask in own
            ]
    return max(measured, key=lambda one: one.value, default=Measured(0.0))


@sign(
    "labels",
    "Class told by one figure",
    "A class that follows the price level follows the date in disguise, and one that a single figure of the window tells all but without error was set by a rule: there is nothing else to learn.",
    "Look at how the classes were assigned: by a threshold, by a person, by another program? Where a rule is right, apply the rule.",
    unit="−log10 p",
    usual=(-np.inf, 5.0),
)
def class_by_figure(evidence: Evidence) -> Measured:
    """−log10 of the p-value that the classes are in no order of the windows' mean close, or of another figure of them that tells a class with an AUROC of 0.97."""
    target = evidence.target
    measured = [Measured(evidence_of_order(evidence.windows.prices[:, :, 3].mean(1), target), "the price level")]
    for name, values in _figures(evidence.windows.prices).items():
        auroc = best_told(values, target)
        if auroc >= ALL_BUT_TOLD:
            measured.append(Measured(evidence_of_order(values, target), f"{name}: AUROC {auroc:.2f}"))
    return max(measured, key=lambda one: one.value)


def _figures(prices: np.ndarray) -> dict[str, np.ndarray]:
    """Figures [n] of each window that a person may divide windows by."""
    size, close = mean_range(prices), prices[:, :, 3]
    net, reach = close[:, -1] - prices[:, 0, 0], prices[:, :, 1].max(1) - prices[:, :, 2].min(1)
    return {
        "where it ends": net / size,
        "how far it ends from where it began": np.abs(net) / size,
        "its range": reach,
        "its range in bars": reach / size,
        "the range of a bar": size,
        "the distance made good of its range": np.abs(net) / np.maximum(reach, 1e-12),
        "the place of its largest bar": ranges(prices).argmax(1).astype(float),
        "the spread of its closes": close.std(1) / size,
    }


@sign(
    "labels",
    "Runs of one class",
    "Neighbouring rows of one class more often, or less often, than by chance: rows were grouped, copied or filled down.",
    "Look at the rows in their order.",
    unit="standard deviations",
    tail="both",
    usual=(-4.0, 5.0),
)
def class_runs(evidence: Evidence) -> Measured:
    """By how many standard deviations the share of neighbouring rows of the file with the same class differs from chance."""
    target = np.unique(evidence.every.label.astype(str), return_inverse=True)[1]
    chance = float((np.bincount(target) / len(target)) @ (np.bincount(target) / len(target)))
    same = float((target[1:] == target[:-1]).mean())
    return Measured(
        (same - chance) / np.sqrt(max(chance * (1 - chance), 1e-9) / (len(target) - 1)), f"{same:.0%} alike"
    )


@sign(
    "labels",
    "Class of the row before or after",
    "Where windows fit the class of a neighbouring row, or of the row at their place in another order, better than their own, the column of labels has slipped or was joined by row.",
    "Compare the rows of the labels with the rows of the windows, by id and not by order.",
    unit="standard deviations",
    usual=(-np.inf, SLIPPED),
)
def neighbours_class(evidence: Evidence) -> Measured:
    """By how many standard deviations a linear model tells the class of another row better than the row's own, less what the largest of so many is by chance."""
    best = slip(evidence)
    return Measured(best.deviations, f"{best.words}: AUROC {best.better:.2f}, of the row's own {best.own:.2f}")


@dataclass(frozen=True)
class Slip:
    """The rows whose class windows fit best in the place of their own.

    words: how they lie to the windows; source: the row [N] for each row of the file, -1 for none; better, own: AUROC of a linear model for that class and for
    the own; deviations: by how many standard deviations they differ, as the largest of few would by chance.
    """

    words: str
    source: np.ndarray
    better: float
    own: float
    deviations: float


def slip(evidence: Evidence) -> Slip:
    """How well windows fit the classes of other rows. Raises NotKnown where there are no folds."""
    return evidence.kept("slip", lambda: _slip(evidence))


def _slip(evidence: Evidence) -> Slip:
    families = [ways for ways in (other_rows(evidence), far_rows(evidence)) if ways]
    sources = [np.arange(len(evidence.every)), *(source for ways in families for _, source in ways)]
    # A row that none belongs to gets the last one's: one or two of all.
    labels = np.stack([evidence.every.label.astype(str)[source[evidence.rows_in_file]] for source in sources], axis=1)
    positive = labels == np.array([min(own) for own in labels.T])
    aurocs_of = [auroc_of(*each) for each in zip(ridge_scores(evidence, positive).T, positive.T, strict=True)]
    own, others = aurocs_of[0], iter(aurocs_of[1:])
    noise = np.sqrt(2) * deviation_of_auroc(evidence.target == evidence.target.min())
    slips = []
    for ways in families:
        better, (words, source) = max(((next(others), way) for way in ways), key=lambda pair: pair[0])
        # What tells the own class worse than chance does so by chance.
        slips.append(Slip(words, source, better, own, of_several((better - max(own, 0.5)) / noise, len(ways))))
    return max(slips, key=lambda one: one.deviations)


def ridge_scores(evidence: Evidence, positive: np.ndarray) -> np.ndarray:
    """Scores [n, D] out of fold, in the first repeat, of a ridge regression for each column of positive [n, D]; nan where none tests."""
    folds, described = evidence.fits(), _described(evidence)
    scores = np.full(positive.shape, np.nan)
    for rows in (folds.rows(*fit) for fit in folds if fit[0] == min(repeat for repeat, _ in folds)):
        scaler = StandardScaler().fit(described[rows.fitting])
        train, test = (scaler.transform(described[part]) for part in (rows.fitting, rows.test))
        weights = np.linalg.solve(train @ train.T + train.shape[1] * np.eye(len(train)), positive[rows.fitting] - 0.5)
        scores[rows.test] = test @ (train.T @ weights)
    return scores


def auroc_of(scores: np.ndarray, positive: np.ndarray) -> float:
    """AUROC of scores [n] for a class, given as a mask [n], where there are any; 0.5 of one class alone."""
    known = np.isfinite(scores)
    own = positive[known]
    return float(aurocs(scores[known, None], own)[0]) if 0 < own.sum() < len(own) else 0.5


def _described(evidence: Evidence) -> np.ndarray:
    """What the class may be read from [n, D]: the mean of each feature, and the bars around the marked span where all windows have one."""
    windows, described = evidence.windows, aggregated(evidence.x)
    around = around_spans(windows.prices, windows.start, windows.end)
    return described if around is None else np.concatenate([described, around], axis=1)


@sign(
    "labels",
    "A group whose class is not told",
    "Where the classes can be told in all windows but those of one group, the labels of that group mean something else.",
    "Look at labels of the group: who set them, when, by which rule?",
    unit="standard deviations",
    usual=(-np.inf, 3.0),
)
def untold_group(evidence: Evidence) -> Measured:
    """By how many standard deviations the AUROC of extra trees is lower in a group of windows than in the rest."""
    p = mean_probabilities(evidence)[:, 0]
    positive, best = evidence.target == 0, (0.0, "", np.zeros(len(p), bool))
    for name, mask in parts(evidence):
        sides = [np.isfinite(p) & side for side in (mask, ~mask)]
        if any(len(np.unique(positive[side])) < 2 for side in sides):
            continue
        inside, outside = (float(aurocs(p[side, None], positive[side])[0]) for side in sides)
        noise = float(np.hypot(deviation_of_auroc(positive[sides[0]]), deviation_of_auroc(positive[sides[1]])))
        if (outside - inside) / noise > best[0]:
            best = ((outside - inside) / noise, f"{name}: AUROC {inside:.2f}, elsewhere {outside:.2f}", mask)
    return Measured(float(best[0]), best[1], evidence.some(best[2]))


def mean_probabilities(evidence: Evidence) -> np.ndarray:
    """Out-of-fold probabilities [n, C] of extra trees, the mean over repeats."""
    if evidence.probabilities is None:
        raise NotKnown("Extra trees were not fitted on the run's folds.")
    with np.errstate(invalid="ignore"):
        return np.nanmean(evidence.probabilities, axis=0)
