"""What a set of predictions is worth: every metric once, with its formula, direction, title, unit, margin and target."""

from moola_core.metrics import classification, fits, pointers, probability, ranking
from moola_core.metrics.influence import influence
from moola_core.metrics.metric import METRICS, Metric, Predictions, better, find, measure, shown_in, title

__all__ = ["METRICS", "Metric", "Predictions", "better", "find", "influence", "measure", "shown_in", "title"]

for _module in (classification, ranking, probability, pointers, fits):
    for _metric in _module.MEMBERS:
        METRICS.add(_metric.name, _metric)
