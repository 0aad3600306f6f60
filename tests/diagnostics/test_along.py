"""Labels along the rows and the days: what is exchanged or fades by turns is found where it is, and chance finds nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moola_core.diagnostics.vitals.along import SURE, exchange, labels_come_and_go
from moola_core.diagnostics.vitals.sign import NotKnown
from moola_core.market.demo import make_demo
from tests.diagnostics.test_repairs import divided
from tests.diagnostics.test_vitals import evidence_of

SURELY = 3.0  # −log10 p


@pytest.fixture(scope="module")
def windows():
    """Clear windows, as many as one sitting after another takes."""
    return make_demo("helpful", 20_000, 120, 3, 3.0).windows


def wrong_way_round(windows, mask):
    one, other = windows.classes
    label = windows.label.astype(object)
    return replace(windows, label=np.where(mask, np.where(label == one, other, one), label))


PARTS = {
    "every second block of 20 rows": lambda n: np.arange(n) // 20 % 2 == 1,
    "by row": lambda n: np.arange(n) >= 0.7 * n,
    "every second block of 7 rows": lambda n: np.arange(n) // 7 % 2 == 1,
}


@pytest.mark.parametrize("words", PARTS)
def test_the_part_with_exchanged_classes_is_found(windows, words):
    mask = PARTS[words](len(windows))
    best = exchange(divided(wrong_way_round(windows, mask)))
    assert best.deviations > SURE and words in best.words and best.better > best.own
    assert (best.mask == mask).mean() > 0.9


def test_classes_that_are_exchanged_where_expansions_are_long_are_found(windows):
    length = windows.end - windows.start
    best = exchange(divided(wrong_way_round(windows, length > np.median(length))))
    assert best.deviations > SURE and "a long expansion" in best.words and best.better > best.own


def test_classes_as_they_are_and_at_random_are_not_exchanged(windows):
    assert exchange(divided(windows)).deviations < SURE
    random = replace(windows, label=np.random.default_rng(2).permutation(windows.label))
    assert exchange(divided(random)).deviations < SURE
    three = replace(windows, label=np.array(["a", "b", "c"], object)[np.arange(len(windows)) % 3])
    with pytest.raises(NotKnown):
        exchange(divided(three))


def test_a_few_windows_have_no_parts_to_exchange(windows):
    few = windows.select(np.arange(16))
    with pytest.raises(NotKnown):
        exchange(divided(few))


def own_class(windows, p):
    """Probabilities [1, n, 2] with p for each window's own class."""
    target = np.unique(windows.label.astype(str), return_inverse=True)[1]
    return np.where(np.arange(2) == target[:, None], p[:, None], 1 - p[:, None])[None]


@pytest.mark.parametrize("rows", [11, 40])
def test_a_class_that_fades_within_each_sitting_is_found_with_its_length(windows, rows):
    rng, n = np.random.default_rng(rows), len(windows)
    tired = np.arange(n) % rows / rows
    p = np.clip(0.8 - 0.4 * tired + rng.normal(0, 0.15, n), 0, 1)
    measured = labels_come_and_go(evidence_of(windows, probabilities=own_class(windows, p)))
    assert measured.value > SURELY and measured.detail in [
        f"classes: a cycle of {rows + off} rows" for off in (-1, 0, 1)
    ]
    late = np.isin(windows.window_id, measured.windows)
    assert tired[late].mean() > tired[~late].mean()
    steady = np.clip(0.7 + rng.normal(0, 0.15, n), 0, 1)
    assert labels_come_and_go(evidence_of(windows, probabilities=own_class(windows, steady))).value < SURELY


def test_pointers_that_are_late_every_third_day_are_found(windows, demo):
    day = (windows.start_time.astype("datetime64[D]") - windows.start_time[0].astype("datetime64[D]")).astype(int)
    by = np.where(day % 3 == 0, 15, 0)
    late = replace(windows, start=np.clip(windows.start + by, 0, 104), end=np.clip(windows.end + by, 0, 104))
    measured = labels_come_and_go(evidence_of(late))
    assert measured.value > SURELY and measured.detail.endswith("days")
    assert labels_come_and_go(evidence_of(windows)).value < SURELY
