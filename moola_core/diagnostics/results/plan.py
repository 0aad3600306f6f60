"""What the researcher's own rules say, and what a plan of an earlier version decided, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from moola_core.diagnostics.results.interval import Interval

State = Literal["above", "below", "cannot be told", "not measured"]
Agreement = Literal["agrees", "differs", "open"]
# What a comparison of pre-training with random weights came to: the word of its verdict.
Evidence = Literal["helps", "hurts", "equivalent", "undecided", "none yet"]


@dataclass(frozen=True)
class Gate:
    """A threshold of the researcher's on the macro F1 of a model of the class alone.

    source: where it stands in the researcher's plan; says: what the rule says at this score; rule: its name, a field of `specs.Gates`;
    interval: the score with its interval; probability: that the score is above the threshold on windows like these; state: on which side
    of the threshold all of the interval lies, or that it cannot be told; evidence: where the rule agrees with the comparison of
    pre-training and where it does not, in words, and agreement in a word. Of earlier versions there are only the first four, and the
    value is that of the network of both tasks.
    """

    threshold: float
    source: str
    value: float | None
    says: str
    rule: str | None = None
    interval: Interval | None = None
    probability: float | None = None
    state: State | None = None
    evidence: str | None = None
    agreement: Agreement | None = None


@dataclass(frozen=True)
class Decision:
    """One step of a plan of an earlier version.

    branch: the study "ran", "ran in part" (without some of its arms), was "skipped" or "failed", with the `reason`; verdict: what came
    out; adopts: the arm and the settings that the following steps take over from it, empty where they take over nothing; who decided,
    and when.
    """

    study: str
    branch: str
    reason: str
    verdict: str
    adopts: str
    run_id: str
    who: str
    when: str


@dataclass(frozen=True)
class PlanReport:
    """A plan of an earlier version: the decisions in order, the researcher's rules, and where these contradict each other."""

    decisions: tuple[Decision, ...]
    gates: tuple[Gate, ...]
    contradiction: str
