from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from moola_core.market.windows import windows_from_arrays
from moola_core.ui import window_table
from moola_core.ui.window_table import Filter


@pytest.fixture
def windows():
    close = 100 + np.random.default_rng(0).normal(0, 1, (4, 20)).cumsum(1)
    prices = np.stack([close, close + 1, close - 1, close], axis=2)
    return windows_from_arrays(
        prices,
        ["a", "a", "b", "b"],
        window_id=["w0", "w1", "w2", "w3"],
        expansion_start=[5, 6, 7, None],
        expansion_end=[9, 10, 11, None],
        grade=["A", "B", "A", "D"],
    )


@pytest.fixture
def predictions() -> pd.DataFrame:
    """w0 right twice, w1 right once of two, w2 wrong twice, w3 never predicted."""
    rows = [
        (0, "w0", "a", "a", 0.8, 5.0, 9.0, 6.0, 10.0),
        (1, "w0", "a", "a", 0.6, 5.0, 9.0, 8.0, 12.0),
        (0, "w1", "a", "a", 0.7, 6.0, 10.0, 6.0, 10.0),
        (1, "w1", "a", "b", 0.3, 6.0, 10.0, 2.0, 6.0),
        (0, "w2", "b", "a", 0.9, 7.0, 11.0, 17.0, 21.0),
        (1, "w2", "b", "a", 0.9, 7.0, 11.0, 17.0, 21.0),
    ]
    names = ["repeat", "window_id", "label", "predicted", "p_a", "start_true", "end_true", "start_pred", "end_pred"]
    table = pd.DataFrame(rows, columns=names).assign(fold=0)
    return table.assign(p_b=1 - table["p_a"])


def test_answers_are_joined_over_the_repeats(windows, predictions):
    table = window_table.join(windows, predictions)
    assert table["repeats"].tolist() == [2, 2, 2, 0] and table["right"].tolist() == [2, 1, 0, 0]
    assert table["p_true"].tolist()[:3] == pytest.approx([0.7, 0.5, 0.1])
    assert table["error"].tolist()[:3] == pytest.approx([2.0, 2.0, 10.0])
    assert [window_table.outcome(row) for _, row in table.iterrows()] == ["right", "wrong", "wrong", "unseen"]


def test_one_repeat_alone(windows, predictions):
    table = window_table.join(windows, predictions, 0)
    assert table["right"].tolist() == [1, 1, 0, 0] and table["said"].tolist() == [("a",), ("a",), ("a",), ()]


@pytest.mark.parametrize(
    ("chosen", "rows"),
    [
        (Filter(), [0, 1, 2, 3]),
        (Filter(true="b"), [2, 3]),
        (Filter(grade="A"), [0, 2]),
        (Filter(outcome="right"), [0]),
        (Filter(outcome="wrong"), [1, 2]),
        (Filter(outcome="unseen"), [3]),
        (Filter(predicted="b"), [1]),
        (Filter(true="a", predicted="a"), [0, 1]),
        (Filter(error=3), [2]),
    ],
)
def test_filters(windows, predictions, chosen, rows):
    assert window_table.select(window_table.join(windows, predictions), chosen).tolist() == rows


def test_a_cell_of_the_confusion_of_one_repeat_opens_as_many_windows_as_it_counts(windows, predictions):
    """What Results counts in a cell and what Windows then shows must be the same windows."""
    for repeat in (0, 1):
        rows = predictions[predictions["repeat"] == repeat]
        for true in "ab":
            for said in "ab":
                count = int(((rows["label"] == true) & (rows["predicted"] == said)).sum())
                table = window_table.join(windows, predictions, repeat)
                assert len(window_table.select(table, Filter(true=true, predicted=said))) == count


def test_orders_put_what_is_unknown_last(windows, predictions):
    table = window_table.join(windows, predictions)
    everything = np.arange(4)
    assert window_table.order(table, everything, "unsure").tolist() == [2, 1, 0, 3]
    assert window_table.order(table, everything, "error").tolist() == [2, 0, 1, 3]
    assert window_table.order(table, everything, "file").tolist() == [0, 1, 2, 3]


def test_without_predictions_no_window_is_right_or_wrong(windows):
    table = window_table.join(windows, None)
    assert len(window_table.select(table, Filter(outcome="unseen"))) == 4


def test_a_run_that_trains_pointers_alone_has_errors_and_no_answers(windows, predictions):
    alone = predictions.drop(columns=["p_a", "p_b"]).assign(predicted=None)
    table = window_table.join(windows, alone)
    assert table["repeats"].tolist() == [0, 0, 0, 0] and table["error"].tolist()[:3] == pytest.approx([2.0, 2.0, 10.0])
    assert window_table.pointers(window_table.of_window(alone, "w0", None)) == [(6.0, 10.0), (8.0, 12.0)]
