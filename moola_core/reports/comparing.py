"""How a comparison of arms is read out, on the Compare page and in reports alike."""

from __future__ import annotations

from collections.abc import Sequence

from moola_core.diagnostics.results import ArmFacts, Comparison, Gain, LabelCurve, Verdict

RULE_HIGH, RULE_LOW = 0.50, 0.30
BEATEN = "A simple model beats every network."
BEATEN_ADVICE = "Mend that before you tune anything else."
DIFFERS = "Only what is compared should differ. Unequal sizes or epochs are another explanation of a difference."
LEARNING = "Median inner loss over the fits, with their middle half. Losses of different weightings cannot be compared."


def networks(found: Comparison) -> list[ArmFacts]:
    """The arms that are no simple models."""
    return [arm for arm in found.arms if arm.model == "network"]


def rule(found: Comparison) -> str:
    """What the plan's rule reads from the baseline alone, and why not to decide by it; empty outside a transfer study."""
    scratch = next((arm for arm in found.arms if arm.name == found.against), None)
    score = scratch.metrics.get("f1_macro") if scratch else None
    if found.name != "transfer" or score is None:
        return ""
    said = "negative transfer" if score > RULE_HIGH else "the architecture" if score < RULE_LOW else "neither"
    return (
        f"The rule of the plan reads the baseline alone: {score:.3f} points to {said} (above {RULE_HIGH:.2f} negative transfer, below "
        f"{RULE_LOW:.2f} architecture). A coin flip scores 0.50 ± 0.04 on two classes, so do not decide by it."
    )


def in_order(found: Comparison, metric: str) -> list[tuple[int, Verdict]]:
    """The verdicts of one metric against the baseline with their places in the result: networks first, then simple models."""
    names = {arm.name for arm in networks(found)}
    own = [(i, row) for i, row in enumerate(found.verdicts) if row.metric == metric and row.against == found.against]
    return sorted(own, key=lambda pair: pair[1].arm not in names)


def metrics(found: Comparison) -> list[str]:
    """The metrics that have verdicts, each once."""
    return list(dict.fromkeys(row.metric for row in found.verdicts))


def drawn(found: Comparison) -> str:
    """How to read the forest."""
    return (
        f"Each arm less {found.against}, over {found.common} windows and {found.repeats} repeats. Grey: too small to matter. "
        "Intervals allow for several arms (Holm); simple models count apart."
    )


def undecided(rows: Sequence[Verdict]) -> str:
    """What the design can find, and what the strict reading is; empty where everything is decided."""
    if not any(row.verdict == "undecided" for row in rows):
        return ""
    least = max(row.resolvable for row in rows)
    return (
        f"This design finds differences from {least:.2f} on (four times in five). The strict reading is Nadeau and Bengio's t test, "
        "which misses most real differences: where it agrees, be sure."
    )


def settles(row: Verdict) -> str:
    """How many labels or repeats would settle the difference as it stands; empty where neither would, or it is settled."""
    needed = [f"{row.labels_needed:,} labels"] if row.labels_needed else []
    needed += [f"{row.repeats_needed} repeats"] if row.repeats_needed else []
    return " or ".join(needed)


def more_labels(curve: LabelCurve) -> str:
    """What more labels would buy, and what the figure leaves out."""
    now, then = curve.ahead[0], curve.ahead[-1]
    return (
        f"From {now[0]} to {then[0]} labels macro F1 would go from {now[1]:.2f} to {then[1]:.2f} ({then[2]:.2f} to {then[3]:.2f}) if the error goes "
        "on falling with the square root of the labels. The band leaves out how wrong that may be."
    )


def gained(found: Comparison) -> str:
    """What the gains are."""
    return f"Change in the probability of the true class against {found.against}, mean over repeats."


def ends(rows: Sequence[Gain], most: int) -> tuple[list[int], list[int]]:
    """Places of the windows that gained most, and of those that lost most, worst first; no window is in both."""
    up = [i for i, row in enumerate(rows) if row.gain > 0][:most]
    down = [i for i, row in enumerate(rows) if row.gain < 0][-most:][::-1]
    return up, down
