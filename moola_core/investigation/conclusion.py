"""What an investigation came to: sentences, each with the run that it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from moola_core.diagnostics import gates as rules
from moola_core.diagnostics.results import Best, Gate, Gauge, Interval, Statement
from moola_core.diagnostics.results.interval import Claim, exactly
from moola_core.diagnostics.results.plan import Evidence
from moola_core.investigation.candidates import measured
from moola_core.investigation.causes import Cause, collected
from moola_core.investigation.goal import gauge, goals
from moola_core.investigation.known import FAILED, TASKS, UNDECIDED, Answer, Known, comparison_of
from moola_core.investigation.question import QUESTIONS
from moola_core.investigation.questions.networks import class_alone
from moola_core.metrics import METRICS

MOST_CAUSES = 4


def gauges(known: Known, best: Best | None) -> tuple[Gauge, ...]:
    """The goal, or the plan's targets of the tasks that the data has, for the recommended model."""
    tasks = TASKS if known.facts.expansions else TASKS[:1]
    return tuple(gauge(goal, best) for goal in goals(known.spec, tasks))


def conclusion(known: Known, best: Best | None) -> tuple[Statement, ...]:
    """The answer in the order in which one would ask: what to use, how good it is, whether pre-training helps, what is wrong, what next."""
    return (
        *_model(known, best),
        *_targets(known, best),
        *_pretraining(known),
        *_network(known),
        *_causes(known),
        *_next(known),
    )


def own_rules(known: Known) -> tuple[tuple[Gate, ...], str]:
    """The researcher's gates at the score of the network of the class alone, where it was measured, and where they contradict each other."""
    words: dict[str, Evidence] = {"helps": "helps", "hurts": "hurts", "none": "equivalent", UNDECIDED: "undecided"}
    run, own = known.runs.get("tasks"), known.spec.gates
    alone = class_alone(comparison_of(run)) if run is not None else None
    return rules.gates(alone, words.get(known.answer("pretraining"), "none yet"), own), rules.contradictions(own)


def _model(known: Known, best: Best | None) -> Iterator[Statement]:
    if best is None:
        yield Statement("model", "No model was measured, so none can be recommended.", "")
        return
    count = len([one for one in measured(known) if not one.excluded])
    expected = f"{best.expected:.2f} ({best.low:.2f} to {best.high:.2f}) in {_title(best.metric)}"
    others = "; ".join(
        f"{_title(name)} {v:.2f} ({low:.2f} to {high:.2f})" for name, (v, low, high) in best.others.items()
    )
    corrected = (
        f"The best of {count} that were measured had {best.measured:.2f}, which is too good because it was picked."
        if count > 1
        else ""
    )
    more = f" Also: {others}." if others else ""
    yield Statement(
        "model",
        f"Use {best.model}. On new windows like these expect {expected}.{more} {corrected}".strip(),
        best.run_id,
        (Claim(f"{best.metric} of {best.model}", Interval(best.expected, best.low, best.high)),),
    )
    if known.answer("learnable") == "no":
        own = known.answers["learnable"]
        yield Statement("model", f"Be careful: {_lower(own.outcome)}", own.run_id, own.claims)


def _targets(known: Known, best: Best | None) -> Iterator[Statement]:
    for one in gauges(known, best):
        wanted = f"{_title(one.metric)} {'above' if one.above else 'below'} {one.threshold:g}"
        score = best.score(one.metric) if best else None
        if best is None or score is None or one.probability is None:
            yield Statement("target", f"Whether {wanted} is reached was not measured.", best.run_id if best else "")
            continue
        value, low, high = score
        shown = f"{value:.2f} ({low:.2f} to {high:.2f}), probability of reaching it {_chance(one.probability)}."
        if one.met is None:
            text = f"Whether the target, {wanted}, is reached cannot be told: {shown}"
        else:
            text = f"The target, {wanted}, is {'reached' if one.met else 'not reached'}: {shown}"
        yield Statement("target", text, best.run_id, (Claim(one.metric, Interval(value, low, high), one.threshold),))


def _pretraining(known: Known) -> Iterator[Statement]:
    own = known.answers.get("pretraining")
    if own is None or own.answer == FAILED:
        why = f"could not be answered: {own.outcome}" if own else "was not tested."
        yield Statement("pretraining", f"Whether pre-training helps {why}", own.run_id if own else "")
        return
    numbers = own.numbers
    settings = (
        f"the network {known.network_settings[0]}, {numbers.get('schedule', '')}, {_times(numbers.get('repeats', 0))}"
    )
    if own.answer != UNDECIDED or "delta" not in numbers:
        yield Statement("pretraining", f"Pre-training ({settings}): {_lower(own.outcome)}", own.run_id, own.claims)
        return
    title, low, high = _title(numbers["metric"]), numbers["low"], numbers["high"]
    text = (
        f"That pre-training helps or hurts cannot be shown with this data ({settings}): the difference in {title} is {numbers['delta']:+.2f}, and "
        f"anything from {low:+.2f} to {high:+.2f} is still possible; a difference of {numbers['resolvable']:.2f} would have been found."
    )
    yield Statement("pretraining", text, own.run_id, own.claims)


def _network(known: Known) -> Iterator[Statement]:
    own = known.answers.get("network")
    if own is not None and own.answer != FAILED:
        yield Statement("network", own.outcome, own.run_id, own.claims)
    for name in (
        "tasks",
        "pointers",
        "losses",
        "gradients",
        "patience",
        "architectures",
        "inputs",
        "objectives",
        "schedules",
        "pretraining-data",
        "search",
    ):
        other = known.answers.get(name)
        if other is not None and other.answer in ("another", "apart", "better"):
            yield Statement("settings", other.outcome, other.run_id, other.claims)
    final = known.answers.get("final")
    if final is not None and final.answer != FAILED:
        yield Statement("settings", final.outcome, final.run_id, final.claims)


def _causes(known: Known) -> Iterator[Statement]:
    causes = collected(known)
    fixes = known.answers.get("fixes")
    for cause in causes[:MOST_CAUSES]:
        yield Statement(
            "cause", _named(known, cause), cause.run_id, cause.finding.claims or (exactly("findings", 1, 0),)
        )
    if len(causes) > MOST_CAUSES:
        rest = ", ".join(cause.finding.title.lower() for cause in causes[MOST_CAUSES:])
        yield Statement(
            "cause", f"Also found: {rest}.", causes[MOST_CAUSES].run_id, (exactly("findings", len(causes), 0),)
        )
    if fixes is not None and fixes.answer != FAILED:
        yield Statement("cause", f"The corrections were tried. {fixes.outcome}", fixes.run_id, fixes.claims)
    looked = [known.answers[name] for name in ("current", "data") if name in known.answers]
    if looked and not causes and looked[0].answer != FAILED:
        yield Statement(
            "cause", "The checks of the data and of the runs name no cause that spoils the score.", looked[0].run_id
        )


def _named(known: Known, cause: Cause) -> str:
    """The finding, and what to do about it where no correction was tried."""
    finding, current = cause.finding, known.runs.get("current")
    tried = not cause.by_hand and current is not None and cause.run_id == current.id and "fixes" in known.answers
    return f"{finding.title}. {finding.summary}" + ("" if tried else f" How to fix it: {finding.advice}")


def _next(known: Known) -> Iterator[Statement]:
    for name in ("ceiling", "labels", "next windows"):
        own = known.answers.get(name)
        if own is not None and own.answer != FAILED:
            yield Statement("next", own.outcome, own.run_id, own.claims)
    for name in ("pretraining", "network"):
        own = known.answers.get(name)
        if own is not None and own.answer == UNDECIDED:
            yield Statement("next", _to_decide(QUESTIONS[name].title, own), own.run_id)


def _to_decide(title: str, own: Answer) -> str:
    """What would settle an undecided question: labels or repeats in all, by the verdict that decides."""
    labels, repeats = (own.numbers.get(name) for name in ("labels_needed", "repeats_needed"))
    ways = [f"{labels:,} labelled windows in all"] if labels else []
    ways += [f"{repeats} repeats"] if repeats else []
    if not ways:
        return f"{title} To decide it, give the investigation more time: further repeats show whether they suffice."
    return f"{title} A difference of the size that was measured would be found with about {' or '.join(ways)}."


def _times(repeats: int) -> str:
    return "1 repeat" if repeats == 1 else f"{repeats} repeats"


def _title(metric: str) -> str:
    title = METRICS[metric].title
    return title if title.isupper() or title.startswith(("AUROC", "ECE")) else title[:1].lower() + title[1:]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _chance(p: float) -> str:
    return "below 0.01" if p < 0.01 else "above 0.99" if p > 0.99 else f"{p:.2f}"
