from __future__ import annotations

import numpy as np
import pytest

from moola_core.charts import evaluation
from moola_core.charts.theme import DARK, LIGHT, class_colours, figure
from moola_core.diagnostics.results import Confusion, FoldShare, PointerBaseline


def test_each_cell_of_the_confusion_is_a_point_that_says_which_windows_it_holds():
    counts = np.array([[5, 1, 0], [2, 7, 3], [0, 0, 0]])
    trace = evaluation.confusion(Confusion(None, ("a", "b", "c"), counts)).data[0]
    cells = {(true, said): int(count) for true, said, count in trace.customdata}
    assert cells[(1, 2)] == 3 and cells[(0, 1)] == 1 and len(cells) == 9
    assert [trace.y[5], trace.x[5]] == ["b", "c"]  # rows are true classes, columns predicted ones


def test_a_constant_fold_is_marked():
    folds = [FoldShare(0, 0, 30, (1.0, 0.0), True), FoldShare(0, 1, 30, (0.4, 0.6), False)]
    bars = evaluation.fold_shares(folds, ("a", "b")).data
    assert bars[0].y[0].startswith("⚠") and not bars[0].y[1].startswith("⚠")
    np.testing.assert_allclose(np.array(bars[0].x) + np.array(bars[1].x), 1.0)


def test_metrics_show_mean_every_repeat_and_the_reference():
    chart = evaluation.metric_spread(
        {"accuracy": "Accuracy", "ece": "ECE"},
        [{"accuracy": 0.6, "ece": 0.1}, {"accuracy": 0.7, "ece": None}],
        {"accuracy": 0.53},
        "majority class",
    )
    mean, repeats, reference = chart.data
    assert list(mean.x) == pytest.approx([0.65, 0.1])
    assert sorted(repeats.x) == [0.1, 0.6, 0.7]
    assert (list(reference.y), list(reference.x)) == (["Accuracy"], [0.53])


def test_pointer_errors_stand_beside_the_constant_pointers():
    rows = [{"center_mae_bars": 10.0, "length_mae_bars": 4.0}, {"center_mae_bars": 12.0, "length_mae_bars": 4.0}]
    model, constant = evaluation.pointer_errors(rows, PointerBaseline(15.0, 3.0, 0.1, 0.2)).data
    assert list(model.y) == [11.0, 4.0] and list(constant.y) == [15.0, 3.0]
    assert list(model.error_y.array) == [1.0, 0.0] and list(model.error_y.arrayminus) == [1.0, 0.0]


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_text_can_be_read_on_its_paper(colours):
    for text in (colours.ink, colours.muted):
        assert _contrast(text, colours.paper) >= 4.5


def test_classes_keep_their_colour_and_charts_sit_on_any_paper():
    assert class_colours(("a", "b"), "light")["b"] == LIGHT.categorical[1]
    assert figure("dark", 100).layout.template.layout.paper_bgcolor == "rgba(0,0,0,0)"


def _contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
