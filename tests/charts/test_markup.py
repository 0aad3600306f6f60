"""Text from data files in every chart that shows some: plotly is to show it as it is, and never as its own marks."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from moola_core.charts import attribution, calibration, comparison, correlation, evaluation, slices
from moola_core.charts.data import to_csv
from moola_core.charts.markup import escape_html, plain
from moola_core.diagnostics.results import Confusion, FoldShare, Slice
from moola_core.runs import codec
from tests.app_samples import CLASSES, make_attribution, make_comparison, make_data, make_features

MARKS = "<b>x</b> & <a href='https://evil.example'>y</a>"
SAFE = escape_html(MARKS)


def renamed(found, old: str):
    """The same result with the text `old` replaced by MARKS, as key and as value."""
    text = codec.dumps(found).replace(json.dumps(old), json.dumps(MARKS))
    return codec.restore(type(found), json.loads(text))


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    return make_features(make_data(tmp_path_factory.mktemp("data")))


def drawn(features):
    compared = renamed(make_comparison(), "full")
    found = make_attribution()
    explained = dataclasses.replace(renamed(found, found.outputs[0]), window_id=(MARKS, *found.window_id[1:]))
    epochs = {"epoch": np.array([0, 1]), "split": np.array(["validation", "validation"]), "loss": np.array([1.0, 0.5])}
    report = renamed(features, CLASSES[0])
    return {
        "confusion": evaluation.confusion(Confusion(None, (MARKS, "b"), np.array([[3, 1], [0, 2]]))),
        "folds": evaluation.fold_shares([FoldShare(0, 0, 30, (0.4, 0.6), False)], (MARKS, "b")),
        "metrics": evaluation.metric_spread({"recall x": f"Recall, {MARKS}"}, [{"recall x": 0.5}], {}, "majority"),
        "slices": slices.slices((Slice("source", MARKS, 20, 0.5, 0.3, 0.7, 0.5, 4.0, 3.0, 5.0),), 0.5),
        "threshold": calibration.threshold(np.array([0.2, 0.8]), np.array([False, True]), 0.5, MARKS),
        "forest": comparison.forest(compared.verdicts),
        "arms": comparison.arms(compared.arms),
        "learning": comparison.learning({MARKS: epochs}),
        "distribution": correlation.distribution(report, report.features[0]),
        "course": correlation.course(report, report.features[0]),
        "beeswarm": attribution.beeswarm(explained, explained.outputs[0]),
        "waterfall": attribution.waterfall(explained, MARKS, explained.outputs[0]),
    }


def shown(value) -> list[str]:
    """Every text of a figure."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] if isinstance(value, str) else [text for part in parts for text in shown(part)]


def test_text_from_data_is_never_plotlys_markup(features):
    for name, chart in drawn(features).items():
        texts = shown(json.loads(chart.to_json()))
        assert any(SAFE in text for text in texts), name
        assert not any("<b>x" in text or "<a href" in text for text in texts), name


def test_what_is_downloaded_is_the_text_itself(features):
    found = to_csv(drawn(features)["slices"])
    assert MARKS in found and "&lt;" not in found


@pytest.mark.parametrize("text", ["", "a < b & c > d", "&amp;", MARKS, "&lt;b&gt;"])
def test_literal_can_be_taken_back(text):
    assert plain(escape_html(text)) == text
