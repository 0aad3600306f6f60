"""The one table of predictions: as rows, and as arrays of repeats and windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from moola_core.overlap import Overlap
from moola_core.runs.predictions import PredictionTable

CLASSES = ("c", "a", "b")  # the order of the columns is not that of the names


def frame(seed: int = 0, n: int = 12, repeats: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    label = rng.choice(CLASSES, n)
    parts = []
    for repeat in range(repeats):
        p = rng.dirichlet(np.ones(3), n)
        columns = {
            "repeat": repeat,
            "fold": rng.permutation(n) % 4,
            "window_id": [f"w{i}" for i in range(n)],
            "label": label,
        }
        columns |= {"predicted": np.array(CLASSES)[p.argmax(1)], "start_true": 3.0, "end_true": np.arange(n) + 4.0}
        columns |= {"start_pred": rng.normal(3, 1, n), "end_pred": rng.normal(9, 1, n)}
        parts.append(pd.DataFrame(columns | {f"p_{name}": p[:, i] for i, name in enumerate(CLASSES)}))
    return pd.concat(parts).sample(frac=1, random_state=seed, ignore_index=True)


@pytest.mark.parametrize("seed", range(3))
def test_a_grid_holds_each_row_at_its_repeat_and_window_and_nan_where_a_repeat_lacks_one(seed):
    every = frame(seed)
    lacking = every[(every["repeat"] != 1) | (every["fold"] != 2)]
    window_id = np.random.default_rng(seed).permutation([f"w{i}" for i in range(12)])
    grid = PredictionTable(lacking).grid(window_id)
    where = lacking.set_index(["repeat", "window_id"])
    for r in range(3):
        for i, name in enumerate(window_id):
            assert grid.present[r, i] == ((r, name) in where.index)
            if not grid.present[r, i]:
                assert grid.fold[r, i] == -1 and np.isnan(grid.probabilities()[r, i]).all()
                assert np.isnan(grid.numbers("start_pred")[r, i]) and grid.words("predicted")[r, i] == ""
                continue
            row = where.loc[(r, name)]
            assert grid.fold[r, i] == row["fold"] and grid.words("predicted")[r, i] == row["predicted"]
            assert grid.probabilities()[r, i].tolist() == [row[f"p_{c}"] for c in CLASSES]
            assert grid.probabilities(("a", "b"))[r, i].tolist() == [row["p_a"], row["p_b"]]
            assert grid.label[i] == row["label"] == CLASSES[grid.target[i]]
    assert not grid.present.all()


def test_predictions_with_repeats_first_are_those_of_each_repeat():
    table = PredictionTable(frame(), window_bars=20)
    grid = table.grid()
    together = grid.predictions()
    for r, own in table.repeats():
        alone = PredictionTable(own.frame.sort_values("window_id"), 20).arrays()
        assert together.classes == alone.classes and together.window_bars == alone.window_bars
        for name in ("target", "probabilities", "span", "true_span", "answered"):
            assert np.array_equal(getattr(together, name)[r], getattr(alone, name)), name


def test_a_table_without_window_ids_or_without_groups_of_all_windows_still_has_a_grid():
    grid = PredictionTable(frame().drop(columns="window_id")).grid()
    assert grid.present.shape == (3, 12) and grid.present.all()
    grid = PredictionTable(frame()).grid()
    some, every = (Overlap.of_groups(np.zeros(len(names), int), names) for names in (grid.windows[:-1], grid.windows))
    assert grid.shared(some).independent == grid.shared(None).independent == 12 and grid.shared(every).independent == 1


def test_the_probability_of_the_true_class_is_missing_where_the_table_has_no_column_for_it():
    rows = frame()
    rows.loc[0, "label"] = "other"
    found = PredictionTable(rows).true_probability
    assert np.isnan(found[0])
    assert found[1:].tolist() == [row[f"p_{row['label']}"] for _, row in rows.iloc[1:].iterrows()]
    assert list(PredictionTable(rows).by_class) == list(CLASSES)
    bare = PredictionTable(rows[["repeat", "window_id", "label"]])
    assert np.isnan(bare.true_probability).all() and bare.by_class == {}


def test_new_windows_have_no_labels_and_what_a_model_states_of_a_span_is_no_class():
    new = frame(repeats=1).drop(columns=["label", "start_true", "end_true"]).assign(p_span=0.5)
    table = PredictionTable(new)
    assert table.classes == CLASSES and table.columns == ["p_c", "p_a", "p_b"] and table.has_probabilities
    assert PredictionTable(new[["repeat", "window_id", "predicted"]]).classes == tuple(sorted(set(new["predicted"])))
    assert PredictionTable(new[["repeat", "window_id", "p_span"]]).columns == []
