"""Checks of the pointers: do they say more than where expansions usually lie."""

from __future__ import annotations

from moola_core.diagnostics.doctor import suspects
from moola_core.diagnostics.doctor.check import ERROR, INFO, CannotJudge, Case, Check, fix_spec, register
from moola_core.diagnostics.doctor.outcome import CAUSES, UNUSUAL, afresh
from moola_core.diagnostics.results import Finding, Interval
from moola_core.diagnostics.results.interval import OPPOSED, SUPPORTED, beats_constant
from moola_core.specs import Finetune

LOCATING = "locate_then_classify"

LEAST_LOSS = 1.0  # bar: what is surely lost but is less than a bar is no fault


@register
class PointersNoBetter(Check):
    """The pointers are no better than always predicting the training windows' median.

    Reads `pointer_gains`, for center and length {"value", "low", "high"}: by how many bars their error is smaller than the constant's.
    """

    id, title = "pointers_no_better", "Pointers no better than a constant"
    usual = True
    kinds = ("finetune",)
    after = (*CAUSES, *UNUSUAL, "task_starved")
    invalidates = ("center and length errors",)
    diagnostic = "evaluation"
    sampled = True

    def judge(self, case: Case) -> Finding | None:
        if case.get("tasks") == "class":
            raise CannotJudge("The pointers were not trained.")
        if case.get("pointers") == 0:
            raise CannotJudge("No window has a pointer.")
        gains = {name: Interval(**interval) for name, interval in case["pointer_gains"].items()}
        claims = tuple(beats_constant(name, gain) for name, gain in gains.items())
        outcomes = {claim.outcome for claim in claims}
        if outcomes == {SUPPORTED}:
            return None
        sure = OPPOSED in outcomes
        # A network whose pointers settle on the middle of the labels is no worse than the constant that it has become.
        worse = any(gain.high < 0 and gain.value <= -LEAST_LOSS for gain in gains.values())
        listed = "; ".join(
            f"{name} {gain.value:+.1f} bars, 95% from {gain.low:+.1f} to {gain.high:+.1f}"
            for name, gain in gains.items()
        )
        spec = case.spec
        planted = spec is not None and spec.kind == "finetune" and spec.faults.shuffled_pointers
        finding = self.finding(
            ERROR if worse else INFO,
            f"By how much the error is smaller than that of always predicting the training windows' median: {listed}.",
            {name: {"gain_bars": gain.value, "low": gain.low, "high": gain.high} for name, gain in gains.items()},
            f"What does not beat a constant says nothing of the single window. {self._advice(case, worse)}"
            if sure
            else "Whether the pointers say more than where expansions usually lie cannot be told from these windows. More repeats narrow the "
            "interval a little, more labelled windows narrow it surely.",
            fix_spec(case, {"faults.shuffled_pointers": False}) if planted else self._fix(case, worse),
            "" if sure else "Pointers may be no better than a constant",
        )
        return self.resting_on(finding, claims)

    def _advice(self, case: Case, worse: bool) -> str:
        if worse and _sound(case):
            return (
                "With these settings healthy networks settle on the constant at worst: look at what its pointer head begins with, at the units of the labels and "
                "at the loss of the pointers before any setting."
            )
        if case.model == "network":
            return "Fix the findings above first, give the pointers more weight or more epochs, and use none of them until they beat it."
        if case.model == LOCATING:
            return "Look at windows with a large error: do the labels mark one kind of move? Use none of the pointers until they beat it."
        return f"Use none of these pointers. The model {LOCATING} searches each window for its expansion."

    def _fix(self, case: Case, worse: bool) -> dict | None:
        """The run that may do better: the same network trained for long, or in the place of a baseline the model that searches."""
        if worse and _sound(case):
            return None
        if case.model in ("network", LOCATING):
            return afresh(case)
        return fix_spec(case, {"estimator": LOCATING})


def _sound(case: Case) -> bool:
    """Whether a network was trained with the settings of a sound preset."""
    spec = case.spec
    return case.model == "network" and isinstance(spec, Finetune) and not suspects.of_training(spec)
