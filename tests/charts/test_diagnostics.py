from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from moola_core.charts import attribution, balance, calibration, correlation, slices, transfer
from moola_core.charts.data import to_csv
from moola_core.diagnostics.calibration import calibrate
from moola_core.diagnostics.correlation import Permutations, feature_report
from moola_core.diagnostics.results import Balance, Slice, TaskBalance
from moola_core.overlap import Overlap
from tests.app_samples import make_attribution, make_transfer
from tests.diagnostics.test_calibration import honest, table


@pytest.mark.parametrize("look", ["light", "dark"])
def test_calibration_is_drawn(look):
    found = calibrate(table(*honest()), draws=50)
    chart = calibration.reliability(found, look)
    assert list(chart.data[1].y) == [part.accuracy for part in found.bins]
    assert list(chart.data[3].y) == [part.count for part in found.bins]
    assert np.allclose(np.array(chart.data[0].base) + chart.data[0].y, [part.high for part in found.bins])
    assert list(calibration.conventions(found.errors, look).data[1].x) == [error.value for error in found.errors]


def test_a_threshold_has_the_precision_and_recall_of_a_count():
    p, positive = np.array([0.9, 0.6, 0.4, 0.2]), np.array([True, False, True, False])
    assert calibration.precision_recall(p, positive, 0.5) == (0.5, 0.5)
    assert calibration.precision_recall(p, positive, 0.95) == (None, 0.0)
    chart = calibration.threshold(p, positive, 0.5, "a")
    assert chart.data[1].y[0] == 1.0 and chart.data[1].y[-1] == 0.0


def test_cosines_are_coloured_by_their_sign_and_the_threshold_is_marked():
    task = TaskBalance("class", 1.0, 0.5, 0.6, 1.0, 0.9, 0.1)
    counts = np.arange(20)
    found = Balance(
        "uncertainty",
        (task, task),
        1.0,
        (0.5, 2),
        0.1,
        0.5,
        np.linspace(-1, 1, 21),
        counts,
        190,
        400,
        0.4,
        0.1,
        True,
        -0.1,
        9,
    )
    chart = balance.cosines(found)
    assert list(chart.data[0].y) == list(counts) and len(set(chart.data[0].marker.color)) == 2
    assert chart.layout.shapes[0].x0 == -0.1


def test_slices_without_an_accuracy_are_not_drawn():
    rows = [
        Slice("grade", "A", 9, 0.7, 0.5, 0.9, 0.7, 3.0, 2.0, 4.0),
        Slice("grade", "B", 3, None, None, None, None, 3.0, 2.0, 4.0),
    ]
    chart = slices.slices(rows, 0.6)
    assert list(chart.data[0].x) == [0.7] and list(chart.data[0].y) == ["A (9)"]


def test_features_are_drawn_by_class():
    rng = np.random.default_rng(0)
    x, label = rng.normal(size=(40, 20, 2)).astype(np.float32), np.where(np.arange(40) % 2, "a", "b")
    report = feature_report(x, label, np.full(40, 10.0), ("body_pct", "range_z"), Overlap.none(40), Permutations(50))
    rows = [row for row in report.table if row.aggregate == "window"]
    assert list(correlation.correlations(rows).data[0].x) == [row.r for row in rows]
    assert [trace.name for trace in correlation.distribution(report, "range_z").data] == ["a", "b"]
    chart = correlation.course(report, "range_z")
    assert np.allclose(chart.data[1].y, x[label == "a"].mean(0)[:, 1], atol=1e-6)
    assert np.allclose(np.diag(correlation.among(report).data[0].z), 1)


def test_attribution_is_drawn_from_its_values():
    found = make_attribution()
    output = found.outputs[0]
    chart = attribution.ranking(found, output)
    assert list(chart.data[0].y) == ["consol_proxy", "range_z"] and len(chart.data[1].x) == 4
    swarm = attribution.beeswarm(found, output)
    assert np.array_equal(swarm.data[0].x, found.values[:, 0, 0]) and np.abs(np.asarray(swarm.data[0].y)).max() <= 0.5
    fall = attribution.waterfall(found, found.window_id[3], output).data[0]
    assert sum(fall.x) == pytest.approx(found.full[3, 0]) and fall.y[-1] == "prediction"


@pytest.mark.parametrize("look", ["light", "dark"])
def test_layers_and_the_course_of_attribution_are_drawn(look):
    found = make_transfer()
    chart = transfer.layers(found.layers, look)
    assert list(chart.data[0].x) == [row.cka for row in found.layers] and chart.data[0].error_x.array[0] > 0
    told = make_attribution()
    heat = attribution.course(told, told.outputs[1], look).data[0]
    assert heat.z.shape == (2, 105) and heat.z.sum() == pytest.approx(told.course[1].sum())


def test_a_figure_s_numbers_are_all_in_its_csv():
    found = make_transfer()
    rows = list(csv.DictReader(io.StringIO(to_csv(transfer.layers(found.layers)))))
    assert [float(row["x"]) for row in rows if row["trace"] == "random weights"] == [row.random for row in found.layers]
    told = make_attribution()
    cells = list(csv.DictReader(io.StringIO(to_csv(attribution.course(told, told.outputs[0])))))
    assert len(cells) == 210 and sum(float(cell["z"]) for cell in cells) == pytest.approx(told.course[0].sum())
