"""Arms compared: verdicts with their probabilities, and what else differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moola_core.diagnostics.results.evaluation import Sampled
from moola_core.diagnostics.results.interval import Interval

UNKNOWN = "not known"


@dataclass(frozen=True)
class Verdict:
    """Arm `arm` less arm `against` in one metric.

    delta: mean over repeats of the difference, pooled out of fold; low, high: its interval at confidence `level` (Holm over the arms of
    this metric); verdict: helps, hurts, equivalent or undecided; p_helps, p_within, p_hurts: the probabilities that the true difference is
    better by more than the margin, within it, and worse by more (results of before there was p_within: on either side of no difference);
    p: two-sided, p_holm: over the arms; resolvable: the smallest true difference that this design finds with 80% power; equivalence: the
    smallest margin within which a measured difference of 0 would show the arms to be alike; labels_needed, repeats_needed: size in all,
    windows or repeats, with which a true difference of this size is found with 80% power (None: not by these alone, or decided);
    pretraining_share: the share of the squared error that the seeds of pre-training have; decides: whether this metric decides, or
    describes (none of the last four in results of earlier versions); better: higher or lower; together_low, together_high: the interval that holds
    at once with those of all other arms of this metric with 95% (Bonferroni; None of earlier versions).
    """

    arm: str
    against: str
    metric: str
    better: str
    delta: float
    low: float
    high: float
    level: float
    verdict: str
    p_helps: float
    p_hurts: float
    p: float
    p_holm: float
    resolvable: float
    margin: float
    labels_needed: int | None
    repeats_needed: int | None
    p_within: float | None = None
    equivalence: float | None = None
    pretraining_share: float | None = None
    decides: bool | None = None
    together_low: float | None = None
    together_high: float | None = None


@dataclass(frozen=True)
class ArmFacts:
    """One arm: its run, what it is (network, or the simple model's name), metrics {name: mean over repeats, or by class},
    macro F1 of each repeat, and what the verdict supposes to be equal.

    f1: how far macro F1 may differ on new windows, and the chances of passing its thresholds; f1_over_folds: macro F1 as a mean over
    folds, which is lower than pooled where folds are predicted as one class (both None without classes, and of older versions).
    """

    name: str
    run_id: str
    model: str
    metrics: dict[str, Any]
    f1_by_repeat: tuple[float, ...]
    trainable_parameters: int | None
    best_epoch: float | None
    epochs: float | None
    patience: int | None
    seconds: float | None
    state: str
    f1: Sampled | None = None
    f1_over_folds: float | None = None


@dataclass(frozen=True)
class Difference:
    """A setting or fact in which arms differ: value by arm's name."""

    name: str
    values: dict[str, str]


@dataclass(frozen=True)
class WindowDifference:
    """One window: mean over repeats of an arm's probability of the true class less the other's, and their center errors in bars."""

    window_id: str
    label: str
    gain: float
    center_gain_bars: float | None


@dataclass(frozen=True)
class LabelCurve:
    """Macro F1 by number of labelled windows, and what more would buy.

    labels [m]; scores [m, S] by repeat; ahead: (labels, mean, low, high) from the line a − b/√labels fitted to each draw of the
    repeats, beyond what was measured: 95% of the draws, which leave out how wrong the line may be.
    """

    labels: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    ahead: tuple[tuple[int, float, float, float], ...]


@dataclass(frozen=True)
class Selection:
    """The best of several configurations by one metric.

    Attributes
    ----------
    metric : str
        The metric.
    name : str
        The configuration whose score is best.
    measured : float
        Its score, too good because it was picked.
    expected : Interval
        The score to expect of it on new windows, with the 95% interval of the draws.
    share : dict of str to float
        In which share of the draws each configuration was best: near 1 for one of them where the pick is sure.
    """

    metric: str
    name: str
    measured: float
    expected: Interval
    share: dict[str, float]


@dataclass(frozen=True)
class Comparison:
    """Arms on the same folds, each compared with `against`.

    verdicts: empty, with the reason in `no_verdict`, where the runs share no folds; common: windows that all arms predicted; gains: by
    arm, the largest first; sentence: the answer in words; better_baselines: simple models that are ahead of every network in the deciding metric; label_curve: where the arms
    differ in the share of labels alone; selection: the best arm, less what it owes to having been picked; unequal: the facts that a
    comparison supposes to be equal (size, encoder, epochs, stopping, labels, windows, folds, features, seeds) and that are not, `UNKNOWN`
    where they are not known of an arm (None of older versions); saw: what pre-training saw of the labelled windows, in words (empty where no
    arm is pre-trained, and in results of earlier versions); placebos: the arms that have one, with it: their verdicts against it stand
    among the others.
    """

    name: str
    against: str
    windows: int
    common: int
    repeats: int
    arms: tuple[ArmFacts, ...]
    verdicts: tuple[Verdict, ...]
    differences: tuple[Difference, ...]
    gains: dict[str, tuple[WindowDifference, ...]]
    sentence: str
    better_baselines: tuple[str, ...]
    no_verdict: str
    label_curve: LabelCurve | None
    selection: Selection | None = None
    unequal: tuple[Difference, ...] | None = None
    saw: str = ""
    placebos: dict[str, str] | None = None

    @property
    def inert(self) -> frozenset[str]:
        """The arms that are placebos: shown, and candidates for nothing."""
        return frozenset((self.placebos or {}).values())

    @property
    def deciding(self) -> str:
        """The metric that decides; macro F1 in results of before one did."""
        return next((row.metric for row in self.verdicts if row.decides), "f1_macro")
