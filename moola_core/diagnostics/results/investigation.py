"""What an investigation asked, in which order and why, and the conclusion that it supports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moola_core.diagnostics.results.interval import Claim
from moola_core.diagnostics.results.plan import Gate


@dataclass(frozen=True)
class Step:
    """A question that was asked.

    question, title: its name and its words; round: 1 for the first time, more where repeats were added; why: the probabilities, the
    cost and the runner-up that put it here; value: the probability that its answer changes the conclusion; cost_s: expected, and seconds:
    measured; answer: a key of the question's answers, or "undecided" or "failed"; outcome: the answer in a sentence; run_id: the run that it
    rests on; state: "answered", "undecided", "failed" or "cut" (the budget ended).
    """

    question: str
    title: str
    round: int
    why: str
    value: float
    cost_s: float
    answer: str
    outcome: str
    run_id: str
    seconds: float
    state: str
    when: str


@dataclass(frozen=True)
class Unasked:
    """A question that was not asked, and why: it cannot be answered, it cannot change the conclusion, or there was no time for it."""

    question: str
    title: str
    why: str


@dataclass(frozen=True)
class Statement:
    """A sentence of the conclusion, the run that it rests on, and, where it judges, the intervals and thresholds that decide it.

    kind: model, target, pretraining, network, settings, cause or next.
    """

    kind: str
    text: str
    run_id: str
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """A model that was measured: its run, settings in words, scores by metric (mean over the repeats), and why it is not recommended."""

    name: str
    run_id: str
    model: str
    scores: dict[str, float | None]
    excluded: str = ""


@dataclass(frozen=True)
class Best:
    """The recommended model and the score to expect of it.

    metric: what it was chosen by; measured: its score, which is too good where it was the best of several; expected, low, high: the
    score to expect on new windows, corrected for the choice (BBC-CV), with its 95% interval; others: the same of other metrics, each (expected, low, high).
    """

    model: str
    run_id: str
    metric: str
    measured: float
    expected: float
    low: float
    high: float
    others: dict[str, tuple[float, float, float]]

    def score(self, metric: str) -> tuple[float, float, float] | None:
        """The score to expect in a metric with its interval, (expected, low, high); None where it was not measured."""
        return (self.expected, self.low, self.high) if metric == self.metric else self.others.get(metric)


@dataclass(frozen=True)
class Gauge:
    """The user's goal or a target of the plan: the metric, the threshold, the probability of being beyond it, and whether it is met (None: not told)."""

    metric: str
    threshold: float
    above: bool
    probability: float | None
    met: bool | None


@dataclass(frozen=True)
class InvestigationReport:
    """An investigation so far.

    Attributes
    ----------
    conclusion : tuple of Statement
        The answer, each sentence with its run.
    best : Best or None
        The model to use; None where none was measured.
    steps : tuple of Step
        In their order.
    unasked : tuple of Unasked
        What was not asked, and why.
    candidates : tuple of Candidate
        All models that were measured.
    gauges : tuple of Gauge
        Goal and targets.
    beliefs : dict
        Probabilities of each question's answers as they stand.
    windows_next : tuple of str
        Windows or times to label next, the most useful first.
    ended : str
        Why it ended; empty while it runs.
    spent_s, budget_s : float
        Time.
    facts : dict
        What the data is.
    gates : tuple of Gate
        The researcher's own rules at the score of the class alone.
    contradiction : str
        Where these rules contradict each other.
    """

    conclusion: tuple[Statement, ...]
    best: Best | None
    steps: tuple[Step, ...]
    unasked: tuple[Unasked, ...]
    candidates: tuple[Candidate, ...]
    gauges: tuple[Gauge, ...]
    beliefs: dict[str, dict[str, float]]
    windows_next: tuple[str, ...]
    ended: str
    spent_s: float
    budget_s: float
    facts: dict[str, Any]
    gates: tuple[Gate, ...] = ()
    contradiction: str = ""
