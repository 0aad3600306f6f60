"""How well predicted classes match the true ones. Labels are fixed, so a class that is never predicted still counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import accuracy_score, average_precision_score, confusion_matrix, roc_auc_score


def by_class(true: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """precision, recall and f1, each by class; 0 where a class was never predicted."""
    true, predicted = np.asarray(true), np.asarray(predicted)
    rows: dict[str, dict[str, float]] = {"precision": {}, "recall": {}, "f1": {}}
    for name in (
        classes
    ):  # counted here: slices ask so often that scikit-learn's checks of its input would take most of the time
        is_, said = true == name, predicted == name
        right, among, answered = float((is_ & said).sum()), float(is_.sum()), float(said.sum())
        rows["precision"][name] = right / answered if answered else 0.0
        rows["recall"][name] = right / among if among else 0.0
        rows["f1"][name] = 2 * right / (among + answered) if among + answered else 0.0
    return rows


def f1_macro(true: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> float:
    """Mean of the classes' F1."""
    return float(np.mean(list(by_class(true, predicted, classes)["f1"].values())))


def accuracy(true: np.ndarray, predicted: np.ndarray) -> float:
    return float(accuracy_score(true, predicted))


def majority(true: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Accuracy and macro F1 of always answering the commonest class."""
    values, counts = np.unique(true, return_counts=True)
    answer = np.full(len(true), values[counts.argmax()], dtype=object)
    return {"accuracy": float(counts.max() / len(true)), "f1_macro": f1_macro(true, answer, classes)}


def confusion(true: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Counts [C, C]: rows are true classes, columns predicted ones."""
    return confusion_matrix(true, predicted, labels=list(classes))


def auroc(true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> float | None:
    """Area under the ROC curve, the mean of one against the rest for three classes and more; None when a class is absent."""
    return _mean_over_classes(roc_auc_score, true, probabilities, classes)


def aucpr(true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> float | None:
    """Average precision, mean over the classes; None when a class is absent."""
    return _mean_over_classes(average_precision_score, true, probabilities, classes)


def _mean_over_classes(score, true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> float | None:
    hits = [np.asarray(true) == name for name in classes]
    if any(hit.all() or not hit.any() for hit in hits):
        return None
    return float(np.mean([score(hit, probabilities[:, i]) for i, hit in enumerate(hits)]))
