"""Numbers of the fits themselves, which no table of predictions holds."""

from __future__ import annotations

from moola_core.metrics.metric import Metric

MEMBERS = (
    Metric(
        name="sigma_ratio",
        shown=("terminal",),
        title="σ pointer / σ class",
        better="neither",
        task="fit",
        low=0.5,
        high=2.0,
        description="Ratio of the learned task deviations at the end of training, mean over fits (Kendall et al. 2018).",
    ),
)
