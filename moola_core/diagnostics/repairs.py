"""Which part of the labelled windows may be at fault, and how it would be mended: what experiments then try."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from moola_core.diagnostics.doctor.experimented import EXCHANGED
from moola_core.diagnostics.doctor.where import RATE
from moola_core.diagnostics.results.weak_slices import WeakSlice
from moola_core.diagnostics.vitals.classes import SLIPPED, slip, told_by_the_rest
from moola_core.diagnostics.vitals.groups import deviation_of_auroc, parts
from moola_core.diagnostics.vitals.sign import Evidence, NotKnown
from moola_core.diagnostics.weak_slices import masks
from moola_core.market.windows import Windows

MOST = 4  # that are tried: each takes a fitting, and is a chance to be taken in
# Standard deviations below an AUROC of 0.5: about ten parts are looked at, and their windows may share bars.
SURELY_REVERSED = 4.0


@dataclass(frozen=True)
class Repair:
    """The labelled windows with a part of them mended or left out.

    title: what was done, in words; windows: the ids that it concerns; mended: the windows that are left.
    """

    title: str
    windows: tuple[str, ...]
    mended: Windows


def repairs(evidence: Evidence, slices: Sequence[WeakSlice]) -> list[Repair]:
    """What the evidence speaks for, at most four: a column of labels that has slipped, classes exchanged in a part, a part left out."""
    weak = [one for one in slices if one.what == "class" and one.q <= RATE and one.inside < one.outside]
    searched = masks(evidence)
    without = [_without(evidence, one.part, searched[one.part]) for one in weak]
    return [*_slipped(evidence), *_most_reversed(evidence), *without][:MOST]


def _slipped(evidence: Evidence) -> Iterator[Repair]:
    """The class of the row some rows away, where windows fit it surely better than their own."""
    try:
        best = slip(evidence)
    except NotKnown:
        return
    if (best.better - best.own) / best.noise <= SLIPPED:
        return
    place = {name: i for i, name in enumerate(evidence.every.window_id.astype(str))}
    source = np.array([place[name] for name in evidence.ids]) + best.lag
    there = (source >= 0) & (source < len(place))
    kept = evidence.windows.select(np.flatnonzero(there))
    labels = evidence.every.label.astype(str)[source[there]].astype(object)
    words = f"each window given the class {abs(best.lag)} {'row' if abs(best.lag) == 1 else 'rows'}"
    yield Repair(
        f"{words} {'below' if best.lag > 0 else 'above'}",
        tuple(kept.window_id.astype(str)),
        replace(kept, label=labels),
    )


def _most_reversed(evidence: Evidence) -> Iterator[Repair]:
    """Classes exchanged in the part that the other windows tell most surely the other way round, if they do.

    Of a part and the rest the smaller one is taken: which of the two is exchanged nothing in the data says.
    """
    if len(np.unique(evidence.target)) != 2:
        return
    surest, best = SURELY_REVERSED, None
    for name, mask in ((name, mask) for name, mask in parts(evidence) if mask.mean() <= 0.5):
        try:
            auroc = told_by_the_rest(evidence, mask)
        except NotKnown:
            continue
        by = (0.5 - auroc) / deviation_of_auroc(evidence.target[mask] == evidence.target.min())
        if by > surest:
            surest, best = by, _exchanged(evidence, name, mask)
    if best is not None:
        yield best


def _exchanged(evidence: Evidence, part: str, mask: np.ndarray) -> Repair:
    one, other = np.unique(evidence.label.astype(str))
    labels = evidence.windows.label.astype(str).astype(object)
    labels[mask] = np.where(labels[mask] == one, other, one)
    return Repair(f"{EXCHANGED} {part}", _ids(evidence, mask), replace(evidence.windows, label=labels))


def _without(evidence: Evidence, part: str, mask: np.ndarray) -> Repair:
    return Repair(f"without {part}", _ids(evidence, mask), evidence.windows.select(np.flatnonzero(~mask)))


def _ids(evidence: Evidence, mask: np.ndarray) -> tuple[str, ...]:
    return tuple(evidence.ids[mask].tolist())
