"""A third blind set of kinds of faults, again written without a look at what the doctor knows.

Each is planted as those of `fault_kinds.py` are, and none is a variation of one there, in `unseen_kinds.py` or in `new_kinds.py`. CAUSE says
of each what a good doctor should name, for a person to judge its answer by, and where it can be seen.

    python benchmarks/third_kinds.py            the kinds, their stages, causes, and where they can be seen
"""

from __future__ import annotations

import third_files as damage
import third_training as training
from fault_kinds import CASCADES, LABELS, LEAKAGE, NEGATIVE, SHORTCUTS, TAXONOMY, Kind
from faulty_files import column, of_bars, prices, rows
from unseen_files import recut
from unseen_kinds import Cause, show
from unseen_training import augmented

KINDS = (
    # data: the file of bars or of windows
    Kind("windows smoothed forwards and backwards", "data", LEAKAGE, prices(damage.smoothed)),
    Kind("windows cut from bars sorted as text", "data", CASCADES, damage.sorted_as_text),
    Kind("each class from another half of the time", "data", SHORTCUTS, rows(damage.of_two_periods)),
    Kind("open and close exchanged in one campaign", "data", CASCADES, damage.exchanged_in_a_campaign),
    Kind("candles fetched before they were complete", "data", "", recut(damage.unfinished)),
    # labels: classes and pointers
    Kind("boxes that were never closed", "labels", CASCADES, damage.end_at_edge),
    Kind("pointers continued as a series", "labels", CASCADES, damage.filled_as_series),
    Kind("unclear windows all put into one class", "labels", LABELS, column("label", damage.unclear_in_one_class)),
    Kind("windows nobody looked at given a class", "labels", LABELS, damage.not_looked_at),
    Kind("expansions marked in one class alone", "labels", "", damage.one_class_alone),
    # inputs
    Kind("inputs clipped to between 0 and 1", "inputs", TAXONOMY, patched=training.read(training.clipped)),
    Kind("bars after the thirty-second left out", "inputs", TAXONOMY, patched=training.read(training.cut_short)),
    Kind("windows mixed in pairs, labels not", "inputs", "", patched=augmented(training.mixed_alone)),
    # network
    Kind("center and length that add up to one", "network", TAXONOMY, patched=training.adding_to_one),
    Kind("numbers of bars that drown the inputs", "network", "", patched=training.numbered_bars),
    Kind("a network that is never put into evaluation mode", "network", TAXONOMY, patched=training.never_evaluating),
    # optimisation
    Kind("each prediction compared with every target", "optimisation", TAXONOMY, patched=training.each_with_every),
    Kind("only the biases given to the optimiser", "optimisation", TAXONOMY, patched=training.biases_alone),
    Kind("class weights of another set of labels", "optimisation", TAXONOMY, patched=training.foreign_weights),
    Kind("a warm-up longer than the training", "optimisation", "", patched=training.endless_warm_up),
    # evaluation
    Kind("validation windows that are trained on", "evaluation", LEAKAGE, patched=training.validation_in_training),
    Kind("class names in another order in testing", "evaluation", TAXONOMY, patched=training.names_in_other_order),
    # transfer
    Kind(
        "pre-training on fifteen-minute bars",
        "transfer",
        NEGATIVE,
        of_bars(damage.of_quarter_hours),
        {"transfer.schedule": "frozen"},
        pretrain={"sampling.stride_bars": 8},
    ),
    Kind(
        "two views that are the same",
        "transfer",
        NEGATIVE,
        settings={"transfer.schedule": "frozen"},
        pretrain={
            "objective.name": "contrastive",
            "objective.augment_noise": 0.0,
            "objective.augment_warp": 0.0,
            "objective.augment_shift_bars": 0,
        },
    ),
)

CAUSE = {
    "windows smoothed forwards and backwards": Cause(
        "The prices of the windows were smoothed by a filter that runs forwards and backwards, so that each bar holds bars after it, and sudden "
        "moves are smeared over some ten bars.",
        "prices of the windows off the tick grid and not those of the bars at their start times; each bar much like the one before "
        "it, in the windows alone",
    ),
    "windows cut from bars sorted as text": Cause(
        "The windows were cut from bars that were sorted by their times as text (0:59 is followed by 10:00), so that a third of them goes on "
        "in the bars of another hour.",
        "windows that are found in the bars up to a full hour (1, 2, 10, 20 or 24 o'clock in New York) and not after it, with a jump of price there",
    ),
    "each class from another half of the time": Cause(
        "All windows of one class are from the first half of the time and all of the other from the second, so that whatever changed with time "
        "tells the class.",
        "start times by class: no overlap; no time at which both classes were collected",
    ),
    "open and close exchanged in one campaign": Cause(
        "In one of the three labelling campaigns (source campaign_2) open and close are exchanged.",
        "windows of that source: from a close to the next open a jump of two bodies, in the others none; against the bars, open and close are exchanged",
    ),
    "candles fetched before they were complete": Cause(
        "The bars were fetched before they were complete and never again, so that high, low and close are those of a part of the minute.",
        "bars and windows: nearly every open lies away from the close before it, and on the side to which that bar was going",
    ),
    "boxes that were never closed": Cause(
        "In four windows in ten the end of the expansion was never set and is the window's last bar.",
        "expansion_end: the last bar, 104, in four rows in ten, with lengths of 20 to 80 bars; in the others about 9 bars",
    ),
    "pointers continued as a series": Cause(
        "In runs of twelve rows the pointers were filled by dragging a cell of a spreadsheet, which counts on by one from row to row.",
        "expansion_start and expansion_end in the order of the file: both rise by exactly one from row to row, twelve rows long, time and again",
    ),
    "unclear windows all put into one class": Cause(
        "All windows of grade C have the first class, because there was no class for those that could not be told.",
        "classes by grade: one class alone in grade C, both in A and B; errors of the model on grade C, all to one side",
    ),
    "windows nobody looked at given a class": Cause(
        "A third of the windows that take part (source background) were drawn at random to fill up one class; no one looked at them, and many hold "
        "the other class.",
        "by the column source: one class alone, no pointers, random places in the bars, some on top of labelled windows with the other class",
    ),
    "expansions marked in one class alone": Cause(
        "The expansions of one class were never marked, so places are learned from the other class alone and count for it alone.",
        "expansion_start and expansion_end by class: missing in all windows of one class and in none of the other",
    ),
    "inputs clipped to between 0 and 1": Cause(
        "The standardised inputs are clipped to between 0 and 1, which sets all that is below the mean to 0 and cuts off what is large.",
        "what the network is given: no value below 0 or above 1, half of all values exactly 0",
    ),
    "bars after the thirty-second left out": Cause(
        "Only the first 32 bars of each window reach the network; the other 73 are zeros.",
        "what the network is given: zeros from bar 32 on; a change of prices after bar 32 changes no prediction, and most expansions begin after it",
    ),
    "windows mixed in pairs, labels not": Cause(
        "In training each window is mixed with another one of its batch, which gets the larger share, and its label and pointer are its own alone.",
        "what a step of training is given against the windows; training losses high and above those of validation",
    ),
    "center and length that add up to one": Cause(
        "Center and length of the pointer go through a softmax together, so that they add up to 1 and can never fit an expansion.",
        "predicted pointers: center plus length is the window's length in each; predicted expansions reach far beyond the labelled ones, one end at an edge",
    ),
    "numbers of bars that drown the inputs": Cause(
        "The number of the bar, 0 to 104, is added to all inputs of the encoder, which are about 1, so that the prices hardly count.",
        "states of the encoder: the same curve along the bars for all windows; predictions hardly change with the prices; other models learn from the same files",
    ),
    "a network that is never put into evaluation mode": Cause(
        "The network stays in training mode when it predicts: dropout is drawn, and batch normalisation takes the windows that are predicted together.",
        "two predictions of the same windows differ; a prediction changes with the windows beside it; stored weights used in evaluation mode score otherwise",
    ),
    "each prediction compared with every target": Cause(
        "Both losses compare each prediction with the targets of all windows of the batch (shapes that are broadcast), so that the best answer is "
        "one constant.",
        "one and the same prediction for all windows; training and validation losses are at a constant's, and even a few windows are not learned by heart",
    ),
    "only the biases given to the optimiser": Cause(
        "Only the biases are trained; all weight matrices stay at their random start.",
        "stored weights against those at the start: biases moved, weights but for their decay not; though all are said to train",
    ),
    "class weights of another set of labels": Cause(
        "The class loss weighs one class fifty times as much as the other though both are about equally frequent.",
        "one class is predicted far more often than it occurs and mean probabilities are far from the frequencies; the class loss of the "
        "training steps is not the log loss of what is predicted",
    ),
    "a warm-up longer than the training": Cause(
        "The learning rate rises over 10,000 steps of which training makes some hundred, so that it never gets beyond some percent of what was set.",
        "weights move ever faster but little; losses fall most in the last epochs; steps in all against those of the warm-up; the reported rate is constant",
    ),
    "validation windows that are trained on": Cause(
        "The validation windows are among the training windows, so that the epoch is selected and training stopped by windows that were learned.",
        "the rows of train and validation of each fold; validation losses go on falling with those of training while test scores are far worse",
    ),
    "class names in another order in testing": Cause(
        "The probabilities of the classes are exchanged when the test windows are predicted, so that each window gets the other class.",
        "test scores as far below chance as validation scores are above it; the stored weights predict the same windows well",
    ),
    "pre-training on fifteen-minute bars": Cause(
        "The encoder was pre-trained on fifteen-minute bars and the labelled windows are of one-minute bars.",
        "interval of data.bars (15 minutes) against that of the windows, which are found nowhere in these bars",
    ),
    "two views that are the same": Cause(
        "The two views of contrastive pre-training are the same window without any change, so that pairs are told before anything is learned of what "
        "windows of a kind have in common.",
        "objective.augment_noise, augment_warp and augment_shift_bars of the pre-training, all 0; the two views of each pair have the same vector from the first step on",
    ),
}


if __name__ == "__main__":
    show(KINDS, CAUSE, __doc__)
