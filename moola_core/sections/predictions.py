"""What a run's models predict for new windows, in short."""

from __future__ import annotations

from moola_core.diagnostics.results import Predicted
from moola_core.diagnostics.results.predictions import UNUSUAL_LEVEL
from moola_core.sections.blocks import Block, Figure, Figures, Text
from moola_core.sections.context import ReportContext

MOST_OUT = 0.05  # the share of windows out of distribution above which predictions are warned of


def predicted(context: ReportContext) -> list[Block] | str:
    """How many windows of which class, how far the fits agree, and what not to trust."""
    result = context.result("predicted")
    if not result:
        return "The run left no predictions."
    report: Predicted = result.value
    items = [Figure("Windows", result.number("windows", form=",d"), f"by {report.fits} fits")]
    items += [
        Figure(name, result.number("counts", name, form=",d"), f"{count / max(report.windows, 1):.0%} of the windows")
        for name, count in report.counts.items()
    ]
    if report.agreement is not None:
        items.append(
            Figure("Agreement", result.number("agreement", form=".0%"), "of the models agree with the ensemble")
        )
    if report.out_of_distribution is not None:
        out = result.number("out_of_distribution", form=",d")
        items.append(Figure("Out-of-distribution", out, "further from the training windows than 99% of those"))
    if report.over_bars:
        items.append(Figure("Expansions", f"{len(report.expansions):,}", f"in windows every {report.stride} bars"))
    blocks: list[Block] = [Figures(tuple(items))]
    if (report.out_of_distribution or 0) > MOST_OUT * report.windows:
        unlike = "Many of these windows are unlike those that the run was trained on. Do not trust their predictions."
        blocks.append(Text(unlike, warning=True))
    if report.training:
        shared = f"{report.training:,} share bars with windows that the models were trained on"
        blocks.append(Text(f"{shared}: accuracy there is too optimistic."))
    if report.unusual is not None:
        share = f"{1 - UNUSUAL_LEVEL:.0%} of your labelled windows"
        counted = f"In {report.unusual:,} of {report.windows:,} windows the best span has a stated probability lower than in {share}"
        blocks.append(
            Text(
                f"{counted}: they may hold nothing like the labels. Of windows like the labelled ones, {UNUSUAL_LEVEL:.0%} are counted so."
            )
        )
    return [*blocks, *(Text(warning, "Warning.", warning=True) for warning in context.record.warnings)]
