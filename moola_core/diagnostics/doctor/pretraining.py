"""Checks of pre-training: was the answer in the input, was anything learned."""

from __future__ import annotations

from moola_core.diagnostics.doctor.check import CRITICAL, ERROR, INFO, CannotJudge, Case, Check, fix_spec, register
from moola_core.diagnostics.results import Finding, Interval
from moola_core.diagnostics.results.interval import OPPOSED, SUPPORTED, Claim, exactly

UNDER_FLOOR = 0.95
EXPOSED = 1.1  # error with the hidden bars surely covered over the error as trained
NO_BETTER = 0.995  # of the best trivial predictor


@register
class TargetVisible(Check):
    """The network could read what it was asked for."""

    id, title = "target_visible", "Target visible in the input"
    kinds = ("pretrain", "reported")
    invalidates = ("the masked error",)
    diagnostic = "learned"

    def judge(self, case: Case) -> Finding | None:
        error, floor, covered = case["masked_mae"], case.get("noise_floor"), case.get("masked_input_mae")
        if floor is None and covered is None:
            raise CannotJudge("Neither the noise in the input nor the error with covered bars is known.")
        under = floor is not None and error < UNDER_FLOOR * floor
        exposed = covered is not None and covered > EXPOSED * error
        if not under and not exposed:
            return None
        reasons = []
        if under:
            noise = case.get("pretrain_jitter_std")
            how = f" = {noise:g}·√(2/π)" if noise else ""
            reasons.append(
                f"The error {error:.5g} lies below {floor:.4f}{how}, which noise in the target leaves to anyone who does not see it"
            )
        if exposed:
            reasons.append(
                f"the error at hidden bars is {error:.4f} as trained and {covered:.4f} once they are surely covered"
            )
        return self.finding(
            CRITICAL,
            "; ".join(reasons) + ".",
            {"masked_mae": error, "noise_floor": floor, "masked_input_mae": covered},
            "The hidden bars were still in the input, so the network learned to copy. Replace them before the encoder, and compare the "
            "error with that of the feature mean.",
            fix_spec(case, {"faults.unmasked_input": False}) if case.kind == "pretrain" else None,
        )


@register
class LearnedNothing(Check):
    """Pre-training does no better than what needs no learning."""

    id, title = "learned_nothing", "Pre-training learned nothing"
    kinds = ("pretrain", "reported")
    after = ("target_visible",)
    diagnostic = "learned"
    sampled = True

    def judge(self, case: Case) -> Finding | None:
        error, trivial, name, gain = self._figures(case)
        if gain is None:  # reported, or of a version that stored no interval
            better = error < NO_BETTER * trivial
            claim = exactly("error as reported", error, NO_BETTER * trivial) if case.kind == "reported" else None
        else:
            claim = Claim(f"how much better {name} is than without learning", gain)
            better = claim.outcome == SUPPORTED
        if better:
            return None
        sure = case.kind == "reported" or (claim is not None and claim.outcome == OPPOSED)
        known = f"; better by {gain.value:.4f}, 95% from {gain.low:.4f} to {gain.high:.4f}" if gain else ""
        finding = self.finding(
            ERROR if sure else INFO,
            f"{name} {error:.4f}; without learning {trivial:.4f}{known}.",
            {"error": error, "trivial": trivial, "measure": name},
            ("The encoder holds what it held at random. " if sure else "Whether it learned anything cannot be told. ")
            + "Raise the learning rate or the epochs, or take more bars; then look at the error again.",
            fix_spec(case, {"training.learning_rate": 2e-3, "training.epochs": 20, "training.batch_size": 64})
            if case.kind == "pretrain"
            else None,
            "" if sure else "Pre-training may have learned nothing",
        )
        return self.resting_on(finding, (claim,))

    def _figures(self, case: Case) -> tuple[float, float, str, Interval | None]:
        """The error, the trivial one, what they measure, and by how much it is better; both such that lower is better."""
        if case.get("masked_mae") is not None:
            error, gain = case.get("masked_input_mae") or case["masked_mae"], case.get("gain")
            return error, min(case["trivial"].values()), "Error at hidden bars", Interval(**gain) if gain else None
        row = case["measures"][0]
        gain = row.get("gain")
        sign = -1 if row.get("better") == "higher" else 1
        return sign * row["value"], sign * row["trivial"], row["name"], Interval(**gain) if gain else None
