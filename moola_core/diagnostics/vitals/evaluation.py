"""Vital signs of the evaluation: how the folds divide the windows, and what the predictions are next to simpler ones."""

from __future__ import annotations

import numpy as np

from moola_core.diagnostics.vitals.groups import deviation_of_auroc
from moola_core.diagnostics.vitals.sign import Evidence, Measured, NotKnown, sign

AGAIN_AWAY = 0.01  # distance of probabilities that arithmetic does not explain
LEAST = 8  # tested windows of a fold whose shares are compared


def _noise(evidence: Evidence) -> float:
    """Standard deviation of an AUROC at chance with the run's windows."""
    return deviation_of_auroc(evidence.target == 0)


@sign(
    "evaluation",
    "Classes of a fold",
    "Folds are stratified: each tests the classes in their shares among all windows.",
    "Check how the windows were divided; a block of time may hold one class alone.",
    unit="standard deviations",
    usual=(-np.inf, 3.0),
    of_model=False,
)
def fold_classes(evidence: Evidence) -> Measured:
    """Largest difference of a class's share among a fold's test windows from its share among all, in standard deviations."""
    folds, best = evidence.fits(), (0.0, "")
    for repeat, fold in folds:
        test = evidence.target[folds.rows(repeat, fold).test]
        if len(test) < LEAST:
            continue
        for c, name in enumerate(np.unique(evidence.label)):
            share, usual = float((test == c).mean()), float((evidence.target == c).mean())
            off = abs(share - usual) / np.sqrt(usual * (1 - usual) / len(test))
            best = max(best, (off, f"{name}: {share:.0%} of fold {fold}, {usual:.0%} of all"))
    return Measured(float(best[0]), best[1])


@sign(
    "evaluation",
    "Share of the windows that train",
    "A fit that trains on half of the windows is not the model that all of them would give.",
    "Use five folds or more.",
    tail="low",
    usual=(0.55, np.inf),
    of_model=False,
)
def trained_share(evidence: Evidence) -> Measured:
    """Windows that a fit is trained on, over all; the median over fits."""
    folds = evidence.fits()
    sizes = [len(folds.rows(*fit).train) for fit in folds]
    if not any(sizes):
        raise NotKnown("It is not known which windows each fit was trained on.")
    return Measured(float(np.median(sizes) / len(evidence.windows)))


@sign(
    "evaluation",
    "Next to extra trees",
    "A network that is far behind trees on the same columns has not learned what they hold; one that is far ahead of them has either a better model, or seen what it is tested on.",
    "Behind: look at its training first: rate, steps, gradients, dropout. Ahead: check what the folds share, and what the epoch was selected on.",
    unit="standard deviations",
    tail="both",
    usual=(-3.0, 3.0),
)
def against_trees(evidence: Evidence) -> Measured:
    """AUROC of the run less that of extra trees on the same folds, in standard deviations of chance."""
    return Measured((evidence.fact("auroc") - evidence.fact("trees_auroc")) / _noise(evidence))


@sign(
    "evaluation",
    "Stored predictions against stored networks",
    "A run's predictions are those of its networks, so the networks give them again, whichever windows they are asked about together.",
    "Look at what stands between the networks and the predictions: the order of the rows, the scale of the inputs, dropout, the weights that were kept, layers that mix the windows of a batch.",
    unit="probability, or share of the window",
    usual=(-np.inf, AGAIN_AWAY),
)
def predicted_again(evidence: Evidence) -> Measured:
    """Mean distance of what is stored of the first repeat from what its networks give of the same windows: of probabilities, or of start and end over the window, whichever is larger."""
    if evidence.again is None and evidence.spans_again is None:
        raise NotKnown("It needs the networks of a run that was fitted here.")
    first = evidence.table.repeat()
    place = {name: i for i, name in enumerate(evidence.ids)}
    rows = [place[name] for name in first.frame["window_id"].astype(str)]
    off = np.full(len(rows), np.nan)
    what = ""
    if evidence.again is not None and evidence.table.has_probabilities:
        off, what = np.abs(first.probabilities - evidence.again[rows]).mean(1), "probabilities"
    if evidence.spans_again is not None and "start_pred" in first.frame:
        stored = first.frame[["start_pred", "end_pred"]].to_numpy(float)
        moved = np.abs(stored - evidence.spans_again[rows]).mean(1) / evidence.windows.bars
        if not np.nanmean(moved) <= np.nanmean(off):
            off, what = moved, "expansions"
    return Measured(float(np.nanmean(off)), f"{what} of {np.nanmean(off > AGAIN_AWAY):.0%} of the windows differ")
