from __future__ import annotations

import numpy as np

from moola_core.charts import curves
from moola_core.charts.monitoring import CONFLICT, monitored
from moola_core.metrics import METRICS
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.epochs import epoch_columns
from tests.app_samples import epoch_events


def test_a_chart_for_each_monitored_metric_with_a_line_for_each_class(tmp_path):
    run = Store(tmp_path).create(preset("quick").finetune())
    run.append_events(epoch_events())
    epochs = epoch_columns(run)
    charts = {one.name: one for one in monitored(epochs)}
    measured = {
        name
        for name, metric in METRICS.items()
        if metric.monitored and any(c.partition(".")[0] == name for c in epochs)
    }
    assert set(charts) == measured | {CONFLICT} and {"f1_macro", "recall", "ece", "aucpr"} <= measured
    named = {trace.name: trace for trace in charts["recall"].draw(epochs).data if trace.name}
    assert set(named) == {"consolidation", "retracement"} and set(named["retracement"].y) == {0.6}
    f1 = next(trace for trace in charts["f1_macro"].draw(epochs).data if trace.name)
    assert list(f1.x) == [2, 4] and np.allclose(f1.y, [0.5, 0.6])
    rates = {trace.name for trace in charts[CONFLICT].draw(epochs).data if trace.name}
    assert rates == {"in conflict (cos < 0)", "projected"}
    assert monitored({name: values for name, values in epochs.items() if name in ("epoch", "loss")}) == []


def test_of_very_many_epochs_a_chart_draws_a_part_and_its_medians_are_right():
    generator = np.random.default_rng(2)
    fits, length = 4, 30_000
    epochs = {
        "repeat": np.repeat(np.arange(fits), length),
        "fold": np.zeros(fits * length, int),
        "epoch": np.tile(np.arange(1, length + 1), fits),
        "split": np.full(fits * length, "train"),
        "loss": generator.normal(size=fits * length),
    }
    thin, bold = curves.objective(epochs).data
    assert len(thin.x) < 1.1 * curves.MOST_POINTS and len(bold.x) <= curves.MOST_EPOCHS
    table = epochs["loss"].reshape(fits, length)
    assert np.allclose(bold.y, np.median(table[:, np.array(bold.x, int) - 1], axis=0))
