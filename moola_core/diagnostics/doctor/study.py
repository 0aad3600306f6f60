"""Checks of a study: are its arms the same model but for what is compared."""

from __future__ import annotations

from typing import Any

from moola_core.diagnostics.doctor.check import ERROR, INFO, Case, Check, deciding_rows, register
from moola_core.diagnostics.results import Finding, Interval
from moola_core.diagnostics.results.interval import Claim
from moola_core.metrics import title
from moola_core.specs import Study

SAME = ("layers", "hidden", "epochs", "patience", "trainable_parameters")
SETTINGS = ("model.layers", "model.hidden", "training.epochs", "training.patience")
# Of a simple arm against the best network.
TITLE = {"helps": "A simple model is better", "equivalent": "A simple model is as good"}
TITLES = {
    "trainable_parameters": "trainable parameters",
    "layers": "encoder layers",
    "hidden": "encoder width",
    "epochs": "epochs",
    "patience": "patience",
}


@register
class ArmsDiffer(Check):
    """The arms differ in more than what the study compares.

    Reads `arms`, a list of {"name", and any of trainable_parameters, layers, hidden, epochs, patience},
    and `compared`, the names among these that the study means to vary.
    """

    id, title = "arms_differ", "Arms differ"
    kinds = ("study",)
    invalidates = ("verdicts",)

    def judge(self, case: Case) -> Finding | None:
        arms: list[dict[str, Any]] = list(case["arms"])
        compared = set(case.get("compared") or ())
        unequal = {
            name: {arm["name"]: arm.get(name) for arm in arms}
            for name in SAME
            if name not in compared and len({str(arm.get(name)) for arm in arms}) > 1
        }
        if not unequal:
            return None
        differences = "; ".join(
            f"{TITLES[name]} "
            + ", ".join(
                f"{arm} {value if isinstance(value, str) else f'{value:,}' if value is not None else 'none'}"
                for arm, value in row.items()
            )
            for name, row in unequal.items()
        )
        return self.finding(
            INFO if set(unequal) == {"trainable_parameters"} else ERROR,
            f"Apart from what is compared, the arms differ in {differences}.",
            {TITLES[name]: row for name, row in unequal.items()},
            "A verdict then says which bundle is better, not why. Give every arm the same encoder, epochs and early stopping but for the one "
            "thing that is compared.",
            self._equal(case),
        )

    def _equal(self, case: Case) -> dict[str, Any] | None:
        """The study with the base's sizes and lengths in every arm."""
        if not isinstance(case.spec, Study):
            return None
        plain = tuple(
            arm.model_copy(
                update={"changes": {name: value for name, value in arm.changes.items() if name not in SETTINGS}}
            )
            for arm in case.spec.arms
        )
        return case.spec.model_copy(update={"arms": plain}).model_dump(mode="json") if plain != case.spec.arms else None


@register
class SimpleArm(Check):
    """A reference arm of the study does as well as a network.

    Reads `verdicts` as a study gives them, and `reference_arms`, the names of its simple models.
    """

    id, title = "simple_arm", "A simple model is as good or better"
    kinds = ("study",)
    sampled = True

    def judge(self, case: Case) -> Finding | None:
        simple = set(case["reference_arms"])
        rows = [row for row in deciding_rows(case["verdicts"]) if row["arm"] in simple]
        # The best simple model is set against the best network, unless that is the arm that all are set against.
        pairs = [row for row in rows if row["against"] != rows[0]["against"]] or rows
        if not pairs:
            return None
        best = max(pairs, key=lambda row: row["delta"])
        if best["verdict"] == "hurts":
            return None
        finding = self.finding(
            ERROR if best["verdict"] == "helps" else INFO,
            f"{best['arm']} against {best['against']}: {title(best['metric'])} {best['delta']:+.3f}, 95% from {best['low']:+.3f} to {best['high']:+.3f}.",
            {name: best[name] for name in ("arm", "against", "delta", "low", "high", "p_helps")},
            "What a simple model reaches on the same folds is what the features give without a network. Use it until the difference is clear.",
            title=TITLE.get(best["verdict"], "A simple model may be as good"),
        )
        difference = Interval(best["delta"], best["low"], best["high"])
        return self.resting_on(
            finding, (Claim(f"macro F1 of {best['arm']} less that of {best['against']}", difference),)
        )
