"""Checks of what the network reads: scale, noise, columns that hold nothing, bars out of order."""

from __future__ import annotations

from moola_core.diagnostics.doctor.check import ERROR, CannotJudge, Case, Check, fix_spec, register
from moola_core.diagnostics.results import Finding

SMALLEST_STD = 0.05  # in the network's units: a twentieth of a standardised feature
LEAST_VARYING = 0.5  # share of the bar positions
LEAST_ORDER = 0.2  # correlation of a slow feature with its value one bar before; 0.8 and more in order
SLOW = (
    "dist_prev_SH",
    "dist_prev_SL",
    "bars_since_SH",
    "bars_since_SL",
    "path_open",
    "path_high",
    "path_low",
    "path_close",
)
DEAD = 1e-9


@register
class FeatureWithoutScale(Check):
    """A feature so small next to the others that the network hardly sees it."""

    id, title = "feature_without_scale", "Feature without scale"
    networks_only = True
    kinds = ("finetune", "pretrain")
    diagnostic = "features"

    def judge(self, case: Case) -> Finding | None:
        std = {name: value for name, value in case["feature_std"].items() if value > DEAD}
        small = {name: value for name, value in std.items() if value < SMALLEST_STD}
        if not small:
            return None
        values = ", ".join(f"{name} {value:.4f}" for name, value in sorted(small.items(), key=lambda item: item[1]))
        return self.finding(
            ERROR,
            f"Standard deviation as the network reads it: {values}; the largest is {max(std.values()):.2f}.",
            {"feature_std": small, "largest_std": max(std.values())},
            "A column of a thousandth of the others' size takes a thousand times their weight to matter, which few steps do not reach. "
            "Standardise the features on the training folds.",
            fix_spec(case, {"features.standardise": True}),
        )


@register
class DrownedByJitter(Check):
    """The noise that is added in training is larger than what a feature says."""

    id, title = "drowned_by_jitter", "A feature drowned by jitter"
    networks_only = True
    kinds = ("finetune", "pretrain")
    after = ("feature_without_scale",)
    diagnostic = "features"

    def judge(self, case: Case) -> Finding | None:
        ratios = case["jitter_over_std"]
        jitter = case.get("jitter_std") or case.get("pretrain_jitter_std")
        drowned = {name: ratio for name, ratio in ratios.items() if ratio > 1}
        if not drowned:
            return None
        values = ", ".join(f"{name} {ratio:.1f}" for name, ratio in sorted(drowned.items(), key=lambda item: -item[1]))
        spec = case.spec
        unscaled = (
            case.kind == "finetune"
            and spec is not None
            and not spec.features.standardise
            and not spec.transfer.checkpoint
        )
        return self.finding(
            ERROR,
            f"Jitter of {jitter:g} over the feature's own standard deviation: {values}. Above 1 there is more noise than feature.",
            {"jitter_std": jitter, "jitter_over_std": drowned},
            "Noise of one size for all features drowns the small ones. Standardise first, so that the jitter is a share of each "
            "feature's own spread, or leave it out.",
            fix_spec(case, {"features.standardise": True} if unscaled else {"training.jitter_std": 0.0}),
        )


@register
class SinglePosition(Check):
    """A feature that holds something at a few bars of the window only."""

    id, title = "single_position", "A feature filled at one position only"
    kinds = ("finetune",)
    after = ("unusual_data",)  # of wrong prices a column may hold nothing
    diagnostic = "features"

    def judge(self, case: Case) -> Finding | None:
        few = {name: share for name, share in case["varying_positions"].items() if share < LEAST_VARYING}
        if not few:
            return None
        positions = ", ".join(f"{name} at {share:.0%}" for name, share in few.items())
        columns = [name for name in case["varying_positions"] if name not in few]
        changes: dict[str, object] = {"features.columns": columns} if columns else {}
        if case.spec is not None and case.spec.faults.single_position:
            changes = {"faults.single_position": False}
        return self.finding(
            ERROR,
            f"Differs between windows at a share of the bars only: {positions}; whole features differ at 100%.",
            {"varying_positions": few},
            "The column was overwritten, or filled at one bar and left constant elsewhere: a mean over the window thins it to nothing. "
            "Fix how it is computed, or leave it out.",
            fix_spec(case, changes),
        )


@register
class OrderLost(Check):
    """Slow features jump from bar to bar: the bars of a window are out of order."""

    id, title = "order_lost", "Bars out of order"
    kinds = ("finetune",)
    invalidates = ("center and length errors",)

    def judge(self, case: Case) -> Finding | None:
        correlations = {name: value for name, value in case["next_bar_correlation"].items() if name in SLOW}
        if not correlations:
            raise CannotJudge(
                "None of the features that change slowly is read, so the order of the bars does not show."
            )
        name = max(correlations, key=lambda key: correlations[key])
        if correlations[name] >= LEAST_ORDER:
            return None
        return self.finding(
            ERROR,
            f"The steadiest slow feature, {name}, has a correlation of {correlations[name]:.2f} with itself one bar before.",
            {"next_bar_correlation": correlations},
            "Distances and times since swings hardly change within a bar, so in order they correlate above 0.8. A sequence model learns "
            "nothing from shuffled bars that a mean would not give. Sort each window by time.",
            fix_spec(case, {"faults.shuffled_bars": False}),
        )
