"""Vital signs: what was measured of a run on its way from the file to the score, next to healthy runs."""

from __future__ import annotations

from functools import partial

from moola_core.charts import vitals as charts
from moola_core.diagnostics.results import Diagnosis
from moola_core.diagnostics.results.vitals import STAGES, VitalSign
from moola_core.sections.blocks import Block, Chart, Choice, Row, Table, Text
from moola_core.sections.context import ReportContext, Result
from moola_core.sections.doctor import diagnosis


def vital_signs(context: ReportContext) -> list[Block] | str:
    """Each stage's quantities as gauges and as a table with the range and the percentile among healthy runs."""
    result = diagnosis(context)
    if isinstance(result, str):
        return result
    report: Diagnosis = result.value
    signs = report.vitals or ()
    if not signs:
        return "Vital signs are measured of cross-validated runs, by the doctor of this version. Run the checks again."
    unusual = [one for one in signs if one.unusual]
    blocks: list[Block] = [
        Text(
            f"{len(signs)} quantities were compared with those of healthy runs; "
            + (f"unusual: {', '.join(one.title for one in unusual)}." if unusual else "none is unusual.")
            + " The limits are those that 3% of the healthy runs exceed from which they were made; of 120 other healthy runs 2 had an unusual quantity.",
            claims=tuple(one.claim for one in unusual or signs),
        )
    ]
    odd = {one.stage for one in signs if one.unusual}
    stages = sorted((stage for stage in STAGES if _own(signs, stage)), key=lambda stage: stage not in odd)
    options = [(STAGES[stage][4:].capitalize(), _stage(result, signs, stage)) for stage in stages]
    blocks.append(Choice("stage", "Stage", tuple(options), every=True))
    unmeasured = [f"{row.check.replace('_', ' ')}: {row.why}" for row in report.unmeasured or ()]
    return [*blocks, *([Text(" ".join(unmeasured), "Not measured.")] if unmeasured else [])]


def _own(signs: tuple[VitalSign, ...], stage: str) -> list[tuple[int, VitalSign]]:
    return [(i, one) for i, one in enumerate(signs) if one.stage == stage]


def _stage(result: Result, signs: tuple[VitalSign, ...], stage: str) -> tuple[Block, ...]:
    """The gauges of one stage, and their figures."""
    own = _own(signs, stage)
    rows: tuple[Row, ...] = tuple(
        (
            f"{one.title}, {one.unit}" if one.unit else one.title,
            *(result.number("vitals", i, name, form=".3g") for name in ("value", "low", "high")),
            result.number("vitals", i, "percentile", form=".0%"),
            one.detail,
        )
        for i, one in own
    )
    met = tuple(False if one.unusual else None for _, one in own)
    columns = ("Quantity", "Value", "Healthy from", "to", "Percentile", "Where")
    draw = partial(charts.gauges, [one for _, one in own])
    return Chart(f"gauges_{stage}", STAGES[stage][4:].capitalize(), draw), Table("", columns, rows, met=met)
