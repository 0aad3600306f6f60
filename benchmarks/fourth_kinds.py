"""A fourth blind set of kinds of faults, again written without a look at what the doctor knows.

Each is planted as those of `fault_kinds.py` are, and none is a variation of one there, in `unseen_kinds.py`, in `new_kinds.py` or in
`third_kinds.py`. CAUSE says of each what a good doctor should name, for a person to judge its answer by, and where it can be seen.

    python benchmarks/fourth_kinds.py           the kinds, their stages, causes, and where they can be seen
"""

from __future__ import annotations

import fourth_files as damage
import fourth_training as training
from fault_kinds import CASCADES, LABELS, LEAKAGE, NEGATIVE, SHORTCUTS, TAXONOMY, Kind
from faulty_files import column
from unseen_files import recut
from unseen_kinds import Cause, show
from unseen_training import augmented

PSEUDO = "Hurlbert 1984, Pseudoreplication and the design of ecological field experiments"

KINDS = (
    # data: the file of bars or of windows
    Kind("five-minute bars begun at every minute", "data", CASCADES, recut(damage.rolling_bars)),
    Kind("windows cut by row numbers of an older file", "data", CASCADES, damage.of_older_rows),
    Kind("each expansion cut three times", "data", PSEUDO, damage.three_of_each),
    Kind("each class cut at another place", "data", SHORTCUTS, damage.place_of_class),
    Kind("highs of the ask and lows of the bid", "data", CASCADES, recut(damage.from_quotes)),
    # labels: classes and pointers
    Kind("ids that begin anew in each campaign", "labels", CASCADES, damage.ids_begin_anew),
    Kind("two levels of classes mixed", "labels", LABELS, damage.two_levels),
    Kind("classes smoothed along time", "labels", "", column("label", damage.smoothed_along_time)),
    Kind("boxes fitted from the lowest to the highest bar", "labels", "", damage.whole_swing),
    Kind("pointers averaged over two different moves", "labels", LABELS, damage.averaged_pointers),
    # inputs
    Kind("one window repeated over each batch", "inputs", TAXONOMY, patched=augmented(training.one_window)),
    Kind("features stored as whole numbers", "inputs", TAXONOMY, patched=training.whole_numbers),
    Kind("a column encoded by the mean class", "inputs", LEAKAGE, patched=training.column_of_classes),
    # network
    Kind("a class head made in each call", "network", TAXONOMY, patched=training.head_in_each_call),
    Kind("each window normalised over its bars", "network", TAXONOMY, patched=training.normalised_by_window),
    Kind("one layer used for both heads", "network", TAXONOMY, patched=training.one_head),
    # optimisation
    Kind("a network made anew in each epoch", "optimisation", TAXONOMY, patched=training.anew_in_each_epoch),
    Kind(
        "center and length exchanged in the targets",
        "optimisation",
        TAXONOMY,
        patched=training.center_and_length_exchanged,
    ),
    Kind("the easiest windows alone count", "optimisation", "", patched=training.easy_ones_kept),
    Kind("an optimiser of another network", "optimisation", TAXONOMY, patched=training.of_another_network),
    # evaluation
    Kind(
        "each fold tested with the weights of the one before",
        "evaluation",
        LEAKAGE,
        patched=training.tested_with_the_fold_before,
    ),
    Kind("the best of ten guesses counts", "evaluation", LEAKAGE, patched=training.best_guess),
    # transfer
    Kind(
        "a checkpoint without its running statistics",
        "transfer",
        TAXONOMY,
        settings={"transfer.schedule": "frozen"},
        patched=training.without_running_statistics,
        pretrain={},
    ),
    Kind(
        "barriers that no price reaches",
        "transfer",
        NEGATIVE,
        settings={"transfer.schedule": "frozen"},
        pretrain={"objective.name": "supervised", "objective.barrier_ranges": 100.0},
    ),
)

CAUSE = {
    "five-minute bars begun at every minute": Cause(
        "The bars hold five minutes each but begin at every minute (a rolling window in place of resampling), so that neighbours share four "
        "fifths of their prices.",
        "bars and windows: each bar opens at the close of five bars before and not at that of the last one; highs and lows are the same over "
        "several bars; the interval is one minute",
    ),
    "windows cut by row numbers of an older file": Cause(
        "The windows were cut by row numbers of an older file of bars, to which rows were added since, so that their prices lie ever more bars "
        "before what was labelled, up to 40.",
        "start times against those of the bars with the same prices: 0 to 40 minutes apart, growing in steps with time; the large bars lie as many "
        "bars after the pointers",
    ),
    "each expansion cut three times": Cause(
        "Each labelled expansion is there three times, in windows a few bars apart, so that there are only a third as many cases as rows.",
        "start times and pointers: rows in threes that share nearly all bars and mark the same bars of the market; groups of the folds; windows a, b and c of one id",
    ),
    "each class cut at another place": Cause(
        "Windows of one class were cut so that their expansion lies early and those of the other so that it lies late, so its place tells the class.",
        "expansion_start by class: 12 to 38 in one and 55 to 88 in the other, without overlap",
    ),
    "highs of the ask and lows of the bid": Cause(
        "High and low are those of ask and bid and not of trades, so that each bar's range holds the spread, which is widest in the evening and at night.",
        "bars and windows: no bar opens or closes at its high or low, wicks on both sides of every bar, ranges in the hours from 18 to 4 in New York far "
        "above the moves from close to close",
    ),
    "ids that begin anew in each campaign": Cause(
        "The three campaigns number their windows alike and labels were joined by number alone, so campaigns 2 and 3 have classes and pointers of campaign 1.",
        "by the column source: classes and pointers of the n-th window are the same in all three; they fit the prices in campaign_1 alone",
    ),
    "two levels of classes mixed": Cause(
        "One campaign divides retracement into rising and falling and the other has it as a whole, so that one class is the sum of two others.",
        "classes by the column source: campaign_2 has no retracement, campaign_1 no retracement_rising or retracement_falling; these three are confused",
    ),
    "classes smoothed along time": Cause(
        "The classes were smoothed over five windows in a row, so that about three in ten, those that differed from their neighbours in time, are wrong.",
        "classes in the order of time, grade D left out: hardly a window stands alone between two of the other class, runs are far longer than chance",
    ),
    "boxes fitted from the lowest to the highest bar": Cause(
        "Each expansion was fitted by the tool from the window's lowest to its highest bar, and so is the whole swing of the window and not what was to be marked.",
        "expansion_start and expansion_end: the bars of the highest high and of the lowest low, without an exception; lengths of 1 to 104 bars",
    ),
    "pointers averaged over two different moves": Cause(
        "Pointers are means over two annotators, and in half of the windows these had marked two different moves, so that the mean lies between them.",
        "in half of the windows quiet bars are marked, midway between two moves; in the others the large bars",
    ),
    "one window repeated over each batch": Cause(
        "In training all windows of a batch are copies of its last one, a buffer that was overwritten, while labels and pointers are each window's "
        "own, so nothing can be learned.",
        "what a step of training is given: one window 29 times; what prediction is given is right; training and validation losses stay at a "
        "constant's, while other models learn from the same files",
    ),
    "features stored as whole numbers": Cause(
        "The features are stored as whole numbers before they are standardised, so that shares of a bar, which lie between 0 and 1, are nearly all 0.",
        "what the network is given: two or three different values in most columns; in the features' own units whole numbers alone",
    ),
    "a column encoded by the mean class": Cause(
        "A column of the inputs is encoded by the mean class of its value (target encoding), and since no two windows share a value it is each "
        "window's own label, of tested windows too.",
        "what the network is given: expansion_proxy is one number along all bars of a window, -3 in one class and 3 in the other, and not what the "
        "prices give; classes nearly perfect in testing and bad on windows without labels",
    ),
    "a class head made in each call": Cause(
        "The class head is made inside the forward pass, so it is another random layer at each call and is never trained.",
        "classes predicted twice for the same windows differ, pointers do not; class_head in the stored weights is what it began with but for decay; its gradient is 0",
    ),
    "each window normalised over its bars": Cause(
        "The encoder's outputs are normalised over the bars of each window (InstanceNorm for BatchNorm) and then averaged over the same bars, so "
        "that nothing of the window is left.",
        "one and the same prediction for all windows, in training and after it; gradients of the LSTM next to 0; running_mean all 0 and running_var all 1; "
        "even a few windows are not learned by heart",
    ),
    "one layer used for both heads": Cause(
        "The class is read from the layer of the pointers, so both tasks pull at the same two outputs and the class head is never trained.",
        "class_head in the stored weights is what it began with but for decay; its gradient is 0; the class probability is a function of the predicted center and length",
    ),
    "a network made anew in each epoch": Cause(
        "The network is made anew at the beginning of each epoch, so that no more than one epoch of training is ever kept.",
        "losses: each epoch begins at the loss of the first step of all and ends at about the same one; longer training changes nothing",
    ),
    "center and length exchanged in the targets": Cause(
        "Center and length are exchanged in the targets of the loss, so the network learns to answer the length where the center is read.",
        "predicted expansions: centers at bar 10 to 20 and lengths of 20 to 40 bars, ever further from the labels while the pointer loss falls, in training "
        "and in validation",
    ),
    "the easiest windows alone count": Cause(
        "In each step only the half of the windows with the least loss counts, the mining of hard examples the wrong way round, so that hard ones are never learned.",
        "training losses near 0 while the same windows, measured in full, have high ones; the gradient of half of the windows of a step is 0",
    ),
    "an optimiser of another network": Cause(
        "The optimiser holds the weights of another network than the one that is trained, which therefore never changes.",
        "stored weights equal to those at the start to the bit though gradients and the reported rate are usual; losses differ by dropout alone",
    ),
    "each fold tested with the weights of the one before": Cause(
        "Each fold's test windows are predicted with the weights of the fold before, which was trained on most of them.",
        "test scores of all folds but the first far above those of validation; a fold's stored weights do not give its predictions, those of the fold before do",
    ),
    "the best of ten guesses counts": Cause(
        "For each test window ten answers are drawn and the one nearest to its label is counted, so that labels choose the predictions.",
        "test scores far above those of validation, in both tasks; the stored weights predict the same windows worse",
    ),
    "a checkpoint without its running statistics": Cause(
        "The running mean and variance of the checkpoint's batch normalisation were not loaded, so the frozen encoder normalises by 0 and 1.",
        "encoder.normalisation in the stored weights: running_mean all 0 and running_var all 1, in the checkpoint not; all its other weights are the same",
    ),
    "barriers that no price reaches": Cause(
        "The barriers of pre-training lie 100 mean ranges away, which no price reaches within the horizon, so all windows have the same target and nothing is learned.",
        "objective.barrier_ranges of the pre-training; its accuracy is 1, as that of a constant, and its log loss falls towards 0 whatever it is given",
    ),
}


if __name__ == "__main__":
    show(KINDS, CAUSE, __doc__)
