"""A demo market that is the same for everybody, and what sound settings usually do on it: the table is made by `benchmarks/vitals.py`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from scipy import stats

from moola_core.diagnostics.results import Interval
from moola_core.market import demo
from moola_core.market.windows import Windows
from moola_core.metrics import METRICS
from moola_core.runs import codec

TABLE = Path(__file__).with_name("known_market.json")
BARS, WINDOWS, SEED = 60_000, 174, 77
# Of the range of healthy fits: 0.5% of them have a worse AUROC, 0.1% a worse error of either pointer.
LEVELS = {"auroc": 0.99, "center_mae_bars": 0.998, "length_mae_bars": 0.998}
TIMES_AS_LONG = {"quick": 1.0, "network": 9.0}  # that a fit takes, next to one of `quick`, by the fits of the table
LEAST = 10  # healthy fits without which there is no range


@cache
def windows() -> Windows:
    """The labelled windows of the market."""
    return demo.make_demo("helpful", BARS, WINDOWS, SEED).windows.trainable()[0]


def usual(preset: str, metric: str = "auroc") -> Interval | None:
    """Where one more healthy fit of the preset, with one repeat, has the metric; None for a preset that the table does not hold.

    A prediction interval of the normal distribution, from fits with other seeds (Hahn 1969).
    """
    fits = np.array(codec.load_object(TABLE.read_bytes()).get(metric, {}).get(preset, []))
    if len(fits) < LEAST:
        return None
    reach = stats.t.ppf((1 + LEVELS[metric]) / 2, len(fits) - 1) * fits.std(ddof=1) * np.sqrt(1 + 1 / len(fits))
    least, most = METRICS[metric].bounds
    low, high = np.clip([fits.mean() - reach, fits.mean() + reach], least, most)
    return Interval(float(fits.mean()), float(low), float(high))
