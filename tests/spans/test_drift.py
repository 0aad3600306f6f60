"""Spans of some lengths, and the move through each next to its length."""

from __future__ import annotations

import numpy as np
import pytest

from moola_core.spans.candidates import every, of_lengths
from moola_core.spans.drift import move_through, per_root_bar


@pytest.mark.parametrize(("least", "most"), [(2, 2), (3, 7), (5, 200)])
def test_spans_of_some_lengths_are_those_of_two_loops(least, most):
    spans = of_lengths(12, least, most)
    slow = {(s, e) for s in range(12) for e in range(s, 12) if least <= e - s + 1 <= most}
    assert set(zip(spans.start.tolist(), spans.end.tolist(), strict=True)) == slow and len(spans) == len(slow)
    assert spans.share.sum() == pytest.approx(1)


def test_moves_are_from_the_first_open_to_the_last_close_over_the_root_of_the_length():
    rng = np.random.default_rng(0)
    opened, close = rng.normal(size=(2, 4, 9))
    spans = every(9)
    size = per_root_bar(move_through(opened, close, spans), spans)
    for n in range(4):
        for i, (s, e) in enumerate(zip(spans.start, spans.end, strict=True)):
            assert size[n, i] == pytest.approx(abs(close[n, e] - opened[n, s]) / max(e - s, 1) ** 0.5)
