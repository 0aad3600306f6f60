"""Which of the runs that findings propose the evidence supports: the others are not offered, and where code is at fault it is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from moola_core.diagnostics.doctor import suspects
from moola_core.diagnostics.doctor.check import CHECKS, INFO, Case
from moola_core.diagnostics.doctor.outcome import SYMPTOMS
from moola_core.diagnostics.results import Finding
from moola_core.diagnostics.results.vitals import VitalSign

# Findings whose run is a guess at what would mend it. Others set one thing back that was seen to be wrong.
GUESSES = (
    *SYMPTOMS,
    "too_little_training",
    "stopped_too_early",
    "sigma_never_moved",
    "sigma_at_limit",
    "task_starved",
    "frozen_bottleneck",
    "not_as_started",
    "single_position",
    "unusual_network",
    "unusual_optimisation",
)
# What no setting brings about: the run does not hold what it says it holds.
OF_CODE = ("kept_epoch", "stored_epoch", "predicted_again")
# What settings of training bring about, and code where these are sound.
OF_EITHER = ("first_loss", "step_use", "gradient_size", "weight_size")


def supported(findings: Sequence[Finding], case: Case) -> tuple[Finding, ...]:
    """The findings; without their run those whose guess the evidence contradicts.

    That is where experiments have decided, where signs point at code, and where another finding above a note explains the finding and is
    to be mended first.
    """
    grave = {one.check for one in findings if one.severity != INFO}
    signs = [] if "experiments" in grave else of_code(case)
    checked = []
    for one in findings:
        guess = one.check in GUESSES and one.spec is not None
        if guess and ("experiments" in grave or set(one.explained_by) & grave):
            one = dataclasses.replace(one, spec=None)
        elif guess and signs:
            one = dataclasses.replace(one, spec=None, advice=f"{one.advice} {_look_at(signs)}")
        checked.append(one)
    return tuple(checked)


def of_code(case: Case) -> list[str]:
    """Titles of what code brings about and no setting of this run."""
    if case.kind != "finetune" or case.spec is None:
        return []
    titles = [CHECKS["training_code"].title] if case.get("deviations") else []
    return titles + [one.title for one in signs_of_code(case)]


def signs_of_code(case: Case) -> list[VitalSign]:
    """The unusual signs that code brings about and no setting of this run."""
    if case.spec is None:
        return []
    names = OF_CODE if suspects.of_training(case.spec) else (*OF_CODE, *OF_EITHER)
    return [one for one in case.get("vital_signs") or () if one.unusual and one.name in names]


def _look_at(signs: Sequence[str]) -> str:
    names = ", ".join(title[0].lower() + title[1:] for title in signs)
    return f"No run with other settings is offered, for none of them brings this about: {names}. Look at the code of training there first."
