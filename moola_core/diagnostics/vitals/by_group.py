"""Vital signs of what a class goes with by the way the windows were collected: their grade, source or instrument, and where they are marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from moola_core.diagnostics.vitals.groups import best_told, evidence_of_order, of_classes, parts
from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign

TOLD = 0.95  # AUROC from which the length of the expansion all but is the class: patterns may well differ in length
TIMES = ("the ",)  # parts of the file's order and of time, which have signs of their own


@sign(
    "labels",
    "Class against grade or source",
    "Where one grade, source or instrument has the classes in other shares than the rest, how the windows were collected tells the class.",
    "Look at how the classes of this group were assigned; compare them with those of the rest, and leave the group out if nobody looked at its windows.",
    unit="−log10 p",
    usual=(-np.inf, 6.0),
)
def class_by_group(evidence: Evidence) -> Measured:
    """How surely a group has other shares of the classes than the rest, as −log10 of p times the groups."""
    groups = [(name, mask) for name, mask in parts(evidence, hours=False) if not name.startswith(TIMES)]
    if not groups:
        raise NotKnown("The windows have no grades, sources or instruments that divide them.")
    tried = [(of_classes(mask, evidence.target, len(groups)), name, mask) for name, mask in groups]
    value, name, mask = max(tried, key=lambda one: one[0])
    return Measured(
        value, f"{name}: {_shares(evidence, mask)}, elsewhere {_shares(evidence, ~mask)}", evidence.some(mask)
    )


@sign(
    "labels",
    "Class against the pointers",
    "Where the expansions of one class alone were marked, where theirs lie elsewhere or go one way more often, or where the length of the expansion is the class, the pointers tell the class and the pattern need not.",
    "Mark the expansions of all classes, cut windows without a look at the class, and set the class by what the prices show; until then let the model predict the class alone (model.tasks), and ask it of windows cut otherwise.",
    unit="−log10 p",
    usual=(-np.inf, 6.0),
)
def class_by_pointers(evidence: Evidence) -> Measured:
    """How surely windows without a pointer have other shares of the classes, expansions of one class lie elsewhere or go one way more often, or their length is the class, as −log10 of p."""
    marked = evidence.windows.has_pointer
    if not marked.any():
        raise NotKnown("No window has a pointer.")
    center = (evidence.windows.start + evidence.windows.end)[marked] / 2
    target = evidence.target[marked]
    value, detail, rows = 0.0, "", marked
    if len(np.unique(target)) > 1 and np.ptp(center) > 0:
        middles = (
            f"{np.median(center[evidence.label[marked] == name]):.0f} ({name})"
            for name in np.unique(evidence.label[marked])
        )
        value, detail = evidence_of_order(center, target), f"centers at bar {', '.join(middles)} in the median"
        auroc, length = _told_by_length(evidence, marked)
        if auroc >= TOLD and length > value:
            value, detail = length, f"the length of the expansion tells the classes apart, AUROC {auroc:.2f}"
        direction, shares = _by_direction(evidence, marked)
        if direction > value:
            value, detail = direction, shares
    missing = 0.0 if marked.all() else of_classes(marked, evidence.target, 1)
    if missing > value:
        detail = f"without a pointer {_shares(evidence, ~marked)}, with one {_shares(evidence, marked)}"
        value, rows = missing, ~marked
    return Measured(value, detail, evidence.some(rows))


def _by_direction(evidence: Evidence, marked: np.ndarray) -> tuple[float, str]:
    """−log10 of p that expansions of all classes rise as often, and how often they do; 0 where the direction all but is the class, as classes may be called by it."""
    windows, each = evidence.windows, np.flatnonzero(marked)
    first, last = windows.start[each].astype(int), windows.end[each].astype(int)
    rises = windows.prices[each, last, 3] > windows.prices[each, first, 0]
    target, label = evidence.target[each], evidence.label[each]
    if rises.all() or not rises.any() or best_told(rises, target) >= TOLD:
        return 0.0, ""
    shares = (f"{rises[label == name].mean():.0%} of {name}" for name in np.unique(label))
    return of_classes(rises, target, 1), f"expansions rise in {', '.join(shares)}"


def _told_by_length(evidence: Evidence, marked: np.ndarray) -> tuple[float, float]:
    """The AUROC, of whichever sign, of the length for the class that it tells best, and −log10 of p that lengths are alike in all classes."""
    length = (evidence.windows.end - evidence.windows.start)[marked]
    target = evidence.target[marked]
    if np.ptp(length) == 0:
        return 0.5, 0.0
    return best_told(length, target), evidence_of_order(length, target)


def _shares(evidence: Evidence, mask: np.ndarray) -> str:
    names: Sequence[str] = np.unique(evidence.label).tolist()
    return ", ".join(f"{name} {np.mean(evidence.label[mask] == name):.0%}" for name in names)
