"""What the vital signs of a run are, next to what is usual in healthy runs."""

from __future__ import annotations

from dataclasses import dataclass

from moola_core.diagnostics.results.interval import Claim, exactly

# Where a quantity is measured on its way from the file to the score, upstream first.
STAGES: dict[str, str] = {
    "data": "the data",
    "labels": "the labels",
    "inputs": "the inputs",
    "network": "the network",
    "optimisation": "the optimisation",
    "evaluation": "the evaluation",
}


FARTHEST_HEALTHY = 1.0  # distance of the farthest of the healthy runs


@dataclass(frozen=True)
class VitalSign:
    """A quantity of a run, and its range in healthy runs.

    Attributes
    ----------
    name, stage, title, unit : str
        Which one, the key of STAGES that it belongs to, and how it is written; the unit is empty for a number without one.
    value : float
        The quantity.
    low, high : float
        What 95% of healthy runs lie between.
    percentile : float
        Share of healthy runs with a smaller value, from 0 to 1.
    distance : float
        How far outside: 1 is as far from the median as the farthest of the healthy runs, 0 is at the median.
    unusual : bool
        Whether it lies beyond the limit that 3% of the healthy runs exceeded which the table was made from, in any of their signs.
    reason, advice : str
        Why it is measured, and what to look at where it is unusual.
    detail : str
        Where the value comes from, such as the columns or the bars.
    windows : tuple of str
        The windows that it comes from, at most 200; empty where it is of all.
    """

    name: str
    stage: str
    title: str
    unit: str
    value: float
    low: float
    high: float
    percentile: float
    distance: float
    unusual: bool
    reason: str
    advice: str
    detail: str
    windows: tuple[str, ...]

    @property
    def claim(self) -> Claim:
        """That it lies farther out than any healthy run."""
        return exactly(f"distance from healthy runs of: {self.title}", self.distance, FARTHEST_HEALTHY)
