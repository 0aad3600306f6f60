"""The one reader of folds.parquet: roles by fit, and groups of windows that share bars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from moola_core.overlap import Overlap
from moola_core.runs.folds import Folds, place_columns, shared_bars
from moola_core.runs.store import Store
from moola_core.specs import Finetune


def shares(shared: Overlap, window_id) -> set[tuple[str, str, float]]:
    """The pairs of windows that share bars, by name."""
    i, j, share = shared.of(window_id).pairs
    pairs = zip(np.array(window_id)[i], np.array(window_id)[j], share, strict=True)
    return {(*sorted((str(a), str(b))), float(part)) for a, b, part in pairs}


def table(seed: int, inner_is_test: bool = False) -> pd.DataFrame:
    """Two repeats of three folds of 12 windows, in no order."""
    rng = np.random.default_rng(seed)
    rows = []
    for repeat in range(2):
        fold_of = rng.permutation(12) % 3
        for fold in range(3):
            for i in range(12):
                role = "test" if fold_of[i] == fold else str(rng.choice(["train", "validation", "purged"]))
                rows.append((repeat, fold, f"w{i}", role, i // 4))
                if role == "test" and inner_is_test:
                    rows.append((repeat, fold, f"w{i}", "validation", i // 4))
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
        for role in ("train", "validation", "test", "purged"):
            assert window_id[getattr(rows, role)].tolist() == own[own["role"] == role]["window_id"].tolist()
        wanted = set(own[own["role"].isin(["train", "validation"])]["window_id"]) - set(
            own[own["role"] == "test"]["window_id"]
        )
        assert set(window_id[rows.fitting]) == wanted, "no simple model is fitted to a test window"
    assert shares(folds.shared, window_id) == shares(
        Overlap.of_groups(np.arange(12) // 4, [f"w{i}" for i in range(12)]), window_id
    )
    assert Folds({name: frame[name].to_numpy() for name in frame}).window_id == tuple(frame["window_id"].unique())


def test_a_run_without_folds_or_of_a_version_without_groups_has_no_groups(tmp_path):
    run = Store(tmp_path).create(Finetune())
    assert shared_bars(run) is None
    frame = table(0)
    run.write_table("folds", {name: frame[name].to_numpy() for name in frame if name != "group"})
    assert shared_bars(run) is None and next(iter(Folds(run.folds))) == (0, 0)
    run.write_table("folds", {name: frame[name].to_numpy() for name in frame})
    names = [f"w{i}" for i in range(12)]
    assert shares(shared_bars(run), names) == {
        (*sorted((f"w{i}", f"w{j}")), 1.0) for j in range(12) for i in range(j) if i // 4 == j // 4
    }


def test_places_are_read_back_as_they_were_written():
    shared = Overlap(np.array([[0, 3], [0, 3], [1, 3]]), np.array([[0, 7], [84, 9], [0, 500]]), 105)
    frame = table(0).drop(columns="group")
    rows = frame["window_id"].str[1:].to_numpy(int) % 3
    frame = frame.assign(window_id=[f"w{i}" for i in rows], **place_columns(shared, rows))
    read = Folds(frame).shared.of(["w0", "w1", "w2"])
    for ours, theirs in zip(read.pairs, shared.pairs, strict=True):
        np.testing.assert_array_equal(ours, theirs)
