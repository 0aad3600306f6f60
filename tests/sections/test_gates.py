"""The researcher's own rules in the section of a plan: with the error of the score, next to the comparison."""

from __future__ import annotations

import pytest

from moola_core.diagnostics.gates import contradictions, gates
from moola_core.diagnostics.results import Interval, PlanReport, Sampled
from moola_core.runs.store import Store
from moola_core.sections.blocks import Table, Text
from moola_core.sections.context import ReportContext
from moola_core.sections.registry import make
from moola_core.specs import Data, Plan


def section(tmp_path, report):
    run = Store(tmp_path).create(Plan(data=Data(windows="w.parquet")))
    run.write_result("plan", report)
    run.update(state="done")
    blocks = make("gates", ReportContext(run)).blocks
    return [block for block in blocks if isinstance(block, Text)], next(b for b in blocks if isinstance(b, Table))


@pytest.mark.parametrize(("evidence", "word"), [("hurts", "They agree"), ("helps", "They differ")])
def test_a_rule_stands_next_to_the_evidence_with_its_claim(tmp_path, evidence, word):
    score = Sampled(Interval(0.56, 0.53, 0.59), (), 60.0)
    texts, table = section(tmp_path, PlanReport((), gates(score, evidence), contradictions()))
    by_threshold = {row[0].value: row for row in table.rows}
    assert by_threshold[0.5][3] == "above" and by_threshold[0.55][3] == "cannot be told"
    assert "abandon masked pre-training" in by_threshold[0.5][4] and by_threshold[0.5][2].shown == "> 0.99"
    (judged,) = [text for text in texts if text.strong]
    assert judged.text.startswith(word) and judged.claims[0].outcome == "supported" and judged.claims[0].than == 0.5
    assert sum("contradict each other" in text.text for text in texts) == 1, "said once"
    assert any("0.560 (95% interval 0.530 to 0.590)" in text.text for text in texts)


def test_a_plan_of_an_earlier_version_still_opens(tmp_path):
    old = {"threshold": 0.5, "source": "decisions", "value": 0.52, "says": "negative transfer, so unfreeze the encoder"}
    texts, table = section(tmp_path, {"decisions": [], "gates": [old], "contradiction": "They contradict."})
    assert next(text.text for text in texts) == "They contradict." and "both tasks: 0.520" in texts[1].text
    assert table.rows[0][4] == old["says"] and table.rows[0][2].shown == "–"


def test_without_a_model_of_the_class_alone_that_is_said(tmp_path):
    texts, table = section(tmp_path, PlanReport((), gates(None), ""))
    assert texts[0].text == "The class alone was not measured." and {row[3] for row in table.rows} == {"not measured"}
