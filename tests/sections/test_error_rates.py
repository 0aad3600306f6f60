"""The table of how often verdicts are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from moola_core.diagnostics.results.error_rates import error_rates
from moola_core.sections.blocks import Table, Text
from moola_core.sections.error_rates import rates

COUNTED = Path(__file__).parents[2] / "benchmarks" / "results" / "verdicts.json"


def test_the_shipped_table_is_what_was_counted():
    counted = json.loads(COUNTED.read_text(encoding="utf-8"))["rows"]
    assert [(row["auroc"]["decided"], row["f1_macro"]["decided"]) for row in counted] == [
        (row.decided, row.f1_decided) for row in error_rates()
    ]


def test_the_sentence_counts_over_all_studies_of_equal_arms():
    text, equal, other = rates(None)
    assert isinstance(text, Text) and isinstance(equal, Table) and isinstance(other, Table)
    rows = [row for row in error_rates() if not row.difference]
    share = sum(row.decided * row.studies for row in rows) / sum(row.studies for row in rows)
    assert f"{share:.1%}" in text.text and f"{max(row.decided for row in rows):.1%}" in text.text
    assert len(equal.rows) + len(other.rows) == len(error_rates())
    assert 0 < share < 0.06, "or the sentence that 5% are meant has to say that it is missed"


@pytest.mark.parametrize("row", error_rates(), ids=lambda row: f"{row.learner} {row.layout} {row.n}")
def test_every_kind_of_study_was_simulated_often(row):
    assert row.studies >= 280 and 0 <= row.decided <= 1 and 0.9 <= row.coverage <= 1
