"""What a search over settings tried, and what its best trial is expected to reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moola_core.diagnostics.results.comparison import Verdict

COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"


@dataclass(frozen=True)
class Trial:
    """One trial of a search.

    Attributes
    ----------
    number : int
        Its place in the order; 0 has the settings as they are.
    settings : dict of str to Any
        The settings that the search tries, by their dotted names.
    run_id : str
        Its run; empty where its settings contradict each other, so that there is none.
    state : str
        ``"complete"``, ``"pruned"`` (ended early, for it was behind on the validation windows) or ``"failed"``.
    score : float or None
        The metric of its out-of-fold predictions, the mean over repeats; None unless complete.
    seconds : float or None
        How long its run took.
    inner : tuple of float
        After each fit, in the order of repeats and folds, the mean metric of the validation windows of the fits so far; empty for models
        that stop nowhere early, which are never pruned.
    reason : str
        Why it was pruned or failed.
    """

    number: int
    settings: dict[str, Any]
    run_id: str
    state: str
    score: float | None = None
    seconds: float | None = None
    inner: tuple[float, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class BestTrial:
    """The best of the complete trials, less what it owes to having been picked.

    Attributes
    ----------
    number, run_id, model, settings
        Of the trial whose score is best.
    metric : str
        By which it is best.
    measured : float
        Its score: too good, because it was picked.
    expected, low, high : float
        The score to expect on new windows of a trial that is picked so (BBC-CV), with its 95% interval.
    of : int
        Among how many trials it was picked.
    share : float
        In which share of the draws it was picked: near 1 where the pick is sure.
    """

    number: int
    run_id: str
    model: str
    settings: dict[str, Any]
    metric: str
    measured: float
    expected: float
    low: float
    high: float
    of: int
    share: float


@dataclass(frozen=True)
class SearchResult:
    """The trials of a search and its best.

    Attributes
    ----------
    metric : str
        By which trials are compared.
    trials : tuple of Trial
        In their order.
    best : BestTrial or None
        None until a trial is complete, and where no window can be left out of a bag.
    default : Verdict or None
        The best trial less the settings as they are. All complete trials are one family (Holm), so that it holds for the best of them. None
        where the settings as they are came out best or have no score, and until the search ends.
    compared : int
        With how many trials the settings as they are were compared for that.
    ended : str
        Why no further trial was made; empty until the search ends.
    spent_s : float
        Seconds of the budget that were used.
    notes : tuple of str
        What the reader should know.
    """

    metric: str
    trials: tuple[Trial, ...]
    best: BestTrial | None
    default: Verdict | None
    compared: int
    ended: str
    spent_s: float
    notes: tuple[str, ...] = ()

    @property
    def complete(self) -> tuple[Trial, ...]:
        """The trials that have a score."""
        return tuple(trial for trial in self.trials if trial.state == COMPLETE)
