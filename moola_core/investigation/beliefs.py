"""What is believed of questions that are not answered yet: stated probabilities, changed by the answers to others.

Each rule multiplies the odds of some answers by a factor that is written down here, as a likelihood ratio, and the probabilities are scaled to 1.
The factors are judgements, not measurements; the values in use are shown with every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moola_core.investigation.known import Answer
from moola_core.investigation.question import QUESTIONS

MORE_SURE = 0.97  # of an answer that an interval decides


@dataclass(frozen=True)
class Rule:
    """After `answer` to `question`, the odds of answers of `other` are multiplied by `factors`; because: why."""

    question: str
    answer: str
    other: str
    factors: Mapping[str, float]
    because: str


RULES: tuple[Rule, ...] = (
    Rule("data", "faulty", "fixes", {"restores": 2.0}, "a fault of the data was found"),
    Rule("data", "faulty", "network", {"yes": 0.5}, "scores on faulty data say little about models"),
    Rule("learnable", "well", "network", {"yes": 0.25}, "a model that is no network comes close to the best possible"),
    Rule("learnable", "well", "search", {"better": 0.5}, "there is little room above"),
    Rule("learnable", "no", "pretraining", {"none": 2.0}, "nothing was found that an encoder could carry"),
    Rule("learnable", "no", "labels", {"pay": 1.5}, "too few windows are the usual reason"),
    Rule("current", "cause", "fixes", {"restores": 2.0}, "the doctor named a cause in a run of your settings"),
    Rule("network", "no", "search", {"better": 0.7}, "the settings of networks drop out"),
    Rule("network", "yes", "architectures", {"another": 1.5}, "the network's own settings now matter"),
    Rule("pretraining", "helps", "objectives", {"another": 2.0}, "the way of pre-training now matters"),
    Rule("pretraining", "helps", "schedules", {"another": 2.0}, "the schedule now matters"),
    Rule("pretraining", "helps", "pretraining-data", {"another": 2.0}, "which bars it sees now matters"),
    Rule("pretraining", "helps", "network", {"yes": 2.0}, "a pre-trained network may be ahead"),
    Rule("pretraining", "hurts", "objectives", {"another": 2.0}, "another objective may do what this one did not"),
    Rule("pretraining", "hurts", "schedules", {"another": 2.0}, "another schedule may keep the harm away"),
    Rule("pretraining", "none", "objectives", {"another": 0.7}, "no pre-training mattered so far"),
    Rule("pretraining", "none", "schedules", {"another": 0.5}, "no pre-training mattered so far"),
    Rule("pretraining", "none", "pretraining-data", {"another": 0.5}, "no pre-training mattered so far"),
    Rule("tasks", "apart", "pointers", {"another": 2.0}, "the tasks are in each other's way"),
    Rule("tasks", "together", "pointers", {"another": 0.5}, "the tasks are not in each other's way"),
    Rule("tasks", "apart", "losses", {"another": 2.0}, "the tasks are in each other's way"),
    Rule("tasks", "apart", "gradients", {"another": 2.0}, "the tasks are in each other's way"),
    Rule("tasks", "together", "losses", {"another": 0.5}, "the tasks are not in each other's way"),
    Rule("tasks", "together", "gradients", {"another": 0.5}, "the tasks are not in each other's way"),
)


def priors(given: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """The probabilities before anything is known: those `given`, else those that each question states."""
    return {name: dict(given.get(name, question.answers)) for name, question in QUESTIONS.items()}


def updated(
    beliefs: Mapping[str, Mapping[str, float]], question: str, answer: Answer
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """What is believed after an answer, and of which other questions it says something, with the reason.

    The answered question's own probability goes to its answer; of an undecided one it stays.
    """
    after = {name: dict(own) for name, own in beliefs.items()}
    why: dict[str, str] = {}
    if answer.settled:
        own = after[question]
        rest = [name for name in own if name != answer.answer]
        after[question] = {answer.answer: MORE_SURE if rest else 1.0}
        after[question] |= {name: (1 - MORE_SURE) / len(rest) for name in rest}
    for rule in RULES:
        if (rule.question, rule.answer) == (question, answer.answer) and rule.other in after:
            after[rule.other] = _scaled(after[rule.other], rule.factors)
            why[rule.other] = rule.because
    return after, why


def _scaled(own: Mapping[str, float], factors: Mapping[str, float]) -> dict[str, float]:
    """Odds times factors, as probabilities: p·f / (1 − p + p·f) for one answer, scaled together for several."""
    weights = {name: p * factors.get(name, 1.0) for name, p in own.items()}
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}
