"""Checks of how the two tasks share the training: σ, PCGrad, gradients."""

from __future__ import annotations

import math

from moola_core.diagnostics.doctor.check import CRITICAL, ERROR, INFO, CannotJudge, Case, Check, fix_spec, register
from moola_core.diagnostics.results import Finding

ARRIVED, STUCK = 0.25, 0.005  # share of the way to the expected σ ratio, in logarithms
STILL = 0.02  # change of the logarithm of the ratio that is no movement
LEAST_WAY = 0.2
IDLE = 0.5  # projections over conflicts
LEAST_CONFLICT = 0.1
UNAPPLIED = 0.01
STARVED, THIN = 0.002, 0.02  # gradient norm of one task over the other's


def shares(case: Case) -> None:
    """Raise CannotJudge unless both tasks are trained."""
    if case.get("tasks") not in (None, "both"):
        raise CannotJudge("One task was trained alone.")
    if case.get("pointers") == 0:
        raise CannotJudge("No window has a pointer, so the class was trained alone.")


@register
class SigmaNeverMoved(Check):
    """Uncertainty weighting was asked for, and σ stayed where it started."""

    id, title = "sigma_never_moved", "σ never moved"
    usual = True
    networks_only = True
    kinds = ("finetune",)
    after = ("too_little_training", "stopped_too_early")
    diagnostic = "balance"

    def judge(self, case: Case) -> Finding | None:
        shares(case)
        if case["weighting"] != "uncertainty":
            raise CannotJudge("The weights of the tasks are not learned.")
        start, end, expected = case["sigma_start_ratio"], case["sigma_end_ratio"], case["sigma_expected_ratio"]
        way = math.log(expected / start)
        if abs(way) < LEAST_WAY:
            raise CannotJudge("The σ expected at the optimum is the one that it starts from.")
        done = math.log(end / start) / way
        if done >= ARRIVED:
            return None
        steps, rate = case["steps_per_fit"], case["log_variance_lr"]
        # With room enough it did move, and the losses moved faster: that is worth a note, not this name.
        stuck = done < STUCK and (rate * steps < 2 * abs(way) or abs(math.log(end / start)) < STILL)
        evidence = {
            "start": start,
            "end": end,
            "expected": expected,
            "share_of_the_way": done,
            "steps_per_fit": steps,
            "log_variance_lr": rate,
        }
        return self.finding(
            ERROR if stuck else INFO,
            f"σ pointer / σ class went from {start:.2f} to {end:.2f}; {expected:.2f} is expected at the optimum, so it made {done:.1%} of the way. "
            f"Adam moves log σ² by at most {rate:g} a step, {rate * steps:.2g} in {steps} steps, and {2 * abs(way):.1f} was needed.",
            evidence,
            "The weighting was never on: this run had fixed weights of 1 and ½. Raise loss.log_variance_lr so that σ converges, or set "
            "fixed weights.",
            fix_spec(case, {"loss.log_variance_lr": self._rate(way, steps)}),
        )

    @staticmethod
    def _rate(way: float, steps: int) -> float:
        """A rate at which σ arrives in a third of the steps, to one digit."""
        wanted = min(1.0, 2 * abs(way) / max(steps / 3, 1))
        return max(0.02, float(f"{wanted:.0e}"))


@register
class SigmaFollowsLoss(Check):
    """σ arrived where the sizes of the losses put it, which says nothing of which task is harder."""

    id, title = "sigma_follows_loss", "σ follows the size of the losses"
    usual = True
    networks_only = True
    kinds = ("finetune",)
    diagnostic = "balance"

    def judge(self, case: Case) -> Finding | None:
        shares(case)
        if case["weighting"] != "uncertainty":
            raise CannotJudge("The weights of the tasks are not learned.")
        end, expected = case["sigma_end_ratio"], case["sigma_expected_ratio"]
        low, high = case["sigma_target"]
        if low <= end <= high or abs(math.log(end / expected)) > 1.0:
            return None
        return self.finding(
            INFO,
            f"σ pointer / σ class is {end:.2f}, outside [{low:g}, {high:g}]; from the losses alone {expected:.2f} is expected at the optimum.",
            {"end": end, "expected": expected, "low": low, "high": high},
            "At its optimum σ² is the loss (twice the cross-entropy), so the ratio tells units, not difficulty. Read errors in bars "
            "next to it; to weigh the tasks alike use equal weighting.",
            fix_spec(case, {"loss.weighting": "equal"}),
        )


@register
class SigmaAtLimit(Check):
    """What the weighting learns reached the bound that keeps it finite."""

    id, title = "sigma_at_limit", "σ reached its limit"
    networks_only = True
    kinds = ("finetune",)
    after = ("unusual_data", "unusual_labels")
    invalidates = ("σ ratio",)
    diagnostic = "balance"

    def judge(self, case: Case) -> Finding | None:
        if case.get("fits_at_limit") is None and case["weighting"] != "uncertainty":
            raise CannotJudge("The weights of the tasks are not learned within limits.")
        limited, fits = case["fits_at_limit"], len(case["best_epochs"])
        if not limited:
            return None
        return self.finding(
            ERROR,
            f"In {limited} of {fits} fits σ reached the limit that keeps it finite. There the limit decides how the losses are weighed.",
            {"fits_at_limit": limited, "fits": fits},
            "σ² follows the loss, so it runs to its limit when a loss falls to almost 0, and that task then outweighs the other. Look for a "
            "task that is memorised or whose answer is constant. Lower loss.log_variance_lr, or use equal weighting.",
            fix_spec(case, {"loss.weighting": "equal"}),
        )


@register
class PcgradIdle(Check):
    """Conflicts are seen and left alone."""

    id, title = "pcgrad_idle", "PCGrad threshold: conflicts are not projected"
    networks_only = True
    after = ("pcgrad_nothing_shared",)
    diagnostic = "balance"

    def judge(self, case: Case) -> Finding | None:
        if not case["pcgrad"]:
            raise CannotJudge("PCGrad is off.")
        conflict, projected, threshold = case["conflict_rate"], case["projection_rate"], case.get("pcgrad_threshold")
        if conflict < LEAST_CONFLICT or projected >= IDLE * conflict:
            return None
        below = (
            f" It projects below a cosine of {threshold:g}; the paper's threshold is 0."
            if threshold is not None
            else ""
        )
        return self.finding(
            ERROR,
            f"{conflict:.0%} of the steps conflict and {projected:.1%} are projected: {1 - projected / conflict:.0%} of the conflicts are left.{below}",
            {"conflict_rate": conflict, "projection_rate": projected, "pcgrad_threshold": threshold},
            "PCGrad as it is set does next to nothing, so nothing can be said for or against it. Project every conflict, threshold 0, or "
            "switch it off.",
            fix_spec(case, {"loss.pcgrad_threshold": 0.0}),
        )


@register
class PcgradNothingShared(Check):
    """There is no parameter whose gradients could conflict."""

    id, title = "pcgrad_nothing_shared", "PCGrad with nothing shared"
    networks_only = True
    kinds = ("finetune",)
    after = ("nothing_unfrozen",)
    invalidates = ("conflict rates",)
    diagnostic = "balance"

    def judge(self, case: Case) -> Finding | None:
        if not case["pcgrad"]:
            raise CannotJudge("PCGrad is off.")
        if case["shared_parameters"] > 0:
            return None
        return self.finding(
            ERROR,
            "0 trainable parameters are shared by the two tasks, so every cosine is 0 by definition.",
            {"shared_parameters": 0},
            "With a frozen encoder, no trunk and separate heads the tasks cannot conflict. Switch PCGrad off, or let the encoder train.",
            fix_spec(case, {"loss.pcgrad": False}),
        )


@register
class ProjectionNotApplied(Check):
    """The optimiser is given something else than the projected gradients."""

    id, title = "projection_not_applied", "Projected gradients are not applied"
    networks_only = True
    kinds = ("finetune",)
    invalidates = ("projection rates",)

    def judge(self, case: Case) -> Finding | None:
        if not case["pcgrad"]:
            raise CannotJudge("PCGrad is off.")
        off = case["unapplied"]
        if off <= UNAPPLIED:
            return None
        return self.finding(
            CRITICAL,
            f"On the shared parameters the gradient that is applied differs from the projected one by {off:.0%} of its size (median).",
            {"unapplied": off},
            "The projection is computed and then lost, as when gradients are accumulated on top of it. Clear the gradients before "
            "writing the projected ones.",
            fix_spec(case, {"faults.accumulated_gradients": False}),
        )


@register
class TaskStarved(Check):
    """One task's gradients are negligible on the parameters that both train."""

    id, title = "task_starved", "One task gets almost no gradient"
    usual = True
    networks_only = True
    kinds = ("finetune",)
    after = (
        "sigma_never_moved",
        "nothing_unfrozen",
        "unusual_data",
        "unusual_labels",
    )  # pointers that are told at once leave nothing to train
    diagnostic = "balance"

    def judge(self, case: Case) -> Finding | None:
        shares(case)
        ratio = case["gradient_ratio"]
        small = min(ratio, 1 / max(ratio, 1e-12))
        if small >= THIN:
            return None
        weaker = "pointer" if ratio < 1 else "class"
        return self.finding(
            ERROR if small < STARVED else INFO,
            f"On the shared parameters the {weaker} task's gradient is {small:.2g} of the other's (median of the norms).",
            {"gradient_ratio": ratio, "task": weaker},
            f"The shared weights are trained for one task; the {weaker} head has to use features learned for the other. Weigh the losses by their first "
            "epoch (equal), or raise the learning rate of the task weights.",
            fix_spec(case, {"loss.weighting": "equal"}),
        )
