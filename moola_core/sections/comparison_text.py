"""How a comparison of arms is read out, on the Compare page and in reports alike."""

from __future__ import annotations

from collections.abc import Sequence

from moola_core.diagnostics.gates import best_of, gates
from moola_core.diagnostics.results import ArmFacts, Comparison, Gate, Interval, LabelCurve, Verdict, WindowDifference
from moola_core.diagnostics.results.comparison import UNKNOWN
from moola_core.diagnostics.results.interval import OPEN, OPPOSED, SUPPORTED, Claim
from moola_core.metrics import METRICS, title
from moola_core.sections.formatting import counted, interval, likelihood
from moola_core.sections.headline import Headline, judges

# What a comparison supposes to be equal, and the settings by which a study compares it.
FACTS = {
    "size": ("model.layers", "model.hidden"),
    "encoder": ("model.encoder", "model.layers", "model.hidden", "model.normalisation"),
    "epochs": ("training.epochs",),
    "stopping": ("training.patience",),
    "labels": ("training.train_size",),
    "windows": (),
    "folds": (),
    "features": ("features.",),
    "seeds": (),
}
EXPLAINS = "Each of these may explain a difference too."
BEATEN_ADVICE = "Fix this first."
DIFFERS = "Only what is compared should differ."
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
    best = comparison.better_baselines[0]
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


def answer(comparison: Comparison) -> list[str]:
    """The stored answer in words, a line for each arm, less what older ones say of simple models, which `beaten` judges."""
    return [line for line in comparison.sentence.split("\n") if line and not line.startswith("A simple model ")]


def of_networks(comparison: Comparison) -> list[Verdict]:
    """The verdicts of the deciding metric on the networks that may be recommended."""
    names = {arm.name for arm in candidates(comparison)}
    return [row for _, row in in_order(comparison, comparison.deciding) if row.arm in names]


@judges
def of_rule(comparison: Comparison) -> Headline:
    """What the researcher's own rules read from the baseline alone, how sure that is, and why not to decide by it; empty outside a transfer
    study."""
    scratch = next((arm for arm in comparison.arms if arm.name == comparison.against), None)
    score = scratch.metrics.get("f1_macro") if scratch else None
    if comparison.name != "transfer" or scratch is None or score is None:
        return Headline("")
    own = {gate.rule: gate for gate in gates(scratch.f1, best_of(row.verdict for row in of_networks(comparison)))}
    harm, architecture = own["negative_transfer"], own["architecture"]
    claims = tuple(Claim(f"macro F1 of {scratch.name}", row.interval, row.threshold) for row in (harm, architecture))
    shown = f"{score:.3f}" if harm.interval is None else interval(harm.interval, ".3f")
    conventions = _conventions(scratch, architecture.threshold, harm.threshold)
    if harm.interval is None:
        headline = "The rule of thumb in your plan, from the baseline alone."
        return Headline(headline, f"Macro F1 of {scratch.name}: {shown}. {conventions}")
    rest = f"Macro F1 of {scratch.name}: {shown}. {_next_to_evidence(harm)}{conventions}"
    if harm.state == "above":
        return Headline("Your rule of thumb points to negative transfer.", rest, SUPPORTED, claims)
    if architecture.state == "below":
        return Headline("Your rule of thumb points to the architecture.", rest, OPPOSED, claims)
    if (harm.state, architecture.state) == ("below", "above"):
        return Headline("Your rule of thumb points to neither.", rest, OPPOSED, claims)
    return Headline("What your rule of thumb points to cannot be told.", rest, OPEN, claims)


def _next_to_evidence(gate: Gate) -> str:
    """What the rule of negative transfer says, the probability of its side, and whether the verdicts agree."""
    chance = (
        ""
        if gate.probability is None
        else f" Probability of more than {gate.threshold:.2f}: {likelihood(gate.probability)}."
    )
    return f"{gate.says}{chance} {gate.evidence} "


def _conventions(scratch: ArmFacts, low: float, high: float) -> str:
    """What the rule says, the convention of the scores that it is about, and what it cannot see."""
    text = f"The rule is about a model of the class alone: above {high:.2f} it reads negative transfer, below {low:.2f} the architecture."
    if scratch.f1_over_folds is not None:
        text += (
            f" Its thresholds are about means over folds, which are lower than pooled scores where a fold is predicted as one class: "
            f"as such a mean, these predictions score {scratch.f1_over_folds:.3f}."
        )
    return f"{text} A coin flip scores 0.50 ± 0.04 on two classes, so do not decide by it."


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
        if row.metric == metric and (comparison.placebos or {}).get(row.arm) == row.against
    ]


def metrics(comparison: Comparison) -> list[str]:
    """The metrics that have verdicts, each once."""
    return list(dict.fromkeys(row.metric for row in comparison.verdicts))


def drawn(comparison: Comparison) -> str:
    """How to read the forest."""
    inert = " A placebo is no candidate: it is not corrected for, nor recommended." if comparison.inert else ""
    return (
        f'Difference from "{comparison.against}", over {counted(comparison.common, "window")} and {counted(comparison.repeats, "repeat")}. Grey: too small to matter. '
        "Thick: the interval by which the arm is judged (Holm). Thin: all of them hold at once with 95% (Bonferroni). Simple models are corrected "
        f"separately.{inert}"
    )


def estimand(pretrainings: int) -> str:
    """What the verdicts are about; pretrainings: of how many seeds the arms' repeats start in turn."""
    about = "New windows like these, and models that are fitted to them anew with other folds"
    if pretrainings > 1:
        return f"{about}, seeds and pre-trainings."
    return f"{about} and seeds{', from this one pre-training' if pretrainings else ''}."


def design(rows: Sequence[Verdict]) -> str:
    """The smallest difference that the design finds, how alike it could show arms to be, and what pre-training adds to the variance."""
    least = max(row.resolvable for row in rows)
    if not least:
        return f"The arms have the same {title(rows[0].metric)} in every window: there is nothing to tell apart."
    text = f"The smallest difference in {title(rows[0].metric)} that it finds with 80% power is {least:.2f}."
    widths = [row.equivalence for row in rows if row.equivalence is not None]
    if widths and max(widths) > rows[0].margin:
        text += f" Equivalence could be shown within ±{max(widths):.2f}, not within ±{rows[0].margin:g}."
    share = max((row.pretraining_share or 0.0 for row in rows), default=0.0)
    text += (
        f" Up to {share:.0%} of the variance of a difference is due to which pre-training it was." if share > 0 else ""
    )
    return text


def settles(row: Verdict, comparison: Comparison) -> str:
    """How many labels or repeats more would settle the difference as it stands; empty where neither would, or it is settled."""
    more = [f"{row.labels_needed - comparison.common:,} more labels"] if row.labels_needed else []
    more += [f"{row.repeats_needed - comparison.repeats} more repeats"] if row.repeats_needed else []
    return " or ".join(more)


def settling(rows: Sequence[Verdict], comparison: Comparison) -> str:
    """What would settle each arm that is undecided; empty where none is."""
    each = {row.arm: settles(row, comparison) for row in rows if row.verdict == "undecided"}
    able = [f"{arm}: {more}" for arm, more in each.items() if more]
    unable = [arm for arm, more in each.items() if not more]
    there = (
        f"There are {counted(comparison.common, 'label')} and {counted(comparison.repeats, 'repeat')}. If the differences are as measured, "
        "this would be enough: "
    )
    parts = [f"{there}{'; '.join(able)}."] if able else []
    parts += [f"Neither labels nor repeats in a useful number would settle {', '.join(unable)}."] if unable else []
    return " ".join(parts)


def unequal(comparison: Comparison, compared: Sequence[str], arms: Sequence[str]) -> str:
    """In which facts, other than what is compared, these arms are not equal; compared: the settings that the arms change."""
    if comparison.unequal is None:
        return "In what they are unequal is not in this result, which is of an older version; What differs lists their settings."
    asked = {fact for fact, settings in FACTS.items() if any(name.startswith(settings) for name in compared)}
    rows = []
    for row in comparison.unequal:
        users: dict[str, list[str]] = {}
        for arm in arms:
            if row.values[arm] != UNKNOWN:
                users.setdefault(row.values[arm], []).append(arm)
        if len(users) > 1 and row.name not in asked:
            each = "; ".join(f"{', '.join(own)}: {value}" for value, own in users.items())
            rows.append(f"{row.name} ({each})")
    besides = f"Besides what is compared ({', '.join(compared)}), they are" if compared else "They are"
    unknown = [arm for arm in arms if any(row.values[arm] == UNKNOWN for row in comparison.unequal)]
    text = (
        f"{besides} equal in {', '.join(FACTS)}." if not rows else f"{besides} unequal in {', '.join(rows)}. {EXPLAINS}"
    )
    return f"{text} Not everything is known of {', '.join(unknown)}." if unknown else text


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


def window_differences(comparison: Comparison) -> str:
    """What the gains are."""
    return f"Change in the probability of the true class against {comparison.against}, mean over repeats."


def ends(rows: Sequence[WindowDifference], most: int) -> tuple[list[int], list[int]]:
    """Places of the windows that gained most, and of those that lost most, worst first; no window is in both."""
    up = [i for i, row in enumerate(rows) if row.gain > 0][:most]
    down = [i for i, row in enumerate(rows) if row.gain < 0][-most:][::-1]
    return up, down
