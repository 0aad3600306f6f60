"""A metric that is added to the registry is shown wherever it says, without a change anywhere else."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef
from streamlit.testing.v1 import AppTest

from moola_core.cli import study, train
from moola_core.diagnostics.comparison import arm_predictions, compare
from moola_core.diagnostics.evaluation import evaluate
from moola_core.metrics import METRICS, Metric
from moola_core.runs import codec
from moola_core.runs.store import Run
from moola_core.sections.blocks import Table, flat
from moola_core.sections.registry import build
from tests.app_samples import make_run
from tests.reports.conftest import make_study

TITLE = "Matthews correlation"
MCC = Metric(
    name="mcc",
    title=TITLE,
    better="higher",
    task="class",
    description="Matthews (1975).",
    shown=("scores", "terminal", "arms"),
    compared=True,
    score=lambda p, weight: np.apply_along_axis(
        lambda w: matthews_corrcoef(p.target, p.predicted, sample_weight=w), -1, weight
    ),
)
HALVES = Metric(
    name="first_half",
    title="Center in the right half",
    better="higher",
    task="pointer",
    description="Share of windows whose predicted and true center lie in the same half.",
    shown=("hits",),
    statistics=lambda p: np.stack([p.located & ((p.span.sum(-1) > 105) == (p.true_span.sum(-1) > 105)), p.located], -1),
    value=lambda sums, p: sums[..., 0] / sums[..., 1],
)


@pytest.fixture
def added():
    for metric in (MCC, HALVES):
        METRICS.add(metric.name, metric)
    yield
    for metric in (MCC, HALVES):
        METRICS.remove(metric.name)


@pytest.fixture
def run(added, tmp_path, windows) -> Run:
    run = make_run(tmp_path, windows)
    run.write_result("evaluation", evaluate(run.predictions, 105))
    return run


def rows_of(run: Run, section: str) -> dict[str, tuple]:
    """The rows of all tables of a section by their first cell."""
    blocks = list(flat(build(run, [section]).sections[0].blocks))
    return {str(row[0]): row for block in blocks if isinstance(block, Table) for row in block.rows}


def draw_page(run):
    from moola_core.sections.context import ReportContext
    from moola_core.ui import render

    render.sections(ReportContext(run), ("metrics", "pointers"))


def test_it_is_on_the_page_in_the_report_and_in_the_terminal(run):
    first = run.predictions.query("repeat == 0")
    expected = matthews_corrcoef(first["label"], first["predicted"])
    evaluation = evaluate(run.predictions, 105)
    assert evaluation.by_repeat[0]["mcc"] == pytest.approx(expected)
    mean = f"{evaluation.metrics['mcc'].mean:.3f}"
    assert rows_of(run, "metrics")[TITLE][1].shown == mean
    assert rows_of(run, "pointers")[HALVES.title][1].value == evaluation.metrics["first_half"].mean
    at = AppTest.from_function(draw_page, kwargs={"run": run}, default_timeout=60).run()
    assert not at.exception and at.dataframe[0].value.set_index("0").loc[TITLE, "1"] == evaluation.metrics["mcc"].mean
    charts = "".join(chart.proto.spec for chart in at.get("plotly_chart"))
    assert TITLE in charts and HALVES.title in charts
    assert re.search(rf"^mcc +{re.escape(mean)}", train._text(train.summary(run)), re.MULTILINE)


def test_it_is_compared_and_in_the_tables_of_the_arms(run, tmp_path, windows):
    ids = sorted(run.predictions["window_id"].unique())
    weak = arm_predictions(run.predictions, None, ids)
    best = replace(weak, predictions=replace(weak.predictions, answered=weak.predictions.target))
    verdicts = compare({"from scratch": weak, "full": best}, "from scratch")
    assert {row.metric: row.verdict for row in verdicts}["mcc"] == "helps"
    compared = make_study(tmp_path / "study", windows)
    comparison = compared.result("comparison")
    for i, arm in enumerate(comparison["arms"]):
        arm["metrics"]["mcc"] = i / 10
    comparison["verdicts"] += [codec.plain(row) for row in verdicts if row.metric == "mcc"]
    compared.write_result("comparison", comparison)
    sections = build(compared, ["arms", "other_metrics"]).sections
    arms, metrics = (next(block for block in flat(one.blocks) if isinstance(block, Table)) for one in sections)
    column = arms.columns.index(TITLE)
    assert sorted(row[column].value for row in arms.rows) == [i / 10 for i in range(len(comparison["arms"]))]
    assert TITLE in [row[0] for row in metrics.rows]
    assert re.search(r"^arm .*\bmcc\b", study._arms(comparison), re.MULTILINE)
