"""Parts of the windows in which a run is worse: named where they are, and rarely where there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from moola_core.diagnostics.vitals import Evidence
from moola_core.diagnostics.weak_slices import weak_slices
from moola_core.features.catalog import names
from moola_core.presets import preset

SPEC = preset("quick").finetune()


def evidence_of(windows, broken: np.ndarray, seed: int = 0) -> Evidence:
    """Predictions that tell the class (AUROC about 0.8), but for the broken windows [n]."""
    rng = np.random.default_rng(seed)
    first = windows.label == windows.classes[0]
    p = 1 / (1 + np.exp(-(np.where(broken, 0.0, np.where(first, 0.7, -0.7)) + rng.normal(0, 0.8, len(windows)))))
    known = {"repeat": 0, "fold": 0, "window_id": windows.window_id.astype(str), "label": windows.label.astype(str)}
    frame = pd.DataFrame(known | {f"p_{windows.classes[0]}": p, f"p_{windows.classes[1]}": 1 - p})
    frame["predicted"] = np.where(p > 0.5, *windows.classes)
    for side, values in (("start", windows.start), ("end", windows.end)):
        frame[f"{side}_true"] = values
        frame[f"{side}_pred"] = values + rng.normal(0, 3, len(windows))
    x = np.zeros((len(windows), windows.bars, 1))
    return Evidence(windows, windows, x, names(SPEC.features.columns)[:1], SPEC, predictions=frame)


@pytest.fixture(scope="module")
def many(demo):
    """400 windows of two sources, their times a day apart."""
    rows = np.random.default_rng(3).integers(0, len(demo.windows), 400)
    windows = demo.windows.select(rows)
    time = np.datetime64("2024-01-01T15:00", "ns") + np.arange(400) * np.timedelta64(1, "D")
    source = np.where(np.arange(400) % 4 == 0, "second hand", "first hand")
    return replace(windows, window_id=np.arange(400).astype(str), start_time=time, source=source)


def test_a_source_at_chance_is_the_surest_part(many):
    broken = many.source == "second hand"
    first = weak_slices(evidence_of(many, broken))[0]
    assert first.part == "source second hand" and first.what == "class" and first.q < 0.01
    assert first.inside < 0.62 < first.outside and set(first.windows) == set(many.window_id[broken])


def test_without_a_weak_part_hardly_any_is_named(many):
    named = [
        min(one.q for one in weak_slices(evidence_of(many, np.zeros(400, bool), seed))) <= 0.05 for seed in range(30)
    ]
    assert np.mean(named) < 0.2


def test_without_predictions_there_are_none(demo):
    x = np.zeros((len(demo.windows), 1, 1))
    assert weak_slices(Evidence(demo.windows, demo.windows, x, ("a",), SPEC)) == ()
