"""Checks that reported figures alone allow: units, and errors that noise explains."""

from __future__ import annotations

from moola_core.diagnostics.doctor.check import ERROR, INFO, Case, Check, register
from moola_core.diagnostics.results import Finding


@register
class Units(Check):
    """An error in bars is compared with a target in fractions of the window."""

    id, title = "units", "Units: bars against fractions"
    kinds = ("reported",)

    def judge(self, case: Case) -> Finding | None:
        error, target, length = case["center_mae_bars"], case["center_target_frac"], case["window_bars"]
        wanted = target * length
        if error <= wanted:
            return None
        return self.finding(
            ERROR,
            f"The center is off by {error:g} bars; a target of {target:g} of {length} bars is {target:g}·{length} = {wanted:.1f} bars. In fractions "
            f"the error is {error / length:.3f}: {error / wanted:.1f} times the target.",
            {"center_mae_bars": error, "target_bars": wanted, "error_frac": error / length, "target_frac": target},
            "Give every pointer error in bars and as a fraction, and compare like with like.",
        )


@register
class CalibrationNoise(Check):
    """A calibration error that a calibrated model shows too, by the convention it was measured with."""

    id, title = "calibration_noise", "ECE within noise"
    kinds = ("reported",)
    after = ("constant_folds",)
    invalidates = ("ECE",)

    def judge(self, case: Case) -> Finding | None:
        ece, low, high = case["ece"], case["ece_calibrated_median"], case["ece_calibrated_95"]
        if ece > high:
            return None
        how = case["ece_convention"]
        return self.finding(
            INFO,
            f"ECE {ece:.3f} by the {how}: calibrated models of this size have {low:.2f} in the median and stay below {high:.2f} in 95%.",
            {"ece": ece, "calibrated_median": low, "calibrated_95": high, "convention": how},
            "Nothing about calibration follows from it. Pool the folds, use top-label confidence and 10 bins, and show the range of calibrated models next to it.",
        )
