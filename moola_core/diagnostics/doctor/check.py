"""What a check is, what it reads, and the registry of all checks."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from moola_core.diagnostics.results import Finding
from moola_core.diagnostics.results.doctor import FIGURES, SEVERITIES
from moola_core.diagnostics.results.interval import Claim, Interval, decided
from moola_core.errors import SpecError
from moola_core.registry import Registry
from moola_core.specs import Diagnose, change

CRITICAL, ERROR, WARNING, INFO = SEVERITIES


class CannotJudge(Exception):
    """A check that says why it has nothing to say."""


@dataclass(frozen=True)
class Case:
    """What the doctor reads: facts by name, and the spec that they came from (None where there is none to launch again).

    kind: finetune, pretrain, study or reported; about: the run's id or the file; planned: nothing has been run yet. A fact that is
    not known is missing or None; raised: the checks before this one that have found more than a note.
    """

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    spec: Any | None = None
    about: str = ""
    planned: bool = False
    raised: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """The fact. Raises CannotJudge when it is not known."""
        fact = self.facts.get(name)
        if fact is None:
            words = FIGURES.get(name, name.replace("_", " "))
            if self.planned:
                raise CannotJudge(f"This is known once the run is done: {words}.")
            raise CannotJudge(f"{'The report' if self.kind == 'reported' else 'The run'} does not hold this: {words}.")
        return fact

    def get(self, name: str) -> Any | None:
        return self.facts.get(name)

    @property
    def model(self) -> str:
        """The estimator of a cross-validated run; `network` for figures and for runs of other kinds."""
        return self.spec.estimator if self.kind == "finetune" and self.spec is not None else "network"


def claimed(case: Case, quantity: str, name: str, than: float = 0.0) -> Claim | None:
    """The claim about a fact with its ends `NAME_low` and `NAME_high`; None where an end is not known.

    An estimate that is no fact of its own is taken to be in the middle, and an upper end that nothing reads to be the estimate.
    """
    value, low, high = case.get(name), case.get(f"{name}_low"), case.get(f"{name}_high")
    high = value if high is None else high
    if low is None or high is None:
        return None
    return Claim(quantity, Interval((low + high) / 2 if value is None else value, low, high), than)


class Check(ABC):
    """One rule of the doctor.

    id, title; kinds of case that it applies to; after: checks whose findings explain this one's; invalidates: what not to read while
    the finding stands; diagnostic: the diagnostic that draws the evidence; networks_only: other models have nothing that it judges;
    sampled: it judges estimates from a sample of windows, so that what it finds must rest on an interval or be a note. usual: what healthy runs show as
    well, so that a note of a run is a remark and no finding.
    """

    id: ClassVar[str] = ""
    title: ClassVar[str] = ""
    kinds: ClassVar[tuple[str, ...]] = ("finetune", "reported")
    after: ClassVar[tuple[str, ...]] = ()
    invalidates: ClassVar[tuple[str, ...]] = ()
    diagnostic: ClassVar[str] = ""
    networks_only: ClassVar[bool] = False
    sampled: ClassVar[bool] = False
    usual: ClassVar[bool] = False

    @abstractmethod
    def judge(self, case: Case) -> Finding | None:
        """The finding, or None when there is nothing to find. Raises CannotJudge when the facts do not suffice."""

    def causes(self, case: Case) -> tuple[str, ...]:
        """The checks whose findings explain what this one finds in the case."""
        return self.after

    def finding(
        self,
        severity: str,
        summary: str,
        evidence: dict[str, Any],
        advice: str,
        spec: dict[str, Any] | None = None,
        title: str = "",
    ) -> Finding:
        """A finding of this check, under a title of its own where the check's would say more or less than was found. One of severity info invalidates nothing."""
        invalidates = () if severity == INFO else self.invalidates
        return Finding(
            self.id, title or self.title, severity, summary, evidence, advice, spec, self.diagnostic, (), invalidates
        )

    def resting_on(self, finding: Finding, claims: Iterable[Claim | None]) -> Finding:
        """The finding with the claims that it rests on; those of facts that are not known are None.

        Raises RuntimeError where it is more than a note and none of them is decided by its interval.
        """
        known = tuple(claim for claim in claims if claim is not None)
        if finding.severity != INFO and not decided(known):
            raise RuntimeError(f"the finding {finding.title!r} judges a sample, and no interval decides it.")
        return dataclasses.replace(finding, claims=known)


CHECKS: Registry[Check] = Registry("check", "moola.checks")


def register(kind: type[Check]) -> type[Check]:
    """Add a check to the doctor's; for use as a decorator. Raises SpecError for a check without id or with one that is taken."""
    CHECKS.add(kind.id, kind())
    return kind


def fix_spec(case: Case, changes: Mapping[str, Any]) -> dict[str, Any] | None:
    """The case's spec with the changes, as plain values; None where there is no data to run it on, where they change nothing or do not fit the other settings."""
    spec = case.spec
    if spec is None or not (spec.data.windows if spec.kind == "finetune" else spec.data.bars):
        return None
    try:
        fixed = change(spec, dict(changes))
    except SpecError:
        return None
    return fixed.model_dump(mode="json") if fixed != spec or case.kind == "reported" else None


def diagnostic_spec(case: Case, name: str) -> dict[str, Any] | None:
    """The spec of the diagnostic `name` of the case's run; None where there is no run."""
    if case.planned or case.kind not in ("finetune", "pretrain") or not case.about:
        return None
    return Diagnose.model_validate({"name": name, "run": case.about}).model_dump(mode="json")


def deciding_rows(verdicts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The verdicts, as a study gives them, of the metric that decides; of macro F1 where none is marked."""
    deciding = [row for row in verdicts if row.get("decides")]
    return deciding or [row for row in verdicts if row["metric"] == "f1_macro"]
