"""The researcher's own rules, evaluated with the error of the score, next to what a comparison of pre-training shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from moola_core.diagnostics.results.evaluation import Sampled
from moola_core.diagnostics.results.interval import OPEN, OPPOSED, SUPPORTED, above
from moola_core.diagnostics.results.plan import Agreement, Evidence, Gate, State
from moola_core.specs import Gates

LEVEL = 0.95  # of the interval of a score
ABOVE: State = "above"
BELOW: State = "below"
OPEN_STATE: State = "cannot be told"
UNMEASURED_STATE: State = "not measured"
STATES: dict[str, State] = {SUPPORTED: ABOVE, OPPOSED: BELOW, OPEN: OPEN_STATE}
NOT_MEASURED = "The class alone was not measured with its error, so the rule decides nothing."
WORDS: dict[Evidence, str] = {
    "helps": "pre-training helps",
    "hurts": "pre-training hurts",
    "equivalent": "pre-training makes no difference that matters",
}
NO_EVIDENCE = "Pre-training was not compared with random weights, so nothing supports or opposes the rule."


@dataclass(frozen=True)
class Rule:
    """What the researcher does on one side of a threshold; name: a field of `specs.Gates`; source: where it stands in the plan."""

    name: str
    source: str
    side: Literal["above", "below"]
    then: str


ARCHITECTURE, TRANSFER = "architecture", "negative_transfer"
RULES = (
    Rule(ARCHITECTURE, "decisions", "below", "Look at the architecture before anything else: it is at fault."),
    Rule("unfreezing", "phases", "below", "Unfreeze the encoder."),
    Rule(
        TRANSFER,
        "decisions",
        "above",
        "Negative transfer: abandon masked pre-training and try contrastive or supervised pre-training.",
    ),
    Rule("pointers", "phases", "above", "The class alone is good enough: add the pointers back."),
    Rule("target", "targets", "above", "The target is met by the class alone: add the pointers back."),
)


def gates(score: Sampled | None, evidence: Evidence = "none yet", thresholds: Gates | None = None) -> tuple[Gate, ...]:
    """Each of the researcher's rules at this score, next to the evidence.

    Parameters
    ----------
    score : Sampled or None
        Macro F1 of a model of the class alone from random weights, with its interval; None where it was not measured.
    evidence : {"helps", "hurts", "equivalent", "undecided", "none yet"}, default="none yet"
        What a comparison of pre-training with random weights came to.
    thresholds : Gates, optional
        The user's thresholds; the defaults of `specs.Gates` unless given.

    Returns
    -------
    tuple of Gate
        In the order of `RULES`.
    """
    at: dict[str, float] = (thresholds or Gates()).model_dump()
    states = {name: state_of(score, threshold) for name, threshold in at.items()}
    made = []
    for rule in RULES:
        threshold, state = at[rule.name], states[rule.name]
        sentence, agreement = _next_to_evidence(rule, state, evidence)
        made.append(
            Gate(
                threshold,
                rule.source,
                score.interval.value if score else None,
                _says(rule, score, at, states),
                rule.name,
                score.interval if score else None,
                probability_above(score, threshold) if score else None,
                state,
                sentence,
                agreement,
            )
        )
    return tuple(made)


def best_of(verdicts: Iterable[str]) -> Evidence:
    """The best that the verdicts on several ways to transfer an encoder say of it."""
    words: tuple[Evidence, ...] = ("helps", "undecided", "equivalent", "hurts")
    given = set(verdicts)
    return next((word for word in words if word in given), "none yet")


def state_of(score: Sampled | None, threshold: float) -> State:
    """On which side of the threshold the score lies with all of its interval."""
    return STATES[above(score.interval, threshold)] if score else UNMEASURED_STATE


def probability_above(score: Sampled, threshold: float) -> float:
    """The probability that the metric is above the threshold on windows like these.

    As it was computed where it was stored for this threshold; else by Student's t, or by a normal distribution of the same interval
    where the degrees of freedom are not stored, as in results of earlier versions.
    """
    stored = next((chance.probability for chance in score.chances if chance.threshold == threshold), None)
    if stored is not None:
        return stored
    from scipy.special import ndtr, ndtri, stdtr, stdtrit  # pages read stored gates and need none of it

    value, quantile = score.interval.value, (1 + LEVEL) / 2
    reach = max(score.interval.high - value, value - score.interval.low)  # the other end may be cut off at 0 or 1
    if reach == 0:
        return float(value > threshold)
    if score.freedom is None:
        return float(ndtr((value - threshold) / reach * ndtri(quantile)))
    return float(stdtr(score.freedom, (value - threshold) / reach * stdtrit(score.freedom, quantile)))


def contradictions(thresholds: Gates | None = None) -> str:
    """Where the rules ask for different things at one score, a sentence each; empty where they do not."""
    at = thresholds or Gates()
    sentences = []
    if at.negative_transfer < at.architecture:
        sentences.append(
            f"Between {at.negative_transfer:.2f} and {at.architecture:.2f} the decisions read one score as negative transfer and as a "
            "fault of the architecture."
        )
    if at.unfreezing > 0:
        others = [f"look at the architecture (below {at.architecture:.2f})"] if at.architecture > 0 else []
        if at.unfreezing > at.architecture:
            others.append(f"tune the settings (from {at.architecture:.2f})")
        if at.unfreezing > at.negative_transfer:
            others.append(f"abandon masked pre-training (above {at.negative_transfer:.2f})")
        sentences.append(
            f"Below {at.unfreezing:.2f} the phases unfreeze the encoder, where the decisions {' or '.join(others)}."
        )
    if at.pointers != at.target:
        low, high = sorted((("phases", at.pointers), ("targets", at.target)), key=lambda pair: pair[1])
        sentences.append(
            f"Between {low[1]:.2f} and {high[1]:.2f} the {low[0]} add the pointers back and the {high[0]} do not yet."
        )
    if not sentences:
        return ""
    return f"Your rules contradict each other. {' '.join(sentences)}"


def _says(rule: Rule, score: Sampled | None, at: dict[str, float], states: dict[str, State]) -> str:
    """What the rule says at this score."""
    threshold, state = at[rule.name], states[rule.name]
    if score is None:
        return NOT_MEASURED
    if state == OPEN_STATE:
        return f"{score.interval.value:.2f} cannot be told from {threshold:.2f}, so the rule decides nothing."
    if state == rule.side:
        return rule.then
    if rule.name == TRANSFER:
        return _between(at, states)
    return f"The score is {state} {threshold:.2f}, so the rule does not apply."


def _between(at: dict[str, float], states: dict[str, State]) -> str:
    """What the decisions say below the threshold of negative transfer."""
    low, high = f"{at[ARCHITECTURE]:.2f}", f"{at[TRANSFER]:.2f}"
    if states[ARCHITECTURE] == ABOVE:
        return f"The score is between {low} and {high}: tune the settings."
    if states[ARCHITECTURE] == BELOW:
        return f"The score is below {high}, so the rule does not apply."
    return f"The score is below {high}: tune the settings, unless it is below {low} too, which cannot be told."


def _next_to_evidence(rule: Rule, state: State, evidence: Evidence) -> tuple[str, Agreement]:
    """Where the rule agrees with the comparison of pre-training and where it does not."""
    if rule.name == TRANSFER:
        return _on_transfer(state, evidence)
    if state == UNMEASURED_STATE:
        return "", "open"
    if rule.name == ARCHITECTURE and state == BELOW and evidence == "helps":
        return (
            "They differ: the same architecture does better from pre-trained weights, so it is not all that limits the score.",
            "differs",
        )
    about = {
        ARCHITECTURE: "The comparison of pre-training says nothing about the architecture.",
        "unfreezing": "Which part of the encoder to train is settled by comparing the schedules, not by this score.",
    }
    return about.get(rule.name, "What the pointers cost the class is settled by comparing the two tasks."), "open"


def _on_transfer(state: State, evidence: Evidence) -> tuple[str, Agreement]:
    if evidence == "none yet":
        return NO_EVIDENCE, "open"
    if evidence == "undecided":
        return (
            "The comparison leaves open whether pre-training hurts, so it neither supports nor opposes the rule.",
            "open",
        )
    shown = WORDS[evidence]
    if state in (OPEN_STATE, UNMEASURED_STATE):
        return f"The rule decides nothing here. The comparison does: {shown}.", "open"
    if (state == ABOVE) == (evidence == "hurts"):
        return f"They agree: the comparison shows that {shown}.", "agrees"
    unseen = "" if state == ABOVE else " at a score that the rule takes as free of negative transfer"
    return f"They differ: the comparison shows that {shown}{unseen}. Go by the comparison.", "differs"
