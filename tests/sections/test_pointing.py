"""Where the expansions lie, and how the model reads the labels: on pages, in reports and in the terminal from one source."""

from __future__ import annotations

import dataclasses

import pytest

from moola_core.cli import train
from moola_core.diagnostics.results import Interval, Pointing
from moola_core.runs import codec
from moola_core.runs.facts import ReadLabels
from moola_core.sections import headlines, text
from moola_core.sections.blocks import Table, flat
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import build, make
from tests.app_samples import make_run, make_span_run


@pytest.fixture(scope="module")
def run(tmp_path_factory, windows):
    return make_span_run(tmp_path_factory.mktemp("spans"), windows)


def tables(run, section: str) -> list[Table]:
    return [block for block in flat(make(section, ReportContext(run)).blocks) if isinstance(block, Table)]


def test_medians_shares_and_each_bin_with_its_windows_are_in_the_tables(run):
    stored = run.result("pointing")
    signed, near, sets, bins, repeats = tables(run, "pointing")
    assert [row[0] for row in signed.rows] == ["Start", "End", "Center", "Length"]
    assert [row[1].value for row in signed.rows] == [error["median"] for error in stored["errors"]]
    assert [row[0] for row in near.rows] == ["within 1 bar", "within 3 bars", "within 5 bars"]
    assert [row[1].value for row in near.rows] == [one["share"]["value"] for one in stored["near"]]
    assert [row[4].value for row in near.rows] == [one["constant"] for one in stored["near"]]
    assert [row[0] for row in sets.rows] == ["80%", "90%"]
    assert [(row[1].value, row[2].value) for row in sets.rows] == [
        (one["radius"], one["coverage"]["value"]) for one in stored["sets"]
    ]
    assert sum(row[1].value for row in bins.rows) == stored["confidence"][0]["windows"] == 60
    assert [row[0] for row in repeats.rows] == ["1", "2"]


def test_the_report_and_the_terminal_have_the_same_sentences(run):
    report = codec.restore(Pointing, run.result("pointing"))
    confidence, noise = headlines.of_confidence(report), headlines.of_label_noise(run.record.facts.label_noise)
    words = "\n".join(
        block.strong + block.text for one in build(run).sections for block in one.blocks if hasattr(block, "strong")
    )
    assert confidence.headline in words and noise.headline in words
    assert {confidence.text, noise.text} <= set(train._judged(run))
    assert confidence.headline in text.render(make("pointing", ReportContext(run)))


def test_how_the_labels_are_read_is_told_with_the_range_over_the_fits():
    noise = ReadLabels((2.0, 1.5, 3.0), (0.15, 0.15, 0.15))
    verdict = headlines.of_label_noise(noise)
    assert verdict.headline == "The labelled ends scatter by about 2 bars; about 15% lie elsewhere."
    assert "3 fits" in verdict.rest and verdict.rest.endswith("1.5 to 3 bars, 15%.")
    assert headlines.of_label_noise(None).text == headlines.of_label_noise(noise, assumed=True).text == ""


def test_no_label_is_said_to_have_been_read_where_the_settings_gave_the_scatter(run, tmp_path):
    spec = run.spec.model_copy(update={"spans": run.spec.spans.model_copy(update={"scatter_bars": 1.0})})
    context = ReportContext(run)
    assert "scatter" in text.render(make("pointers", context))
    context.spec = spec
    assert "scatter" not in text.render(make("pointers", context))


@pytest.mark.parametrize(
    ("low", "high", "p_values", "error_high", "expected"),
    [
        (0.01, 0.2, (0.5, 0.5), 0.05, "overconfident"),
        (-0.2, -0.01, (0.5, 0.5), 0.05, "underconfident"),
        (-0.1, 0.1, (0.01, 0.01), 0.05, "do not come true in every bin"),
        (-0.1, 0.1, (0.9, 0.004), 0.05, "do not come true in every bin"),
        (-0.1, 0.1, (0.9, 0.026), 0.05, "of the expansion come true."),
        (-0.1, 0.1, (0.03, 0.03), 0.05, "cannot be told"),
        (-0.1, 0.1, (0.5, 0.5), 0.05, "of the expansion come true."),
        (-0.1, 0.1, (0.5, 0.5), 0.3, "cannot be told"),
    ],
)
def test_the_sentence_on_confidence_is_that_of_its_interval(run, low, high, p_values, error_high, expected):
    report = codec.restore(Pointing, run.result("pointing"))
    rows = tuple(
        dataclasses.replace(row, p_value=p_value, error=dataclasses.replace(row.error, low=0.0, high=error_high))
        for row, p_value in zip(report.confidence, p_values, strict=True)
    )
    verdict = headlines.of_confidence(
        dataclasses.replace(report, confidence=rows, excess=Interval((low + high) / 2, low, high))
    )
    assert expected in verdict.headline and f"{low:+.3f} to {high:+.3f}" in verdict.rest


def test_a_model_that_states_no_confidence_says_so_and_an_old_run_how_to_have_it(tmp_path, windows):
    network = make_run(tmp_path, windows)
    assert "states no probability" in text.render(make("pointing", ReportContext(network)))
    (network.folder / "results" / "pointing.json").unlink()
    assert "moola diagnose pointing --run" in make("pointing", ReportContext(network))
