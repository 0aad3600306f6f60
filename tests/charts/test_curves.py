from __future__ import annotations

import numpy as np
import pytest

from moola_core.charts import curves


@pytest.fixture
def epochs() -> dict[str, np.ndarray]:
    """Three fits of two epochs, the events interleaved as two processes write them."""
    rows = [(0, 0, 1, 1.0), (0, 1, 1, 2.0), (0, 0, 2, 0.5), (1, 0, 1, 6.0), (0, 1, 2, 1.5), (1, 0, 2, 0.7)]
    repeat, fold, epoch, loss = (np.array(column) for column in zip(*rows, strict=True))
    double = {"repeat": repeat, "fold": fold, "epoch": epoch, "loss_class": loss}
    table = {name: np.concatenate([values, values]) for name, values in double.items()}
    table["split"] = np.array(["train"] * 6 + ["validation"] * 6)
    table["loss_class"][6:] += 10
    return table


def test_fits_are_not_joined_to_each_other(epochs):
    thin = curves.losses(epochs, "loss_class").data[0]
    assert np.isnan(thin.x).sum() == 2
    pieces = np.split(np.array(thin.y), np.flatnonzero(np.isnan(thin.x)))
    assert [[value for value in piece if not np.isnan(value)] for piece in pieces] == [
        [1.0, 0.5],
        [2.0, 1.5],
        [6.0, 0.7],
    ]


def test_bold_lines_are_medians_of_their_split(epochs):
    named = {trace.name: trace for trace in curves.losses(epochs, "loss_class").data if trace.name}
    assert list(named["training"].y) == [2.0, 0.7]
    assert list(named["validation"].y) == [12.0, 10.7]


def test_the_constant_answer_is_drawn_where_it_is_known(epochs):
    drawn = curves.losses(epochs, "loss_class", constant=np.log(2)).data
    assert list(drawn[-1].y) == pytest.approx([np.log(2)] * 2)


def test_a_missing_column_leaves_an_empty_chart(epochs):
    assert len(curves.sigmas(epochs).data) == 0


def test_conflict_counts_only_measured_steps():
    steps = {
        "epoch": np.array([1, 1, 1, 2]),
        "conflict": np.array([1.0, np.nan, 0.0, 1.0]),
        "projected": np.array([0.0, np.nan, 0.0, 1.0]),
    }
    conflict, projected = curves.conflict(steps).data
    assert list(conflict.y) == [0.5, 1.0] and list(projected.y) == [0.0, 1.0]
    assert list(conflict.customdata) == [2, 1]
