"""Models of labelled windows that are no networks: one module a member, named by `spec.estimator`."""

from moola_core.estimators.estimator import ESTIMATORS, Coalitions, Estimator, Prediction, TrainingWindows
from moola_core.registry import import_members

import_members(__name__, __path__)

__all__ = ["ESTIMATORS", "Coalitions", "Estimator", "Prediction", "TrainingWindows"]
