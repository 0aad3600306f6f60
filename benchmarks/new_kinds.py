"""A second blind set of kinds of faults, again written without a look at what the doctor knows.

Each is planted as those of `fault_kinds.py` are, and none is a variation of one there or in `unseen_kinds.py`. CAUSE says of each what a
good doctor should name, for a person to judge its answer by, and where it can be seen.

    python benchmarks/new_kinds.py              the kinds, their stages, causes, and where they can be seen
"""

from __future__ import annotations

import new_files as damage
import new_training as training
from fault_kinds import CASCADES, LABELS, LEAKAGE, MUTATION, NEGATIVE, SHORTCUTS, TAXONOMY, Kind
from faulty_files import column, prices, rows
from unseen_files import recut
from unseen_kinds import Cause, show
from unseen_training import after_made, augmented

KINDS = (
    # data: the file of bars or of windows
    Kind("a third of the windows from averaged candles", "data", CASCADES, prices(damage.averaged_candles)),
    Kind("high and low of the day so far", "data", CASCADES, recut(damage.of_the_day)),
    Kind("windows made of two of one class", "data", LEAKAGE, rows(damage.interpolated)),
    Kind("minutes without trades left out", "data", CASCADES, damage.without_quiet),
    Kind("short windows filled up to one length", "data", SHORTCUTS, prices(damage.padded)),
    # labels: classes and pointers
    Kind("labels of a rule accepted unread", "labels", LABELS, damage.by_rule),
    Kind("pointers in percent of the window", "labels", "", damage.in_percent),
    Kind("a failed look-up taken for a class", "labels", CASCADES, column("label", damage.failed_look_up)),
    Kind("labels joined by date", "labels", CASCADES, column("label", damage.by_date)),
    Kind("minutes of the clock taken for bar numbers", "labels", "", damage.minute_of_clock),
    # inputs
    Kind("arrays reshaped where axes should be exchanged", "inputs", TAXONOMY, patched=training.reshaped),
    Kind("columns in another order in prediction", "inputs", "", patched=training.other_columns),
    Kind("windows shifted in time, pointers not", "inputs", "", patched=augmented(training.shifted)),
    # network
    Kind("a recurrence along the batch", "network", TAXONOMY, patched=training.along_the_batch),
    Kind(
        "attention over the batch",
        "network",
        "",
        settings={"model.pooling": "attention"},
        patched=training.attention_over_batch,
    ),
    Kind("a pointer head that begins in bars", "network", TAXONOMY, patched=after_made(training.head_in_bars)),
    # optimisation
    Kind("classes numbered anew in each batch", "optimisation", "", patched=training.numbered_anew),
    Kind("one class a batch", "optimisation", TAXONOMY, patched=training.one_class_a_batch),
    Kind("an optimiser with an epsilon of one", "optimisation", MUTATION, patched=training.large_epsilon),
    Kind("a share for quick trials left in", "optimisation", "", settings={"training.train_size": 0.1}),
    # evaluation
    Kind("half of the tested windows trained on", "evaluation", LEAKAGE, patched=training.tested_in_training),
    Kind("the best weights kept by reference", "evaluation", "", patched=training.kept_by_reference),
    # transfer
    Kind(
        "gates of a checkpoint in another order",
        "transfer",
        "",
        settings={"transfer.schedule": "frozen"},
        patched=training.gates_in_other_order,
        pretrain={},
    ),
    Kind(
        "pre-training on windows of twenty bars",
        "transfer",
        NEGATIVE,
        settings={"transfer.schedule": "frozen"},
        pretrain={"sampling.window_bars": 20},
    ),
)

CAUSE = {
    "a third of the windows from averaged candles": Cause(
        "A third of the windows holds Heikin-Ashi candles, which are averages, and not the prices of the bars.",
        "in a third of the windows each open lies midway between open and close of the bar before, and prices lie off the tick grid and are "
        "not those of the bars at their start times",
    ),
    "high and low of the day so far": Cause(
        "The columns high and low hold the highest and lowest price of the trading day so far and not those of the bar.",
        "bars and windows: within a day the highs never fall and the lows never rise; bodies are tiny against the ranges",
    ),
    "windows made of two of one class": Cause(
        "A third of the rows are no real windows but weighted means of two windows of one class (as SMOTE makes them), made before the folds "
        "were divided, so that tested windows are partly in training.",
        "ids made_0000 and on, no start times, prices off the tick grid and found nowhere in the bars; scores on them against those of the others",
    ),
    "minutes without trades left out": Cause(
        "The bars come without a quarter of the minutes, those of little trade, while the pointers count minutes, so most lie 5 "
        "to 40 bars late, the more so the later in the window.",
        "holes of one or a few minutes all over the bars and inside the windows; the lag of the pointers grows with their place",
    ),
    "short windows filled up to one length": Cause(
        "Windows end 5 bars after their expansion and were filled up to 105 bars with copies of their last bar, so where the copies begin "
        "gives the place of the expansion away.",
        "identical bars at the end of nearly all windows, which begin 5 bars after expansion_end; the bars at these times go on",
    ),
    "labels of a rule accepted unread": Cause(
        "Half of the labels (source prelabelled) come from a rule, whether the window closes higher than it opened, and not from anyone who "
        "looked.",
        "by the column source: in one half the sign of the window's whole move gives the class without an exception, in the other it is at chance",
    ),
    "pointers in percent of the window": Cause(
        "The pointers are percent of the window's width and are read as bar numbers, so they lie up to 4 bars early, the later ones more.",
        "how far the pointers lie before the large bars that they should name: 1 bar early in the window, 4 bars late in it",
    ),
    "a failed look-up taken for a class": Cause(
        "A fifth of the windows has the error value of a spreadsheet, #N/A, as its label, which is trained as a third class.",
        "counts of the classes; the third one is confused with both others and found in none",
    ),
    "labels joined by date": Cause(
        "All windows of one date have the class of the first window of that date: labels were joined by date and not by time.",
        "within each date there is one class alone; about half of the labels are at chance",
    ),
    "minutes of the clock taken for bar numbers": Cause(
        "The pointers are minutes of the clock (0 to 59) and not bars from the start of the window.",
        "no expansion begins after bar 59; expansion_start less the minute of start_time, modulo 60, fits the large bars",
    ),
    "arrays reshaped where axes should be exchanged": Cause(
        "The array of windows is reshaped where bars and features should be exchanged, so what is read as one bar's features is a stretch "
        "of one feature in time.",
        "what the network is given against the features of the same window; losses stay high, other models learn from the same files",
    ),
    "columns in another order in prediction": Cause(
        "Prediction gives the network its input columns in alphabetical order and training in another one.",
        "losses in training fall, those of validation, also measured on training windows, rise; the stored weights do better with the columns in order",
    ),
    "windows shifted in time, pointers not": Cause(
        "An augmentation moves the windows of each step by up to 30 bars in time and leaves their pointers, so places cannot be learned.",
        "the pointer loss stays at a constant's in training and validation while the class is learned",
    ),
    "a recurrence along the batch": Cause(
        "The LSTM runs along the windows of a batch and not along the bars of a window: the axes are confused.",
        "the prediction for a window changes with the windows beside it; bars exchanged alike in all windows change no class",
    ),
    "attention over the batch": Cause(
        "The softmax of the attention is taken over the windows of the batch instead of over the bars.",
        "the prediction for a window changes with the windows beside it and with the size of the batch",
    ),
    "a pointer head that begins in bars": Cause(
        "The bias of the pointer head begins at the median in bars where fractions are expected, so its sigmoids are shut and places are never learned.",
        "bias of the pointer head about 50 in the stored weights; all spans end at the last bar; norm_pointer next to 0",
    ),
    "classes numbered anew in each batch": Cause(
        "Classes are numbered by the order in which they appear in each batch, so the same class has another number from batch to batch.",
        "the class loss in training stays at a constant's while the pointers are learned and other models find the class",
    ),
    "one class a batch": Cause(
        "Each batch holds windows of one class alone, so the steps pull to one class and then to the other.",
        "the class loss goes up and down within each epoch, near zero in some steps and high in others; one class alone is predicted",
    ),
    "an optimiser with an epsilon of one": Cause(
        "The epsilon of Adam is 1 in place of 1e-8, so that steps are far smaller than the learning rate says.",
        "weights hardly move although gradients and the reported rate are usual; losses fall slowly until the last epoch",
    ),
    "a share for quick trials left in": Cause(
        "training.train_size was left at 0.1, so that a tenth of the training windows is used, a dozen in each fit.",
        "the settings; how many windows each fit trains on and stops on; training loss falls at once and the validation loss does not",
    ),
    "half of the tested windows trained on": Cause(
        "Half of the windows that a fold tests are among those that it trains on.",
        "the rows of train and test of each fold; scores of every second tested window are far better than those of the others",
    ),
    "the best weights kept by reference": Cause(
        "The weights of the best epoch are not copied, so those of the last epoch are stored and tested.",
        "the stored weights give other losses on the validation windows than were reported for best_epoch, and those of the last epoch",
    ),
    "gates of a checkpoint in another order": Cause(
        "The gates of the pre-trained LSTM are in another framework's order, so its weights are loaded in the wrong places.",
        "the frozen encoder's stored weights are those of the checkpoint with three of the four quarters of each array in other places",
    ),
    "pre-training on windows of twenty bars": Cause(
        "The encoder was pre-trained on windows of 20 bars and reads windows of 105, whose patterns are longer than anything that it saw.",
        "sampling.window_bars of the pre-training; window_bars of the checkpoint against those of the windows; features that count bars as a share "
        "of the window come in another scale",
    ),
}


if __name__ == "__main__":
    show(KINDS, CAUSE, __doc__)
