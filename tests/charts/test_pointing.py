from __future__ import annotations

import numpy as np
import pytest

from moola_core.charts import pointing as charts
from moola_core.charts.data import to_csv
from moola_core.diagnostics.pointing import pointing
from tests.diagnostics.test_pointing import table


@pytest.fixture(scope="module")
def report():
    return pointing(table(n=80))


@pytest.mark.parametrize("look", ["light", "dark"])
def test_each_part_has_a_histogram_with_its_median(report, look):
    chart = charts.signed_errors(report, look)
    assert [trace.name for trace in chart.data] == ["start", "end", "center", "length"]
    for trace, error in zip(chart.data, report.errors, strict=True):
        assert np.array_equal(trace.y, error.shares) and trace.x[report.reach] == 0
    assert [shape.x0 for shape in chart.layout.shapes] == [error.median for error in report.errors]
    assert to_csv(chart).count("\n") > 4 * (2 * report.reach + 1)


def test_the_model_stands_next_to_the_constant_pointer_and_alone_where_there_is_none(report):
    model, constant = charts.within(report).data
    assert np.array_equal(model.y, report.within) and np.array_equal(constant.y, report.constant_within)
    assert [bar for bar, size in zip(model.x, model.marker.size, strict=True) if size] == [1, 3, 5]
    alone = pointing(table(n=80, repeats=1).assign(fold=0))
    assert [trace.name for trace in charts.within(alone).data] == ["model"]


def test_hit_rates_stand_at_their_stated_probability_over_the_windows_of_the_bin(report):
    row = report.confidence[0]
    band, line, _, counts = charts.stated(row).data
    assert list(line.x) == [part.confidence for part in row.bins]
    assert list(line.y) == [part.accuracy for part in row.bins]
    assert list(counts.y) == [part.count for part in row.bins]
    assert list(band.base) == [part.low for part in row.bins]
