"""The run doctor: what went wrong, with its evidence, and the run that would settle or fix it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from moola_core.diagnostics.doctor import (  # noqa: F401  each module registers its checks
    experimented,
    far_settings,
    figures,
    folds,
    grades,
    inputs,
    likely,
    optimisation,
    outcome,
    pointing,
    pretraining,
    proposed,
    study,
    tasks,
    training_code,
    transferring,
    unusual,
    where,
)
from moola_core.diagnostics.doctor.check import (
    CHECKS,
    INFO,
    CannotJudge,
    Case,
    Check,
    fix_spec,
    register,
)
from moola_core.diagnostics.results import Diagnosis, Finding, NotJudged
from moola_core.diagnostics.results.doctor import SEVERITIES

__all__ = ["CHECKS", "CannotJudge", "Case", "Check", "examine", "register"]


def examine(case: Case, checks: Iterable[Check] | None = None) -> Diagnosis:
    """All checks that apply to the case (or `checks`): findings with causes before symptoms, and what could not be judged."""
    findings: list[Finding] = []
    not_judged: list[NotJudged] = []
    passed: list[str] = []
    after: dict[str, tuple[str, ...]] = {}
    for check in CHECKS.values() if checks is None else checks:
        if case.kind not in check.kinds:
            continue
        if check.networks_only and case.model != "network":
            why_not = (
                "The predictions were imported: nothing is known of the settings behind them."
                if case.model == "imported"
                else f"It is judged of networks only, and the model {case.model} is none."
            )
            not_judged.append(NotJudged(check.id, why_not))
            continue
        try:
            own = dataclasses.replace(case, raised=tuple(one.check for one in findings if one.severity != INFO))
            finding, causes = check.judge(own), check.causes(own)
        except CannotJudge as why:
            not_judged.append(NotJudged(check.id, str(why)))
            continue
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # A check that stumbles over a fact takes nothing else with it.
            not_judged.append(NotJudged(check.id, f"It could not be computed from this case's facts: {error}."))
            continue
        if finding is None:
            passed.append(check.id)
        else:
            if finding.spec is None and case.kind == "reported" and case.spec is not None:
                # No run to change one setting of: what settles a report is a run without faults on the same windows.
                finding = dataclasses.replace(finding, spec=fix_spec(case, {}))
            findings.append(finding)
            after[check.id] = causes
    signs, slices = (tuple(case.get(name) or ()) for name in ("vital_signs", "weak_slices"))
    of_a_run = case.kind == "finetune" and not case.planned
    ordered = in_order(findings, after, likely_first=of_a_run)
    if of_a_run:
        ordered = proposed.supported(ordered, case)
    remarks = tuple(one for one in ordered if of_a_run and one.severity == INFO and CHECKS[one.check].usual)
    grave = tuple(one for one in ordered if one not in remarks)
    return Diagnosis(
        case.about,
        case.kind,
        grave,
        tuple(not_judged),
        tuple(passed),
        signs,
        (),
        slices,
        case.get("experiments"),
        remarks,
    )


def in_order(
    findings: list[Finding], after: dict[str, tuple[str, ...]], likely_first: bool = False
) -> tuple[Finding, ...]:
    """Findings that nothing else explains first, the more severe before the less; each with those that explain it.

    likely_first: those above a note by the probability that they name the cause, which they are given.
    """
    ids = [finding.check for finding in findings]
    causes = {name: tuple(cause for cause in after[name] if cause in ids) for name in ids}

    def depth(name: str, seen: tuple[str, ...] = ()) -> int:
        return max((1 + depth(cause, (*seen, name)) for cause in causes[name] if cause not in seen), default=0)

    severities = tuple(SEVERITIES)
    explained = [dataclasses.replace(finding, explained_by=causes[finding.check]) for finding in findings]
    by_severity = sorted(explained, key=lambda one: (depth(one.check), severities.index(one.severity)))
    if not likely_first:  # probabilities were learned from runs
        return tuple(by_severity)
    judged = likely.with_probabilities(by_severity)
    ranked = sorted(judged, key=lambda one: (depth(one.check), one.severity == INFO, -(one.probability or 0.0)))
    return likely.with_surer_first(ranked)
