"""Checks of the vital signs: what healthy runs seldom show, by stage, even where no other check names a cause."""

from __future__ import annotations

from typing import Any, ClassVar

from moola_core.diagnostics.doctor import suspects
from moola_core.diagnostics.doctor.check import WARNING, CannotJudge, Case, Check, fix_spec, register
from moola_core.diagnostics.doctor.outcome import CAUSES, SYMPTOMS
from moola_core.diagnostics.results import Finding
from moola_core.diagnostics.results.vitals import STAGES, VitalSign

FOLDS = 5  # that leave each fit four fifths of the windows
SHOWN = 4  # signs of a stage that the summary names
UNSTEADY = ("too_little_training", "stopped_too_early", "sigma_at_limit")
# Signs that a check, or another sign, explains where it has found something: they belong to its finding and raise none of their own.
EXPLAINED: dict[str, tuple[str, ...]] = {
    "first_loss": ("head_too_wide", "feature_without_scale"),
    "gradient_size": ("task_starved", "sigma_at_limit"),
    "against_trees": ("overlapping_folds", "selection_on_test", *CAUSES, *SYMPTOMS),
    "step_use": UNSTEADY,
    "untold_group": ("trained_share",),  # trees that are trained on a part of the folds tell less
}


class Unusual(Check):
    """A quantity far outside what healthy runs show. Reads `vital_signs`, and which other checks have found something."""

    kinds = ("finetune",)
    stage: ClassVar[str] = ""

    def judge(self, case: Case) -> Finding | None:
        own = [sign for sign in case["vital_signs"] if sign.stage == self.stage]
        if not own:
            if case.planned:
                raise CannotJudge(f"Quantities of {STAGES[self.stage]} are known once the run is done.")
            raise CannotJudge(f"No quantity of {STAGES[self.stage]} could be measured.")
        raised = {*case.raised, *(one.name for one in case["vital_signs"] if one.unusual)}
        explained = {name for name, causes in EXPLAINED.items() if raised.intersection(causes)}
        odd = sorted((one for one in own if one.unusual and one.name not in explained), key=lambda one: -one.distance)
        if not odd:
            return None
        finding = self.finding(
            WARNING,
            " ".join(self._sentence(one) for one in odd[:SHOWN]),
            {
                "signs": {
                    one.name: {"value": one.value, "healthy_from": one.low, "healthy_to": one.high} for one in odd
                },
                "windows": list(next((one.windows for one in odd if one.windows), ())),
            },
            " ".join([odd[0].advice, *(f"{one.title}: {one.advice}" for one in odd[1:SHOWN])]),
            self._fix(case, {one.name for one in odd}),
            title=f"Unusual in {STAGES[self.stage]}: {odd[0].title[0].lower()}{odd[0].title[1:]}",
        )
        return self.resting_on(finding, (one.claim for one in odd[:SHOWN]))

    def _fix(self, case: Case, odd: set[str]) -> dict[str, Any] | None:
        """A run with settings that may bring the signs `odd` about set back; None where there are none."""
        return None

    @staticmethod
    def _sentence(one: VitalSign) -> str:
        unit = f" ({one.unit})" if one.unit else ""
        detail = f"; {one.detail}" if one.detail else ""
        return f"{one.title}{unit}: {one.value:.3g}{detail}. 95% of healthy runs have {one.low:.3g} to {one.high:.3g}."


@register
class UnusualData(Unusual):
    """The file of windows is unlike those of healthy runs."""

    id, title, stage = "unusual_data", "Unusual in the data", "data"
    invalidates = ("macro F1", "comparisons with other runs")


@register
class UnusualLabels(Unusual):
    """Classes or pointers are unlike those of healthy runs."""

    id, title, stage = "unusual_labels", "Unusual in the labels", "labels"
    after = ("unusual_data",)


@register
class UnusualInputs(Unusual):
    """What the model reads is unlike that of healthy runs."""

    id, title, stage = "unusual_inputs", "Unusual in the inputs", "inputs"
    after = ("unusual_data", "feature_without_scale", "drowned_by_jitter", "single_position", "order_lost")


@register
class UnusualNetwork(Unusual):
    """The trained network is unlike those of healthy runs."""

    id, title, stage = "unusual_network", "Unusual in the network", "network"
    networks_only = True
    after = (*CAUSES, "unusual_data", "unusual_labels", "unusual_inputs")

    def _fix(self, case: Case, odd: set[str]) -> dict[str, Any] | None:
        return _as_sound(case)


@register
class UnusualOptimisation(Unusual):
    """Training went unlike that of healthy runs."""

    id, title, stage = "unusual_optimisation", "Unusual in the optimisation", "optimisation"
    networks_only = True
    after = (*CAUSES, "unusual_data", "unusual_labels", "unusual_inputs")

    def _fix(self, case: Case, odd: set[str]) -> dict[str, Any] | None:
        return _as_sound(case)


@register
class UnusualEvaluation(Unusual):
    """Folds or predictions are unlike those of healthy runs."""

    id, title, stage = "unusual_evaluation", "Unusual in the evaluation", "evaluation"
    after = (
        *CAUSES,
        "overlapping_folds",
        "selection_on_test",
        "unusual_data",
        "unusual_labels",
        "unusual_inputs",
        "unusual_network",
        "unusual_optimisation",
    )

    def _fix(self, case: Case, odd: set[str]) -> dict[str, Any] | None:
        training = getattr(case.spec, "training", None)
        if "trained_share" not in odd or training is None:
            return None
        return fix_spec(case, {"training.folds": max(training.folds, FOLDS), "training.train_size": 1.0})


def _as_sound(case: Case) -> dict[str, Any] | None:
    """The run with its settings of training as a sound preset has them."""
    changes = suspects.of_training(case.spec) if case.spec is not None else {}
    return fix_spec(case, changes) if changes else None
