"""A seventh blind set of kinds of faults, again written without a look at what the doctor knows.

Each is planted as those of `fault_kinds.py` are, and none is a variation of one there or in the six blind sets before, `unseen_kinds.py` to
`sixth_kinds.py`. CAUSE says of each what a good doctor should name, for a person to judge its answer by, and where it can be seen.

    python benchmarks/seventh_kinds.py          the kinds, their stages, causes, and where they can be seen
"""

from __future__ import annotations

import seventh_files as damage
import seventh_training as training
from fault_kinds import CASCADES, LABELS, LEAKAGE, MUTATION, NEGATIVE, SHORTCUTS, TAXONOMY, Kind
from faulty_files import column, of_bars, prices, rows
from unseen_files import recut
from unseen_kinds import Cause, show
from unseen_training import after_made

DEPENDENCE = "Fischer and Whitney 2014, Serial dependence in visual perception"
INITIAL = "Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks"

KINDS = (
    # data: the file of bars or of windows
    Kind("five-minute bars interpolated to minutes", "data", CASCADES, recut(damage.interpolated_minutes)),
    Kind("outages filled from the day before", "data", CASCADES, recut(damage.filled_from_the_day_before)),
    Kind("prices of each window held between its tails", "data", CASCADES, prices(damage.winsorised)),
    Kind("each bar relative to its own open", "data", TAXONOMY, prices(damage.of_own_open)),
    Kind("only expansions that rise were collected", "data", SHORTCUTS, rows(damage.upwards_alone)),
    Kind("moves divided by their volatility", "data", "", prices(damage.of_usual_size)),
    # labels: classes and pointers
    Kind("the clock of a replay that runs too fast", "labels", "", damage.on_a_fast_replay),
    Kind("a box left where it was when near enough", "labels", DEPENDENCE, damage.left_where_it_was),
    Kind(
        "missing classes taken from the nearest window", "labels", LABELS, column("label", damage.of_the_nearest_prices)
    ),
    Kind("answers of two charts side by side exchanged", "labels", LABELS, damage.side_by_side),
    Kind("the grade taken for the class", "labels", CASCADES, column("label", lambda w, rng: w["grade"])),
    Kind("entries and exits of trades taken for expansions", "labels", "", damage.as_trades),
    # inputs
    Kind("standardised by the place in the window", "inputs", TAXONOMY, patched=training.scaled_by_place),
    Kind("columns left shuffled by a test of importance", "inputs", TAXONOMY, patched=training.columns_left_permuted),
    # network
    Kind("pointers squashed twice", "network", TAXONOMY, patched=training.squashed_twice),
    Kind("weights drawn far too large", "network", INITIAL, patched=after_made(training.drawn_too_large)),
    # optimisation
    Kind(
        "class numbers given as sampling weights", "optimisation", TAXONOMY, patched=training.class_numbers_as_weights
    ),
    Kind("a least gain that is never reached", "optimisation", MUTATION, patched=training.large_least_gain),
    # evaluation
    Kind("mirrored copies averaged without turning back", "evaluation", "", patched=training.mirrored_copies),
    Kind("probabilities calibrated on the tested windows", "evaluation", LEAKAGE, patched=training.calibrated_on_test),
    Kind("centers written where starts are read", "evaluation", TAXONOMY, patched=training.center_as_corner),
    Kind("an embargo in seconds taken for bars", "evaluation", MUTATION, settings={"training.embargo_bars": 1800}),
    # transfer
    Kind(
        "pre-training on bars listed newest first",
        "transfer",
        NEGATIVE,
        of_bars(damage.newest_first),
        {"transfer.schedule": "frozen"},
        pretrain={"sampling.stride_bars": 26},
    ),
    Kind(
        "the share to train on given as that to validate on",
        "transfer",
        NEGATIVE,
        settings={"transfer.schedule": "frozen"},
        pretrain={"sampling.valid_frac": 0.8, "sampling.stride_bars": 26},
    ),
)

CAUSE = {
    "five-minute bars interpolated to minutes": Cause(
        "The minutes are interpolated between five-minute bars (an upsampled table), so four bars in five are no prices of the market, hold what comes after "
        "them, and have the range of five minutes.",
        "bars and windows: open, high, low and close lie on straight lines between every fifth bar; most prices off the tick grid; the step from bar to bar is the "
        "same five times in a row; opens away from the close before",
    ),
    "outages filled from the day before": Cause(
        "Outages of the feed, 45 minutes each and four tenths of the time, are filled with the prices of the same minutes of the day before, so what was labelled there is "
        "not in the prices.",
        "bars: blocks of 45 rows equal to the rows 1380 bars before to the tick, with a jump of price at both ends of each; the same jumps in windows, whose labels do not fit "
        "the bars inside of a block",
    ),
    "prices of each window held between its tails": Cause(
        "All prices of a window are held between its own 10th and 90th percentiles, so its highest and lowest parts, many expansions among them, are cut flat.",
        "windows: a fifth of the prices is exactly at the window's highest or lowest one, often many flat bars in a row; at these bars the file of bars goes on",
    ),
    "each bar relative to its own open": Cause(
        "Each bar is divided by its own open, not by the window's first one, so every bar opens at 100 and nothing of the path is left.",
        "windows: open is 100 in every bar; closes do not lead to the next open; windows are not found in the bars, while bodies and ranges are as there in proportion",
    ),
    "only expansions that rise were collected": Cause(
        "Only windows whose expansion rises were collected, so the model never saw one that falls and will not find these.",
        "windows: the close at expansion_end is above the open at expansion_start in all rows; in the bars as many large moves fall as rise; half as many windows in the same time",
    ),
    "moves divided by their volatility": Cause(
        "The windows' prices are sums of moves that were divided by the volatility of the last six bars, so quiet and active stretches look alike and expansions "
        "stand out less.",
        "windows: prices off the tick grid and not those of the bars at their start times; the mean range is nearly the same in all windows and at all places of a window; "
        "labelled bars less above the others than the bars at the same times are",
    ),
    "the clock of a replay that runs too fast": Cause(
        "Expansions were marked by the clock of a replay that runs two percent too fast and begins anew with each trading day, so pointers are up to 28 bars late, the more so the "
        "later in the day.",
        "how far pointers lie after the large bars by time since 18:00 in New York: 0 in the evening, growing evenly to some 27 bars in the afternoon, every day anew",
    ),
    "a box left where it was when near enough": Cause(
        "The box of the window before was left where it was when it was within 15 bars of the right place, so four or five pointers in ten are those of the row before and up to 15 bars off.",
        "expansion_start and expansion_end in the order of the file: often both equal to those of the row before, also several rows in a row; where they are equal the "
        "large bars lie up to 15 bars away, elsewhere pointers fit",
    ),
    "missing classes taken from the nearest window": Cause(
        "Four classes in ten were missing and were filled in from the window with the nearest prices (one nearest neighbour), which have nothing to do with the class, so about a fifth "
        "of all classes is wrong.",
        "classes against price level: a window has the class of the one with the nearest prices far more often than chance; errors of the model where it has; pointers are right",
    ),
    "answers of two charts side by side exchanged": Cause(
        "Two windows were labelled at a time, left and right, and in half of the pairs of rows the answers of the two, class and pointer, are exchanged.",
        "rows 1 and 2, 3 and 4 and on: in half of these pairs each row's pointer fits the large bars of its partner and not its own; errors come in such pairs",
    ),
    "the grade taken for the class": Cause(
        "The column grade was read as the label, so the model is trained to tell grades A, B and C and not the patterns.",
        "classes: A, B and C, equal to the column grade in all rows; nearly at chance, while pointers are found",
    ),
    "entries and exits of trades taken for expansions": Cause(
        "The pointers are entry and exit of trades: they begin three bars into the move and last until half of it was given back, often to the window's end, and are not the "
        "expansion.",
        "expansion_start 3 bars after the first large bar; lengths from 5 to 80 bars, whose large bars are all at the beginning; about half end at the last bar; else the end is where "
        "half of the move is lost",
    ),
    "standardised by the place in the window": Cause(
        "Inputs are standardised by a mean and a deviation of their own for each bar of the window (the axis of bars was not joined with that of windows), so sizes mean another thing "
        "at each place and rare values at early bars become huge.",
        "what the network is given: mean 0 and deviation 1 at every single bar and column over the training windows; prices at early bars as far apart as at late ones; scale.mean "
        "and scale.std do not lead to it",
    ),
    "columns left shuffled by a test of importance": Cause(
        "Each input column was shuffled among the windows, as a test of permutation importance does, and never put back, so a window's columns are those of sixteen other windows and "
        "nothing can be learned.",
        "what the network is given against the features of the same window: each column is that of another window; path_open no longer near path_close of the bar before; losses at a "
        "constant's, while other models learn from the same files",
    ),
    "pointers squashed twice": Cause(
        "Center and length go through a sigmoid twice, so neither can be below one half of the window, and no expansion can be fitted.",
        "predicted pointers: centers between bars 52 and 77, lengths of 52 bars and more in all windows; the pointer loss far above a constant's from beginning to end; class as usual",
    ),
    "weights drawn far too large": Cause(
        "The first weights are drawn with deviation 1 whatever the width of the layer, about ten times too large, so the gates of the recurrence are shut or open and hardly learn.",
        "the first losses are two to four times a constant's; stored weights of deviation about 1 where the layers' own start is about 0.1; states of the encoder near -1, 0 and 1; training losses "
        "fall far and those of validation do not",
    ),
    "class numbers given as sampling weights": Cause(
        "Training windows are drawn with their class number as the weight, so those of class 0 are never trained on and the others come twice.",
        "rows that a step of training is given: none of the first class, others repeated within an epoch; the training loss of the class goes to 0 at once and that of validation rises; the "
        "second class alone is predicted",
    ),
    "a least gain that is never reached": Cause(
        "An epoch counts as better only if the validation loss falls by 1, of about 2 that there are, so the first epoch is kept and training stops by patience though the loss still falls.",
        "best_epoch, 1 in nearly all fits, against the curve: later epochs have a lower validation loss than the one that is kept; training stops one patience after it; training.patience and epochs "
        "are usual",
    ),
    "mirrored copies averaged without turning back": Cause(
        "Test predictions are means over the window and its copy backwards in time, whose places are not turned back, so pointers are pulled to the middle of the window.",
        "the stored weights give other predictions for the same windows; what is there is the mean of these and of those of the same windows backwards; test pointers nearer to the middle "
        "and less spread than those of validation, test scores lower",
    ),
    "probabilities calibrated on the tested windows": Cause(
        "The probabilities of each test fold were calibrated by an isotonic regression that was fitted to the same windows and their labels, so the labels shape what is tested.",
        "a handful of different probabilities in each fold, none below 0.01; calibration of each fold perfect; the stored weights give others, of the same order; test log loss and AUROC "
        "better than those of validation",
    ),
    "centers written where starts are read": Cause(
        "Predicted boxes are written as center and width and read as start and width, so all tested expansions lie half of their length too late.",
        "tested start and end against the labels: late by half of the predicted length, about 4 bars, in nearly all windows; validation errors show no such shift; the stored weights give ends "
        "that lie that much earlier",
    ),
    "an embargo in seconds taken for bars": Cause(
        "training.embargo_bars is 1800, half an hour in seconds, and taken as 1800 bars, more than a trading day, so that about four training windows in ten are purged.",
        "settings; windows that each fold purges, 50 to 80 of some 150, against those that it trains on; windows purged that share no bar with any tested one",
    ),
    "pre-training on bars listed newest first": Cause(
        "The bars for pre-training are listed newest first and were given new times in that order, so the encoder learned a market that runs backwards.",
        "data.bars: each close is the open of the bar before it and not of the bar after; labelled windows are not found in the bars, or only with their bars in "
        "reverse",
    ),
    "the share to train on given as that to validate on": Cause(
        "sampling.valid_frac of the pre-training is 0.8, the share that was to be trained on, so the encoder was pre-trained on a fifth of the windows and hardly learned.",
        "sampling.valid_frac of the pre-training; how many windows it trained on against those it validated on; its validation loss falls by a twentieth where it should by a fifth",
    ),
}


if __name__ == "__main__":
    show(KINDS, CAUSE, __doc__)
