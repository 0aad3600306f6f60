"""Which windows to label next: those that the model is least sure of, apart from each other."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from moola_core.investigation.question import QUESTIONS
from moola_core.investigation.questions.labels import UNLABELLED, most_uncertain
from moola_core.launch.worker.investigate import Made, NotMade


def predicted(**more) -> pd.DataFrame:
    """New windows every 10 bars, of which the model is the surer the later they begin."""
    first = np.arange(0, 100, 10)
    p = 0.5 + first / 250
    times = pd.Timestamp("2024-01-02 09:30", tz="UTC") + pd.to_timedelta(first, unit="min")
    columns = {"first_bar": first, "start_time": times, "predicted": "a", "p_a": p, "p_b": 1 - p, "p_span": 0.4}
    return pd.DataFrame(columns | more)


def test_the_closest_calls_come_first_and_none_shares_bars_with_another():
    assert most_uncertain(predicted(), 10, 3)["first_bar"].tolist() == [0, 10, 20]
    assert most_uncertain(predicted(), 25, 3)["first_bar"].tolist() == [0, 30, 60]
    odd = np.arange(10) == 0
    assert most_uncertain(predicted(out_of_distribution=odd), 10, 2)["first_bar"].tolist() == [10, 20]
    assert most_uncertain(predicted().drop(columns=["p_a", "p_b"]), 10, 2).empty


def test_the_question_names_the_times_of_these_windows():
    table = SimpleNamespace(to_pandas=predicted)
    run = SimpleNamespace(id="run", table=lambda name: table)
    known = SimpleNamespace(facts=SimpleNamespace(window_bars=25))
    answer = QUESTIONS["next windows"].read(known, {UNLABELLED: run})
    assert answer.answer == "these" and answer.numbers["windows"][0].startswith("2024-01-02 09:30")
    assert "2024-01-02 10:00" in answer.outcome


def test_only_a_run_that_was_not_made_leaves_a_question_without_an_answer():
    with pytest.raises(NotMade):
        QUESTIONS["next windows"].read(None, Made())
