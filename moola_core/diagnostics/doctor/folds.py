"""Checks of the cross-validation: what was selected on what, and which windows share bars."""

from __future__ import annotations

import math

from moola_core.diagnostics.doctor.check import ERROR, INFO, Case, Check, deciding_rows, fix_spec, register
from moola_core.diagnostics.results import Finding
from moola_core.metrics import title

WIDEST = 0.12  # of the half-width of an accuracy's interval: more cannot tell 0.45 from 0.55
SETTLES_AT_174 = 0.17  # the smallest difference in macro F1 that one seed on 174 windows resolves (methods)


@register
class SelectionOnTest(Check):
    """The epoch is selected on the very windows that are then reported."""

    id, title = "selection_on_test", "Choice on the test fold"
    networks_only = True
    kinds = ("finetune",)
    invalidates = ("macro F1", "accuracy", "recalls", "comparisons with other runs")

    def judge(self, case: Case) -> Finding | None:
        share = case["validation_in_test_share"]
        if share == 0:
            return None
        evidence = {"validation_in_test_share": share}
        summary = f"{share:.0%} of the windows on which the epoch is selected are test windows of the same fit."
        selected, later = case.get("loss_at_chosen_epoch"), case.get("loss_at_other_epochs")
        if selected is not None and later is not None:
            evidence |= {"loss_at_chosen_epoch": selected, "loss_at_other_epochs": later, "optimism": later - selected}
            summary += (
                f" There the loss is {selected:.3f} at the selected epochs and {later:.3f} on average over the last quarter: up to "
                f"{later - selected:.3f} of it is due to the selection."
            )
        return self.finding(
            ERROR,
            summary,
            evidence,
            "The reported figures are the best of many looks at the test windows: a coin flip on 35 windows looks like F1 0.65 this "
            "way. Select the epoch on a validation split of the training folds and predict the test fold once.",
            fix_spec(case, {"faults.test_fold_selection": False}),
        )


@register
class OverlappingFolds(Check):
    """Test windows share bars with windows that were trained on."""

    id, title = "overlapping_folds", "Overlapping folds"
    kinds = ("finetune",)
    invalidates = ("macro F1", "accuracy", "comparisons with other runs")

    def judge(self, case: Case) -> Finding | None:
        share, minded = case["shared_bars_share"], case["folds_mind_bars"]
        if minded and share == 0:
            return None
        windows = list(case.get("shared_bars_windows") or [])
        evidence = {"shared_bars_share": share, "folds_mind_bars": minded, "windows": windows[:20]}
        if share == 0:
            summary = "The folds are shuffled window by window, whatever bars they share. In these windows none happen to be shared (0%)."
        else:
            summary = f"{share:.0%} of the test windows share bars with windows that the same fit was trained on or selected with."
        return self.finding(
            ERROR if share else INFO,
            summary,
            evidence,
            "A model that remembers the shared bars looks better than it is. Keep windows that share bars in one fold, and purge "
            "training windows that touch the test fold.",
            fix_spec(case, {"faults.shuffled_folds": False}),
        )


@register
class Underpowered(Check):
    """Too few windows for any difference of interest to show."""

    id, title = "underpowered", "Too few windows to tell"
    usual = True
    kinds = ("finetune", "study")
    invalidates = ("comparisons with other runs",)

    def judge(self, case: Case) -> Finding | None:
        n = case["n_windows"]
        half = 1.96 * math.sqrt(0.25 / n)
        verdicts = deciding_rows(case.get("verdicts") or [])
        open_ones = [row for row in verdicts if row["verdict"] == "undecided"]
        if half <= WIDEST and not open_ones:
            return None
        resolvable = SETTLES_AT_174 * math.sqrt(174 / n)
        evidence = {"n_windows": n, "accuracy_half_width": half, "resolvable_f1": resolvable}
        summary = f"With {n} windows an accuracy of one half has a 95% interval of {0.5 - half:.2f} to {0.5 + half:.2f} (1.96·√(0.25/{n}) on either side)"
        if open_ones:
            worst = max(open_ones, key=lambda row: row["resolvable"] - abs(row["delta"]))
            evidence |= {
                "delta": worst["delta"],
                "resolvable": worst["resolvable"],
                "undecided": len(open_ones),
            }
            summary += (
                f"; {worst['arm']} against {worst['against']} is {worst['delta']:+.3f} in {title(worst['metric'])}, and the smallest difference found with 80% power is "
                f"{worst['resolvable']:.2f}"
            )
        else:
            summary += (
                f", and two runs of one seed must differ by about {resolvable:.2f} in macro F1 to be distinguished"
            )
        return self.finding(
            # Of a single run the size of the file is no fault; of a comparison it is why nothing is decided.
            ERROR if half > WIDEST and case.kind != "finetune" else INFO,
            f"{summary}.",
            evidence,
            "Repeats take away the noise of seeds, not that of windows. Label more windows; until then read intervals, not means.",
            fix_spec(case, {"training.repeats": 10}) if case.kind == "finetune" else None,
        )
