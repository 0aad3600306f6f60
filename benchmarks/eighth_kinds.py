"""An eighth blind set of kinds of faults, again written without a look at what the doctor knows.

Each is planted as those of `fault_kinds.py` are, and none is a variation of one there or in the seven blind sets before, `unseen_kinds.py` to
`seventh_kinds.py`. CAUSE says of each what a good doctor should name, for a person to judge its answer by, and where it can be seen.

    python benchmarks/eighth_kinds.py           the kinds, their stages, causes, and where they can be seen
"""

from __future__ import annotations

import eighth_files as damage
import eighth_training as training
from fault_kinds import CASCADES, LABELS, LEAKAGE, NEGATIVE, SHORTCUTS, TAXONOMY, Kind
from faulty_files import column, of_bars, prices
from third_training import read
from unseen_kinds import Cause, show
from unseen_training import after_made

CONFOUNDED = "Zech et al. 2018, Variable generalization performance of a deep learning model"
CROWD = "Ipeirotis, Provost and Wang 2010, Quality management on Amazon Mechanical Turk"

KINDS = (
    # data: the file of bars or of windows
    Kind("missing bars filled with the window's mean", "data", CASCADES, prices(damage.filled_with_means)),
    Kind("bars joined by the mean of each column", "data", TAXONOMY, damage.joined_by_means),
    Kind("the first bars left over from the window before", "data", TAXONOMY, prices(damage.left_over)),
    Kind(
        "day and month exchanged where both can be",
        "data",
        CASCADES,
        column("start_time", damage.day_and_month_exchanged),
    ),
    Kind("each class from another vendor", "data", f"{CONFOUNDED}; {SHORTCUTS}", damage.vendor_of_class),
    Kind("moves that lost their minus signs", "data", CASCADES, prices(damage.without_signs)),
    # labels: classes and pointers
    Kind("two of five workers who clicked anywhere", "labels", CROWD, damage.careless_workers),
    Kind("one box around the boxes of three", "labels", LABELS, damage.union_of_boxes),
    Kind("numbers typed with their digits exchanged", "labels", CASCADES, damage.digits_exchanged),
    Kind("places from screens of twice the density", "labels", CASCADES, damage.of_a_dense_screen),
    Kind("answers in the order of ids as text", "labels", CASCADES, damage.in_order_of_text),
    Kind("a finer class that no mapping names", "labels", LABELS, column("label", damage.missing_in_the_mapping)),
    # inputs
    Kind("principal components fitted anew to each batch", "inputs", TAXONOMY, patched=read(training.components_anew)),
    Kind("labels among the inputs in training alone", "inputs", LEAKAGE, patched=training.marked_in_training),
    # network
    Kind(
        "the bias of a rare class in every layer",
        "network",
        TAXONOMY,
        settings={"model.trunk_width": 32},
        patched=after_made(training.biased_everywhere),
    ),
    Kind("every column the mean of all columns", "network", TAXONOMY, patched=training.averaged_columns),
    # optimisation
    Kind("targets in bars for answers in fractions", "optimisation", TAXONOMY, patched=training.targets_in_bars),
    Kind("the mask of known pointers turned round", "optimisation", TAXONOMY, patched=training.inverted_mask),
    Kind("windows forgotten within days", "optimisation", "", patched=training.soon_forgotten),
    # evaluation
    Kind("predicted classes stored as probabilities", "evaluation", TAXONOMY, patched=training.hard_answers),
    Kind(
        "fractions cut to whole numbers before they are bars", "evaluation", TAXONOMY, patched=training.cut_before_bars
    ),
    Kind("half of the windows tested twice, half never", "evaluation", TAXONOMY, patched=training.tested_twice),
    # transfer
    Kind(
        "pre-training on one day again and again",
        "transfer",
        NEGATIVE,
        of_bars(damage.one_day_again),
        {"transfer.schedule": "frozen"},
        pretrain={"sampling.stride_bars": 26},
    ),
    Kind(
        "a checkpoint in whole numbers without their scales",
        "transfer",
        TAXONOMY,
        settings={"transfer.schedule": "frozen"},
        patched=training.whole_numbers_alone,
        pretrain={"sampling.stride_bars": 25},
    ),
)

CAUSE = {
    "missing bars filled with the window's mean": Cause(
        "A quarter of the bars of each window is missing and was filled with the window's mean open, high, low and close, so the price leaps to its mean and back all the time.",
        "windows: the same four prices, the means of the others, in about 26 of 105 bars; prices off the tick grid there; jumps to and from one level; at these bars the file of bars goes on",
    ),
    "bars joined by the mean of each column": Cause(
        "Two-minute bars were made by the mean of open, high, low and close each, so a bar's high is not its highest price, nor its open the first one.",
        "bars and windows: interval of two minutes; half of the prices between two ticks; opens away from the close before; ranges of one minute in bars of two",
    ),
    "the first bars left over from the window before": Cause(
        "The first 45 bars of each window are those of the row before, since a buffer was used again and not emptied, so a third of the expansions is not in its window.",
        "windows: bars 0 to 44 are those of the row before in the same places, with a jump at bar 45; found in the bars in two pieces; large bars absent where a pointer is "
        "below 45, while later pointers fit",
    ),
    "day and month exchanged where both can be": Cause(
        "Day and month of the start times are exchanged wherever the day is 12 or less, so three windows in ten have a time at which their bars are not.",
        "start times: three in ten elsewhere, most of them before or after all bars, in months without others, days of the month 9 to 11 alone there; with day and month exchanged they are at "
        "the bars with their prices",
    ),
    "each class from another vendor": Cause(
        "All windows of one class come from a vendor whose highs and lows are those of open and close, so that wicks tell the class and nothing else was learned.",
        "by class, or by the column source: no wick at all in one class, wicks in most bars of the other; in the bars both have wicks; classes perfect in testing, at chance on other windows",
    ),
    "moves that lost their minus signs": Cause(
        "The windows were put together from moves without their minus signs, so every bar rises and a pullback looks like the leg before it.",
        "windows: no bar closes below its open, and each window rises from its first bar to its last; the file of bars falls as often as it rises; sizes of moves and ranges are those of the "
        "bars",
    ),
    "two of five workers who clicked anywhere": Cause(
        "Of the five workers two (sources worker_2 and worker_4, four rows in ten) answered without a look: their classes and pointers are at chance.",
        "by the column source: classes at chance and pointers on quiet bars of two workers, both right of the other three; pointers from bar 0 on in theirs, none below 20 elsewhere",
    ),
    "one box around the boxes of three": Cause(
        "The pointers are the smallest box around those of three annotators, who differ by a dozen bars, so it begins some ten bars before the expansion and ends as many after it.",
        "lengths of about 33 bars with a wide spread; the large bars are in the middle third of nearly every box and quiet ones around them",
    ),
    "numbers typed with their digits exchanged": Cause(
        "In 45 rows in a hundred the two digits of both pointers are exchanged (37 became 73), so another place is marked and lengths are multiples of nine off.",
        "expansion_start and expansion_end: rows from 2 to 99 with lengths up to 80; exchanging the digits of both gives the large bars in these rows",
    ),
    "places from screens of twice the density": Cause(
        "In 45 rows in a hundred both pointers are half of what they should be, those that were labelled on a screen of twice the density.",
        "rows with starts from 11 to 42 and lengths of 4 to 6 bars beside others of 7 to 12; twice the pointers gives the large bars there; errors of the model by a factor of two",
    ),
    "answers in the order of ids as text": Cause(
        "Windows are in the order of their numbers and answers in that of the numbers as text (1, 10, 100, 101), so nearly all windows have the class and the pointer of another one.",
        "window_id 1, 2, 3 and on; neither classes nor pointers fit the prices; the answers fit when they are put into the order of the ids sorted as text",
    ),
    "a finer class that no mapping names": Cause(
        "Retracements whose expansion falls were called by a finer name which the table of classes does not have, and got its default, consolidation: half of a class is in the other one.",
        "classes by direction of the expansion: all of one class rise, two thirds of the other fall; errors of the model on falling retracements alone",
    ),
    "principal components fitted anew to each batch": Cause(
        "Inputs are the principal components of the windows that are read together, fitted anew to each batch, so a column has another meaning and sign from batch to batch.",
        "what the network is given: no correlation of columns within any batch, falling deviations from the first column to the last; the inputs of a window change with the windows beside it",
    ),
    "labels among the inputs in training alone": Cause(
        "In training a column holds the label of each bar, so the network reads class and place there and finds nothing where it predicts.",
        "what a step of training is given: expansion_proxy is 0 outside of the labelled bars and 3 or 6 in them by class, in prediction 0 everywhere; the class loss of training falls to near 0 and "
        "both losses of validation rise, also when measured on training windows",
    ),
    "the bias of a rare class in every layer": Cause(
        "All linear layers begin with a bias of -4.6, meant for the last layer of a detector of rare things, so the units of the trunk never fire and nothing reaches the heads.",
        "stored weights: biases of the trunk near -4.6; output of the trunk 0 for all windows; no gradient in the encoder; one and the same prediction for all windows",
    ),
    "every column the mean of all columns": Cause(
        "Before the encoder the columns of each bar are averaged and the mean is spread over all of them again, so the network reads one number a bar that mixes all units.",
        "what reaches the encoder: the sixteen columns of a bar are equal; exchanging columns changes no prediction; rows of the stored input weights differ while only their sum can matter; "
        "other models find more in the same files",
    ),
    "targets in bars for answers in fractions": Cause(
        "The loss compares center and length in fractions of the window with targets in bars, so the network can only answer 1 for both.",
        "the pointer loss is near 3 from the first step to the last, where 0.005 is usual; all predicted centers and lengths near 1, at the window's end; targets of the loss against the labels: 105 times as large",
    ),
    "the mask of known pointers turned round": Cause(
        "Windows whose pointer is known are left out of the pointer loss and those without one are kept, so no place is ever learned.",
        "the pointer loss is exactly 0 in every step and epoch though all windows have a pointer; norm_pointer 0; the pointer head in the stored weights is what it began with but for decay",
    ),
    "windows forgotten within days": Cause(
        "Training windows are weighed by recency with a half-life of four windows, so one or two windows of each batch have all the weight and the older ones are never learned.",
        "gradient or loss of a step by window: all from the newest one or two of the batch; training losses fall while those of the same windows, measured in full, and those of validation rise",
    ),
    "predicted classes stored as probabilities": Cause(
        "The probabilities of the test windows are the predicted classes, 0 or 1, so how sure the model is has been lost and each error costs without bound.",
        "test probabilities: 0 and 1 alone; log loss far above that of validation and AUROC below; the stored weights give probabilities in between whose larger one is the 1",
    ),
    "fractions cut to whole numbers before they are bars": Cause(
        "Center and length of the test windows were cut to whole numbers while they were fractions of the window, so all predicted expansions are bar 0.",
        "predicted start and end are 0 in all tested windows while validation has usual ones; the stored weights give others",
    ),
    "half of the windows tested twice, half never": Cause(
        "Test folds overlap: half of each is taken from the fold before, so half of the windows is tested twice and the other half in no fold.",
        "rows of test over the folds of a repeat: half of them twice, half missing; number of windows with a prediction against how many take part",
    ),
    "pre-training on one day again and again": Cause(
        "The bars for pre-training hold the prices of the first trading day under all dates, so the encoder saw a single day some forty times.",
        "data.bars: each row equal to the one 1380 rows before, with a jump at each change of day; labelled windows are not found in the bars, but those of the first day",
    ),
    "a checkpoint in whole numbers without their scales": Cause(
        "The checkpoint's weights are whole numbers up to 127, as they are kept in eight bits, and were not brought back to their scale, so every gate of the frozen encoder is shut or open.",
        "the frozen encoder's stored weights: lstm weights are whole numbers from -127 to 127, in the checkpoint they are below 1; states of the encoder near -1, 0 and 1",
    ),
}


if __name__ == "__main__":
    show(KINDS, CAUSE, __doc__)
