"""How a comparison of arms is read out, on the Compare page and in reports alike."""

from __future__ import annotations

from collections.abc import Sequence

from moola_core.diagnostics.results import ArmFacts, Comparison, Gain, Interval, LabelCurve, Verdict
from moola_core.diagnostics.results.interval import OPEN, OPPOSED, SUPPORTED, Claim
from moola_core.metrics import METRICS
from moola_core.sections.formatting import interval
from moola_core.sections.headline import Headline, judges

RULE_HIGH, RULE_LOW = 0.50, 0.30
BEATEN_ADVICE = "Fix this first."
DIFFERS = "Only what is compared should differ. Unequal sizes or epochs are another explanation of a difference."
LEARNING = "Median validation loss over the fits (band: 25th to 75th percentile). Losses of different weightings cannot be compared."


def networks(comparison: Comparison) -> list[ArmFacts]:
    """The arms that are no simple models, placebos among them."""
    return [arm for arm in comparison.arms if arm.model == "network"]


def candidates(comparison: Comparison) -> list[ArmFacts]:
    """The networks that may be recommended: all but placebos."""
    return [arm for arm in networks(comparison) if arm.name not in comparison.inert]


@judges
def beaten(comparison: Comparison) -> Headline:
    """Whether the best simple model beats the best network, by the verdict between the two."""
    metric = METRICS[comparison.deciding]
    scores = {arm.name: arm.metrics.get(metric.name) for arm in comparison.arms}
    best = comparison.beaten_by[0]
    rival = max((arm.name for arm in candidates(comparison)), key=lambda name: scores[name] or 0.0)
    row = next((v for v in comparison.verdicts if (v.arm, v.against, v.metric) == (best, rival, metric.name)), None)
    rest = f"{metric.title}: {best} {scores[best] or 0.0:.3f}, the best network {scores[rival] or 0.0:.3f}."
    if row is None:
        return Headline("A simple model is ahead of every network.", f"{rest} Whether it beats them was not judged.")
    difference = Interval(row.delta, row.low, row.high)
    rest = f"{rest} Difference {interval(difference, '+.3f')}."
    claims = tuple(
        Claim(f"{metric.title} of {best} less that of {rival}", difference, than) for than in (0.0, row.margin)
    )
    if row.verdict == "helps":
        return Headline("A simple model beats every network.", f"{rest} {BEATEN_ADVICE}", SUPPORTED, claims)
    if row.verdict in ("equivalent", "hurts"):
        return Headline("A simple model does as well as the best network.", rest, OPPOSED, claims)
    headline = "A simple model is ahead of every network; whether it beats them cannot be told."
    return Headline(headline, rest, OPEN, claims)


def answer(comparison: Comparison) -> str:
    """The stored answer in words, less what older ones say of simple models, which `beaten` judges."""
    first, _, rest = comparison.sentence.partition("\n")
    return rest if comparison.beaten_by and first.startswith("A simple model ") else comparison.sentence


def rule(comparison: Comparison) -> str:
    """What the plan's rule reads from the baseline alone, and why not to decide by it; empty outside a transfer study."""
    scratch = next((arm for arm in comparison.arms if arm.name == comparison.against), None)
    score = scratch.metrics.get("f1_macro") if scratch else None
    if comparison.name != "transfer" or score is None:
        return ""
    cause = "negative transfer" if score > RULE_HIGH else "the architecture" if score < RULE_LOW else "neither"
    return (
        f"Rule of thumb in your plan, from the baseline alone: {score:.3f} points to {cause} (above {RULE_HIGH:.2f} negative transfer, below "
        f"{RULE_LOW:.2f} architecture). A coin flip scores 0.50 ± 0.04 on two classes, so do not decide by it."
    )


def best_arm(comparison: Comparison) -> str:
    """What the best arm is expected to reach, for it was picked; empty where that was not measured."""
    selection = comparison.selection
    if selection is None:
        return ""
    metric = METRICS[selection.metric]
    return (
        f"By {metric.title}, {selection.name} has the highest score of {len(selection.share)} arms: {metric.text(selection.measured)} as measured. Whatever comes out on top owes part "
        f"of that to luck; {interval(selection.expected, f'.{metric.digits}f')} is to be expected of it on new windows."
    )


def in_order(comparison: Comparison, metric: str) -> list[tuple[int, Verdict]]:
    """The verdicts of one metric against the baseline with their places in the result: networks first, then simple models."""
    names = {arm.name for arm in networks(comparison)}
    own = [
        (i, row)
        for i, row in enumerate(comparison.verdicts)
        if row.metric == metric and row.against == comparison.against
    ]
    return sorted(own, key=lambda pair: pair[1].arm not in names)


def against_placebo(comparison: Comparison, metric: str) -> list[tuple[int, Verdict]]:
    """The verdicts of one metric on arms against their placebos, with their places in the result."""
    return [
        (i, row)
        for i, row in enumerate(comparison.verdicts)
        if row.metric == metric and comparison.placebos.get(row.arm) == row.against
    ]


def metrics(comparison: Comparison) -> list[str]:
    """The metrics that have verdicts, each once."""
    return list(dict.fromkeys(row.metric for row in comparison.verdicts))


def drawn(comparison: Comparison) -> str:
    """How to read the forest."""
    inert = " A placebo is no candidate: it is not corrected for, nor recommended." if comparison.inert else ""
    return (
        f'Difference from "{comparison.against}", over {comparison.common} windows and {comparison.repeats} repeats. Grey: too small to matter. '
        f"Intervals allow for several arms (Holm); simple models are corrected separately.{inert} They are about new windows like these, and models "
        "fitted to them with new folds, seeds and pre-trainings."
    )


def undecided(rows: Sequence[Verdict]) -> str:
    """The smallest difference that the design finds, and how alike it could show arms to be; empty where everything is decided."""
    if not any(row.verdict == "undecided" for row in rows):
        return ""
    text = f"Smallest difference found with 80% power: {max(row.resolvable for row in rows):.2f}."
    widths = [row.equivalence for row in rows if row.equivalence is not None]
    if widths and max(widths) > rows[0].margin:
        text += f" That two arms are equivalent could be shown within ±{max(widths):.2f} at best, not within ±{rows[0].margin:g}."
    return text


def pretraining(rows: Sequence[Verdict]) -> str:
    """How much of the uncertainty is due to the seeds of pre-training; empty where there was one pre-training."""
    share = max((row.pretraining_share or 0.0 for row in rows), default=0.0)
    return (
        f"Up to {share:.0%} of the variance of a difference is due to which pre-training it was." if share > 0 else ""
    )


def settles(row: Verdict) -> str:
    """How many labels or repeats would settle the difference as it stands; empty where neither would, or it is settled."""
    needed = [f"{row.labels_needed:,} labels"] if row.labels_needed else []
    needed += [f"{row.repeats_needed} repeats"] if row.repeats_needed else []
    return " or ".join(needed)


def more_labels(curve: LabelCurve) -> str:
    """What more labels would buy, and what the figure leaves out."""
    now, then, repeated = curve.ahead[0], curve.ahead[-1], len(curve.scores[0]) > 1
    ends = f" ({then[2]:.2f} to {then[3]:.2f} over repeats)" if repeated else ""
    without = (
        "The band leaves out how wrong that may be." if repeated else "One repeat shows no spread, so there is no band."
    )
    return (
        f"From {now[0]} to {then[0]} labels macro F1 would go from {now[1]:.2f} to {then[1]:.2f}{ends} if the error goes on falling with the "
        f"square root of the labels. {without}"
    )


def gained(comparison: Comparison) -> str:
    """What the gains are."""
    return f"Change in the probability of the true class against {comparison.against}, mean over repeats."


def ends(rows: Sequence[Gain], most: int) -> tuple[list[int], list[int]]:
    """Places of the windows that gained most, and of those that lost most, worst first; no window is in both."""
    up = [i for i, row in enumerate(rows) if row.gain > 0][:most]
    down = [i for i, row in enumerate(rows) if row.gain < 0][-most:][::-1]
    return up, down
