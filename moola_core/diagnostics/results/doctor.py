"""What the doctor found in a run, in reported figures, or in what is planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing that went wrong.

    severity: blocks (nothing else can be read), harms (the result is worse or not what it says) or note; summary: the numbers
    with their uncertainty; evidence: numbers, names and window ids; shows: the diagnostic that draws them, empty for none;
    spec: the run that would mend or settle it, ready to launch, None where there is no data to launch it on; explained_by: checks
    whose findings explain this one; spoils: what not to read while it stands.
    """

    check: str
    title: str
    severity: str
    summary: str
    evidence: dict[str, Any]
    advice: str
    spec: dict[str, Any] | None
    shows: str
    explained_by: tuple[str, ...]
    spoils: tuple[str, ...]


@dataclass(frozen=True)
class NotJudged:
    """A check that could not say anything, and why."""

    check: str
    why: str


@dataclass(frozen=True)
class Diagnosis:
    """Findings, causes before symptoms; what could not be judged; and the checks that found nothing.

    about: a run's id, a file of figures, or empty for what is planned; kind: finetune, pretrain, study or reported.
    """

    about: str
    kind: str
    findings: tuple[Finding, ...]
    not_judged: tuple[NotJudged, ...]
    passed: tuple[str, ...]
