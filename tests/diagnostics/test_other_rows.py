"""Labels that belong to other rows: each assignment once, the one that was made is found, and chance finds none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from moola_core.diagnostics.vitals.classes import SLIPPED, slip
from moola_core.diagnostics.vitals.other_rows import of_several, other_rows
from moola_core.diagnostics.vitals.pointing import neighbours_pointer
from moola_core.market.demo import make_demo
from tests.diagnostics.test_repairs import divided
from tests.diagnostics.test_vitals import evidence_of


@pytest.fixture(scope="module")
def mixed():
    """Clear windows in an order that is that of nothing, with ids that sort otherwise as text than as numbers."""
    made = make_demo("helpful", 20_000, 120, 3, 3.0).windows
    windows = made.select(np.random.default_rng(3).permutation(len(made)))
    return replace(windows, window_id=np.array([f"w{i}" for i in range(len(windows))], object))


def by_time(values, windows, lag):
    """Each value moved by `lag` windows in the order of time."""
    order, moved = np.argsort(windows.start_time), values.copy()
    moved[order] = np.roll(values[order], lag)
    return moved


def as_text(values, windows):
    """The values of windows that were sorted by their ids as text, pasted in the order of the file."""
    return values[np.argsort(windows.window_id.astype(str), kind="stable")]


CHANGES = {
    "1 row below in the order of time": lambda v, w: by_time(v, w, 1),
    "2 rows above": lambda v, w: np.roll(v, -2),
    "17 rows above": lambda v, w: np.roll(v, -17),
    "40 rows below in the order of time": lambda v, w: by_time(v, w, 40),
    "at its place where windows are in the order of ids as text and labels in that of the file": as_text,
    "at its place where windows are in the order of the file and labels in that of the file backwards": lambda v, w: v[
        ::-1
    ],
}


@pytest.mark.parametrize("words", CHANGES)
def test_the_rows_that_labels_were_taken_from_are_found(mixed, words):
    change = CHANGES[words]
    wrong = replace(mixed, **{name: change(getattr(mixed, name), mixed) for name in ("label", "start", "end")})
    best = slip(divided(wrong))
    assert best.deviations > SLIPPED and best.better > 0.7 and words in best.words
    there = best.source >= 0
    assert (wrong.label[best.source[there]] == mixed.label[there]).mean() > 0.98
    measured = neighbours_pointer(evidence_of(wrong))
    assert measured.value > 3 and words in measured.detail


def test_pointers_that_were_exchanged_in_some_pairs_of_rows_are_found(mixed):
    pairs = np.arange(len(mixed)) // 2
    some = np.random.default_rng(4).random(pairs[-1] + 1) < 0.5
    source = np.where(some[pairs], np.minimum(np.arange(len(mixed)) ^ 1, len(mixed) - 1), np.arange(len(mixed)))
    wrong = replace(mixed, start=mixed.start[source], end=mixed.end[source])
    measured = neighbours_pointer(evidence_of(wrong))
    assert measured.value > 3 and "of the other row of its pair" in measured.detail
    assert neighbours_pointer(evidence_of(mixed)).value < 3


def test_labels_of_their_own_rows_and_labels_at_random_are_not_said_to_be_of_others(mixed):
    assert slip(divided(mixed)).deviations < 0
    random = replace(mixed, label=np.random.default_rng(1).permutation(mixed.label))
    assert slip(divided(random)).deviations < SLIPPED


def test_each_assignment_comes_once_and_is_one_of_all_rows(mixed):
    sources = [source for _, source in other_rows(evidence_of(mixed))]
    assert len({source.tobytes() for source in sources}) == len(sources) > 20
    for source in sources:
        kept = source[source >= 0]
        assert len(np.unique(kept)) == len(kept) >= len(mixed) - 2
    ordered = mixed.select(np.argsort(mixed.start_time))
    named = replace(ordered, window_id=np.array([f"w{i:03d}" for i in range(len(ordered))], object))
    assert len(other_rows(evidence_of(named))) == 4 + 1 + 1  # slipped, turned round, or exchanged in pairs


def test_ids_may_hold_anything(mixed):
    odd = replace(mixed, window_id=np.array([f"m²-{i}٣ " for i in range(len(mixed))], object))
    assert len(other_rows(evidence_of(odd))) > 20


def test_the_largest_of_many_counts_as_the_largest_of_four(mixed):
    assert of_several(3.0, 4) == 3.0 and of_several(-1.0, 40) == -1.0 and of_several(50.0, 30) == 50.0
    assert norm.sf(of_several(3.0, 40)) == pytest.approx(10 * norm.sf(3.0))
