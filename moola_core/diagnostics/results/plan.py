"""What a plan decided, step by step."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Gate:
    """A threshold of the researcher's on the baseline's macro F1: where it stands in the plan, and what it says at this `value`."""

    threshold: float
    source: str
    value: float | None
    says: str


@dataclass(frozen=True)
class Decision:
    """One step of a plan.

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
    """The decisions in order, the gates on the baseline, and where these contradict each other."""

    decisions: tuple[Decision, ...]
    gates: tuple[Gate, ...]
    contradiction: str
