"""The one reader of folds.parquet: roles by fit, and groups of windows that share bars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from moola_core.runs.folds import Folds, groups_of
from moola_core.runs.store import Store
from moola_core.specs import Finetune


def table(seed: int, inner_is_test: bool = False) -> pd.DataFrame:
    """Two repeats of three folds of 12 windows, in no order."""
    rng = np.random.default_rng(seed)
    rows = []
    for repeat in range(2):
        fold_of = rng.permutation(12) % 3
        for fold in range(3):
            for i in range(12):
                role = "test" if fold_of[i] == fold else str(rng.choice(["train", "inner", "purged"]))
                rows.append((repeat, fold, f"w{i}", role, i // 4))
                if role == "test" and inner_is_test:
                    rows.append((repeat, fold, f"w{i}", "inner", i // 4))
    frame = pd.DataFrame(rows, columns=["repeat", "fold", "window_id", "role", "group"])
    return frame.sample(frac=1, random_state=seed, ignore_index=True)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("inner_is_test", [False, True])
def test_rows_by_role_are_those_of_a_loop_over_the_table(seed, inner_is_test):
    frame = table(seed, inner_is_test)
    window_id = np.random.default_rng(seed).permutation([f"w{i}" for i in range(12)])
    folds = Folds(frame, window_id)
    assert list(folds) == [(repeat, fold) for repeat in range(2) for fold in range(3)]
    for repeat, fold in folds:
        rows = folds.rows(repeat, fold)
        own = frame[(frame["repeat"] == repeat) & (frame["fold"] == fold)]
        for role in ("train", "inner", "test", "purged"):
            assert window_id[getattr(rows, role)].tolist() == own[own["role"] == role]["window_id"].tolist()
        wanted = set(own[own["role"].isin(["train", "inner"])]["window_id"]) - set(
            own[own["role"] == "test"]["window_id"]
        )
        assert set(window_id[rows.fitting]) == wanted, "no simple model is fitted to a test window"
    assert folds.groups == {f"w{i}": i // 4 for i in range(12)}
    assert Folds({name: frame[name].to_numpy() for name in frame}).window_id == tuple(frame["window_id"].unique())


def test_a_run_without_folds_or_of_a_version_without_groups_has_no_groups(tmp_path):
    run = Store(tmp_path).create(Finetune())
    assert groups_of(run) is None
    frame = table(0)
    run.write_table("folds", {name: frame[name].to_numpy() for name in frame if name != "group"})
    assert groups_of(run) is None and next(iter(Folds(run.folds))) == (0, 0)
    run.write_table("folds", {name: frame[name].to_numpy() for name in frame})
    assert groups_of(run) == {f"w{i}": i // 4 for i in range(12)}
