from __future__ import annotations

import numpy as np

from moola_core.charts import pretraining
from tests.app_samples import make_learned

FOUND = make_learned()


def test_errors_are_drawn_over_the_mean_s():
    chart = pretraining.errors(FOUND.features)
    assert chart.data[0].x[0] == FOUND.features[0].model / FOUND.features[0].feature_mean
    assert [trace.name for trace in chart.data] == ["model", "last visible bar"]


def test_the_reconstruction_is_drawn_at_hidden_bars_alone():
    names = [row.name for row in FOUND.features]
    window = FOUND.examples[0]
    chart = pretraining.reconstruction(window, names, names[:2])
    assert len(chart.data) == 4 and np.array_equal(np.isfinite(chart.data[1].y), window.hidden)
    assert np.array_equal(chart.data[2].y, window.truth[:, 1])
    assert len(chart.layout.shapes) == 1 and (chart.layout.shapes[0].x0, chart.layout.shapes[0].x1) == (4.5, 9.5)


def test_the_probe_has_a_point_a_repeat():
    chart = pretraining.probe(FOUND.probe)
    assert list(chart.data[0].x) == [0.7, 0.6] and len(chart.data[1].x) == 4
