"""The answer of a study or a comparison as one block: from the question to the next step, in the order in which a reader would ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from moola_core.diagnostics.results import Comparison
from moola_core.diagnostics.results.interval import SUPPORTED
from moola_core.sections import advice, comparison_text, encoders, headlines
from moola_core.sections.blocks import Block, Text
from moola_core.sections.context import ReportContext
from moola_core.specs.pretrain import SAW

BEFORE = "Was a tested window seen before?"


def answer(context: ReportContext) -> list[Block]:
    """The question, what was pre-trained, whether domains and arms are alike, the verdicts, what they are about, and the next step."""
    record, result = context.record, context.result("comparison")
    question = getattr(context.spec, "question", "")
    texts: list[Block] = [Text(question, "The question.")] if question else []
    if record.error:
        texts.append(Text(record.error, f"It is {record.state}.", warning=True))
    texts += [Text(warning, "Warning.", warning=True) for warning in record.warnings]
    comparison: Comparison | None = result.value if result else None
    if comparison is not None:
        texts += map(_behind, _conditions(context, comparison))
        texts += _verdicts(context, comparison)
    if record.note:
        texts.append(Text(record.note, "Note."))
    return [*texts, advice.after_comparison(record, comparison, context.spec).block]


def _behind(block: Block) -> Block:
    return replace(block, behind=True) if isinstance(block, Text) and not block.warning else block


def _conditions(context: ReportContext, comparison: Comparison) -> Iterator[Block]:
    """What was pre-trained and learned, whether its bars are like the labelled windows, and in what the arms are not equal."""
    yield from encoders.blocks(context, comparison)
    if comparison.saw:
        fitted = comparison.saw == SAW["fit"]
        yield Text(comparison.saw, BEFORE if fitted else "What did pre-training see of the labelled windows?")
    if encoders.seeds_of(context, comparison):
        yield _domain(context)
    arms = [arm for arm in getattr(context.spec, "arms", ()) if not arm.baseline]
    names = {arm.name for arm in comparison.arms}
    own = [arm.name for arm in arms if arm.name in names] or list(names)
    compared = dict.fromkeys(name for arm in arms for name in arm.changes)
    yield Text(comparison_text.unequal(comparison, list(compared), own), "Are the arms equal?")


def _domain(context: ReportContext) -> Text:
    shift = context.result("shift")
    strong = "Are the labelled windows like the bars of pre-training?"
    if shift is None:
        files = getattr(getattr(context.spec, "base", None), "data", None)
        named = f"--windows {files.windows} --bars {files.bars}" if files else "--windows FILE --bars FILE"
        return Text(f"It was not measured. To measure it: moola diagnose shift {named}.", strong)
    if shift.why_not or shift.value.domain is None:
        return Text(shift.why_not or "Too few windows share no bar with labelled ones, so it cannot be told.", strong)
    return headlines.of_domain(shift.value.domain).block


def _verdicts(context: ReportContext, comparison: Comparison) -> Iterator[Block]:
    """What each arm does, what that is about, what the design could show, the researcher's own rule, and what would settle the rest."""
    if comparison.no_verdict:
        yield Text(comparison.no_verdict, "No verdict.", warning=True)
        return
    if comparison.better_baselines:
        beaten = comparison_text.beaten(comparison)
        yield replace(beaten.block, warning=beaten.outcome == SUPPORTED)
    rows = comparison_text.of_networks(comparison)
    placebo = [row for _, row in comparison_text.against_placebo(comparison, comparison.deciding)]
    for line in comparison_text.answer(comparison):
        headline, _, rest = line.partition(": ")
        own = [row for row in (*rows, *placebo) if headline.startswith(f"{row.arm} ")]
        yield Text(rest, f"{headline}.", claims=advice.of_verdicts(own))
    if rows:
        about = comparison_text.estimand(encoders.seeds_of(context, comparison))
        yield Text(about, "What the verdicts are about.", behind=True)
        yield Text(comparison_text.design(rows), "What this design can show.", behind=True)
    rule = comparison_text.of_rule(comparison)
    if rule.headline:
        yield _behind(rule.block)
    settling = comparison_text.settling(rows, comparison)
    if settling:
        yield Text(settling, "Sample sizes needed.", behind=True)
