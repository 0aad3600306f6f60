"""A sixth blind set of kinds of faults, again written without a look at what the doctor knows.

Each is planted as those of `fault_kinds.py` are, and none is a variation of one there or in the five blind sets before, `unseen_kinds.py` to
`fifth_kinds.py`. CAUSE says of each what a good doctor should name, for a person to judge its answer by, and where it can be seen.

    python benchmarks/sixth_kinds.py            the kinds, their stages, causes, and where they can be seen
"""

from __future__ import annotations

import sixth_files as damage
import sixth_training as training
from fault_kinds import CASCADES, LABELS, LEAKAGE, MUTATION, NEGATIVE, TAXONOMY, Kind
from faulty_files import column, prices
from unseen_files import recut
from unseen_kinds import Cause, show

GAMBLER = "Chen, Moskowitz and Shue 2016, Decision making under the gambler's fallacy"
SMOOTHING = "Müller, Kornblith and Hinton 2019, When does label smoothing help?"
TEMPERATURE = "Wang and Liu 2021, Understanding the behaviour of contrastive loss"

KINDS = (
    # data: the file of bars or of windows
    Kind("the average price of a bar taken for its close", "data", CASCADES, recut(damage.average_as_close)),
    Kind("one campaign priced from another instrument", "data", CASCADES, damage.another_instrument),
    Kind("thirty-seconds of a point read as hundredths", "data", CASCADES, recut(damage.thirty_seconds)),
    Kind("every third day from a delayed feed", "data", CASCADES, recut(damage.delayed_feed)),
    Kind("windows for practice left in the export", "data", LEAKAGE, damage.practice_windows),
    Kind("bars thinned and not joined", "data", CASCADES, damage.thinned),
    Kind("pages of a download in the wrong order", "data", CASCADES, prices(damage.pages_in_wrong_order)),
    # labels: classes and pointers
    Kind("widths of boxes read as their other ends", "labels", CASCADES, damage.width_as_end),
    Kind("classes set against the one before", "labels", GAMBLER, column("label", damage.set_against_the_one_before)),
    Kind("labels that get worse during each sitting", "labels", LABELS, damage.tired),
    Kind("missing expansions filled with zeros", "labels", CASCADES, damage.missing_as_zero),
    Kind("boxes around the pattern in one class", "labels", LABELS, damage.pattern_of_one_class),
    Kind("the side of the button stored as the class", "labels", CASCADES, column("label", damage.side_of_the_button)),
    Kind("grades to keep given as grades to leave out", "labels", "", settings={"data.exclude_grades": ("A", "B")}),
    # inputs
    Kind("mean and deviation exchanged", "inputs", TAXONOMY, patched=training.exchanged_scale),
    Kind("noise added to the stored windows", "inputs", TAXONOMY, patched=training.noise_in_place),
    Kind("features made over one table of all windows", "inputs", CASCADES, patched=training.over_the_table),
    # network
    Kind("pointers rounded before the loss", "network", TAXONOMY, patched=training.rounded_pointers),
    Kind("a state forgotten every seven bars", "network", TAXONOMY, patched=training.state_forgotten),
    # optimisation
    Kind("class targets smoothed by nine tenths", "optimisation", SMOOTHING, patched=training.smoothed_targets),
    Kind("weights clipped after each step", "optimisation", TAXONOMY, patched=training.clipped_weights),
    # evaluation
    Kind("places in a subset read as rows of the table", "evaluation", LEAKAGE, patched=training.rows_of_the_subset),
    Kind("predictions smoothed along the rows", "evaluation", "", patched=training.smoothed_predictions),
    Kind("a meter of the validation loss never reset", "evaluation", "", patched=training.meter_never_reset),
    # transfer
    Kind(
        "a share of the rate given as the rate",
        "transfer",
        MUTATION,
        settings={
            "transfer.schedule": "gradual",
            "transfer.last_layer_epoch": 4,
            "transfer.all_epoch": 8,
            "transfer.last_layer_lr": 0.5,
            "transfer.all_lr": 0.5,
        },
        pretrain={},
    ),
    Kind(
        "a contrast that tells nothing apart",
        "transfer",
        f"{TEMPERATURE}; {NEGATIVE}",
        settings={"transfer.schedule": "frozen"},
        pretrain={"objective.name": "contrastive", "objective.temperature": 10.0, "sampling.stride_bars": 26},
    ),
)

CAUSE = {
    "the average price of a bar taken for its close": Cause(
        "The column close holds the average price of each bar and not its last one, so that a bar's body and the step to the next bar are wrong.",
        "bars and windows: most closes off the tick grid while opens, highs and lows are on it; each open away from the close before it; hardly a bar closes at its "
        "high or low",
    ),
    "one campaign priced from another instrument": Cause(
        "The windows of one campaign (source campaign_2) hold the prices of another instrument, which moves only partly as the labelled one does.",
        "by the column source: windows of campaign_2 are not found in the bars, at another price level, and their large bars are often not where the "
        "pointers are; the model errs there",
    ),
    "thirty-seconds of a point read as hundredths": Cause(
        "Prices quoted in points and thirty-seconds were read as decimal numbers, so moves inside a point are squeezed into .00 to .32 and there is a jump of "
        "two thirds of a point at each whole one.",
        "bars and windows: no price with decimals above .32; jumps of about .68 wherever a whole number is crossed, within bars and between them",
    ),
    "every third day from a delayed feed": Cause(
        "The bars of every third trading day come from a feed that is fifteen minutes late, so that on these days pointers lie fifteen bars before what they "
        "mark.",
        "bars: at the beginning of these days the last fifteen bars of the day before are repeated, at the end a jump; errors of the pointers by "
        "trading day: 0 or 15 bars",
    ),
    "windows for practice left in the export": Cause(
        "More than a quarter of the windows that take part (source practice) are drawn examples of the annotation tool and not windows of the market, eight pictures again "
        "and again, which are in training and in testing.",
        "by the column source, or ids practice_0000 and on: no start times, not found in the bars, prices about 100, equal but for their scale; scores "
        "nearly perfect on them and lower on the others",
    ),
    "bars thinned and not joined": Cause(
        "Two-minute bars were made by keeping every second one-minute bar in place of joining two, so half of the market's moves is in no bar.",
        "bars and windows: each open is away from the close before it by about as much as a bar moves; interval of two minutes, ranges of one",
    ),
    "pages of a download in the wrong order": Cause(
        "Half of the windows were put together from pages of 35 bars in the wrong order, the newest page first, so the bars are not in the order of time.",
        "half of the windows: jumps from a close to the next open at bars 35 and 70 alone; they are found in the bars in three pieces, the last one first; large bars "
        "70 bars away from the pointers or in the middle page",
    ),
    "widths of boxes read as their other ends": Cause(
        "In four windows in ten the second number of the pointer is the width of the box and was read as its other end, so expansions reach from bar 7 to "
        "12 to where they truly begin.",
        "expansion_start: 7 to 12 in four rows in ten and above 20 in the others; expansions of 12 to 80 bars there, whose last bar is where the large bars begin",
    ),
    "classes set against the one before": Cause(
        "In half of the rows the class was chosen to differ from that of the row before (an annotator who expects classes to alternate), so about a quarter "
        "of all classes are wrong.",
        "classes in the order of the rows: neighbours (windows of grade D included) differ in seven of ten pairs where half is expected; the wrong ones always differ from the row before",
    ),
    "labels that get worse during each sitting": Cause(
        "Windows were labelled forty at a sitting, and towards the end of each classes are at chance and pointers far off: the annotator was tired.",
        "number of the row in the file modulo forty: errors of the model and distance of pointers from large bars rise from none to half of the classes and some 20 bars, and "
        "begin anew",
    ),
    "missing expansions filled with zeros": Cause(
        "Windows whose expansion was not marked have 0 for both ends in place of nothing, and are trained as if it were the first bar.",
        "expansion_start and expansion_end: both 0 in 35 rows in a hundred, in all others above 20; nothing happens at that bar",
    ),
    "boxes around the pattern in one class": Cause(
        "In windows of consolidation the box is around the consolidation, the bars before the expansion, and in the others around the expansion.",
        "expansion_start and length by class: about 30 bars of small ranges that end just before large ones in one class, about 9 large bars in the other",
    ),
    "the side of the button stored as the class": Cause(
        "The two buttons changed sides every twenty windows and the side was stored, so that classes are the wrong way round in every second block of twenty "
        "rows.",
        "errors of the model by number of the row in the file: all or nearly none by blocks of twenty rows in turn; within a block the classes are consistent",
    ),
    "grades to keep given as grades to leave out": Cause(
        "data.exclude_grades names A and B, the best grades, so the model is trained on what was graded C and D, the windows that were to be left out.",
        "settings; grades of the windows that take part: C and D alone",
    ),
    "mean and deviation exchanged": Cause(
        "Mean and deviation of the inputs are exchanged, so the deviation is taken away and the result is divided by the mean.",
        "scale.mean and scale.std in the stored weights against the features of the training windows; inputs without mean 0 and deviation 1, some columns huge or of "
        "the wrong sign",
    ),
    "noise added to the stored windows": Cause(
        "The noise of each training step is added to the stored windows themselves, so that it piles up over the epochs and drowns the training windows.",
        "what a step of training is given against the features of the same windows: ever further away from epoch to epoch, while validation windows stay right; "
        "training losses stop to fall or rise while those of validation, measured on clean windows, are lower",
    ),
    "features made over one table of all windows": Cause(
        "Features were made over the rows of all windows as one series, so the states of a window go on from the one before, and prices are relative to the first "
        "window's.",
        "what the network is given against the features of the same window: bars_since and dist columns at a window's beginning are not empty; path columns are "
        "nearly one number along a window, its price level",
    ),
    "pointers rounded before the loss": Cause(
        "Center and length are rounded to whole bars before the loss, where no gradient passes, so that places are never learned.",
        "norm_pointer is 0; the pointer head in the stored weights is what it began with but for decay; predictions on whole bars, next to the training median",
    ),
    "a state forgotten every seven bars": Cause(
        "The recurrence is given each window in pieces of seven bars and begins anew in each, so that it cannot see anything that is longer.",
        "states of the encoder: a change of one bar changes those of its own piece of seven bars alone; states right after bars 0, 7, 14 and on are those of a "
        "beginning; patterns of 24 bars and more are not learned, though other models find them",
    ),
    "class targets smoothed by nine tenths": Cause(
        "Targets are smoothed by 0.9 where 0.1 was meant, so that the true class is told as 0.55 against 0.45 and hardly anything is learned of the class.",
        "the class loss of the training steps cannot fall below 0.68; no probability is far from one half; gradients of the class small",
    ),
    "weights clipped after each step": Cause(
        "After each step all weights are clipped to between -0.01 and 0.01, so that the network can say next to nothing.",
        "stored weights: none beyond 0.01 in size and most of them exactly there, those of normalisation too; nearly one and the same prediction for all windows; not "
        "even a few windows are learned by heart",
    ),
    "places in a subset read as rows of the table": Cause(
        "The batches hold places in the list of training windows which are used as rows of the whole table, so the first rows are trained on, validation and "
        "test windows among them, and the last ones never.",
        "rows that a step of training is given against the fold's training rows; tested windows at the beginning of the table are far better than those at its end",
    ),
    "predictions smoothed along the rows": Cause(
        "What is predicted for a test window is the mean over five test windows next to each other, which have nothing to do with each other.",
        "the stored weights give other predictions for the same windows, whose mean over five rows is what is there; test scores far below those of validation; "
        "neighbours have much alike predictions",
    ),
    "a meter of the validation loss never reset": Cause(
        "The validation loss that is shown and selects the epoch is the mean over all epochs so far (a meter that is never set back), so the last "
        "epochs look best long after the true loss has risen.",
        "validation losses against those of the stored weights of that epoch; a curve that is far smoother than that of training and lags behind it; metrics of "
        "the same predictions get worse while it falls",
    ),
    "a share of the rate given as the rate": Cause(
        "transfer.last_layer_lr and transfer.all_lr are 0.5, meant as a share of the rate but taken as the rate itself, a hundred times too large, so that training breaks "
        "when the encoder is unfrozen.",
        "settings; losses jump from epoch 4 or 8 on and do not come back; the epoch that is kept lies before epoch 8",
    ),
    "a contrast that tells nothing apart": Cause(
        "The temperature of the contrastive pre-training is 10, which makes all pairs count nearly alike, so that its encoder learned hardly anything.",
        "objective.temperature of the pre-training; its loss stays at that of guessing, the logarithm of the number of pairs",
    ),
}


if __name__ == "__main__":
    show(KINDS, CAUSE, __doc__)
