"""Which repairs of the labels the evidence speaks for: of columns that slipped, of parts that are exchanged or at chance, and of nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moola_core.diagnostics.repairs import MOST, repairs
from moola_core.diagnostics.results.weak_slices import WeakSlice
from moola_core.market.demo import make_demo
from moola_core.runs.folds import Folds
from tests.diagnostics.test_vitals import ROWS, evidence_of


@pytest.fixture(scope="module")
def windows(demo):
    return demo.windows


@pytest.fixture(scope="module")
def more_windows():
    """As many as tell a slip from chance."""
    return make_demo("helpful", bars=40_000, windows=120, seed=5).windows


def divided(windows):
    """The evidence with five folds of the windows."""
    fold = np.arange(len(windows)) % 5
    rows = [
        (0, f, name, "test" if own == f else "train")
        for f in range(5)
        for name, own in zip(windows.window_id.astype(str), fold, strict=True)
    ]
    columns = dict(zip(("repeat", "fold", "window_id", "role"), map(list, zip(*rows, strict=True)), strict=True))
    return evidence_of(windows, folds=Folds(columns, window_id=list(windows.window_id.astype(str))))


def weak(evidence, part, mask, inside, q=0.001):
    return WeakSlice(part, "class", int(mask.sum()), inside, 0.8, q, evidence.some(mask))


def graded(windows):
    return replace(windows, grade=np.where(np.arange(len(windows)) % 3 == 0, "B", "A").astype(object))


def test_right_labels_are_left_as_they_are(windows):
    evidence = divided(graded(windows))
    mask = evidence.windows.grade == "B"
    assert repairs(evidence, ()) == []
    assert repairs(evidence, (weak(evidence, "grade B", mask, 0.5, q=0.5),)) == []


@pytest.mark.parametrize("rows", [1, -1])
def test_a_column_that_slipped_is_moved_back(more_windows, rows):
    windows = more_windows
    moved = replace(windows, label=np.roll(windows.label.astype(object), rows))
    (found,) = repairs(divided(moved), ())
    assert found.title.endswith("1 row below" if rows > 0 else "1 row above")
    true = dict(zip(windows.window_id.astype(str), windows.label.astype(str), strict=True))
    mended = {str(name): str(own) for name, own in zip(found.mended.window_id, found.mended.label, strict=True)}
    assert len(mended) == len(true) - 1 and all(true[name] == own for name, own in mended.items())


def test_classes_that_others_tell_the_other_way_round_are_exchanged(more_windows):
    windows = graded(more_windows)
    own = windows.grade == "B"
    one, other = windows.classes
    label = windows.label.astype(str).astype(object)
    label[own] = np.where(label[own] == one, other, one)
    evidence = divided(replace(windows, label=label))
    (exchanged,) = repairs(evidence, ())
    assert exchanged.title == "classes exchanged in grade B" and set(exchanged.windows) == set(evidence.ids[own])
    assert (exchanged.mended.label.astype(str) == windows.label.astype(str)).all()


def test_a_part_at_chance_is_left_out(more_windows):
    windows = graded(more_windows)
    own = windows.grade == "B"
    label = windows.label.astype(str).astype(object)
    label[own] = ROWS.permutation(label[own])
    evidence = evidence_of(replace(windows, label=label))
    (without,) = repairs(evidence, (weak(evidence, "grade B", own, 0.48),))
    assert without.title == "without grade B" and without.judged_by == ("auroc",), "a constant may point nearer then"
    assert set(without.mended.window_id.astype(str)) == set(evidence.ids[~own])


def test_no_more_are_tried_than_the_intervals_allow_for(windows):
    evidence = evidence_of(graded(windows))
    mask = evidence.windows.grade == "B"
    many = [weak(evidence, "grade B", mask, 0.05), weak(evidence, "grade A", ~mask, 0.05)] * 3
    assert len(repairs(evidence, many)) == MOST


def lagging(windows):
    """Pointers of the last half of the file ten bars late."""
    late = np.where(np.arange(len(windows)) >= len(windows) / 2, 10.0, 0.0)
    return replace(windows, start=windows.start + late, end=windows.end + late)


POINTERS = {
    "9 bars earlier": lambda w: replace(w, start=w.start + 9, end=w.end + 9),
    "of the last half of the file 10 bars earlier": lagging,
    "counted from the end": lambda w: replace(w, start=w.bars - 1 - w.end, end=w.bars - 1 - w.start),
    "taken 1 row above": lambda w: replace(w, start=np.roll(w.start, -1), end=np.roll(w.end, -1)),
}


@pytest.mark.parametrize("how", POINTERS)
def test_pointers_are_read_as_the_movement_says(how, more_windows):
    windows = more_windows.select(np.flatnonzero(more_windows.end < 92))
    (moved,) = repairs(evidence_of(POINTERS[how](windows)), ())
    assert moved.title == f"pointers {how}"
    right = (moved.mended.start == windows.start) & (moved.mended.end == windows.end)
    assert right[1:-1].all() and repairs(evidence_of(windows), ()) == []


def test_windows_with_other_prices_are_cut_anew(demo, windows):
    prices = windows.prices.copy()
    prices[::3] = prices[::3, ::-1]
    evidence = evidence_of(replace(windows, prices=prices), demo.bars)
    (anew,) = [one for one in repairs(evidence, ()) if one.title.startswith("windows cut anew")]
    assert set(anew.windows) == set(evidence.ids[::3])
    level = (anew.mended.prices - windows.prices)[:, :, 3]  # a constant of each window is no difference
    np.testing.assert_allclose(level, np.broadcast_to(level[:, :1], level.shape), atol=1e-6)
