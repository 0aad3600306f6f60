"""A ninth blind set of kinds of faults, again written without a look at what the doctor knows.

Each is planted as those of `fault_kinds.py` are, and none is a variation of one there or in the eight blind sets before, `unseen_kinds.py` to
`eighth_kinds.py`. CAUSE says of each what a good doctor should name, for a person to judge its answer by, and where it can be seen.

    python benchmarks/ninth_kinds.py            the kinds, their stages, causes, and where they can be seen
"""

from __future__ import annotations

import faulty_training
import ninth_files as damage
import ninth_training as training
from fault_kinds import CASCADES, LABELS, LEAKAGE, NEGATIVE, SHORTCUTS, SILENT, TAXONOMY, Kind
from faulty_files import column, of_bars, prices, rows
from third_training import read
from unseen_files import recut
from unseen_kinds import Cause, show

SOUPS = "Wortsman et al. 2022, Model soups"
ISLAM = "Islam et al. 2019, A comprehensive study on deep learning bug characteristics"

KINDS = (
    # data: the file of bars or of windows
    Kind(
        "the time of the expansion given as the window's",
        "data",
        CASCADES,
        column("start_time", damage.at_the_expansion),
    ),
    Kind("each window scaled between its own ends", "data", TAXONOMY, prices(damage.between_its_ends)),
    Kind("windows saved as logarithms of prices", "data", TAXONOMY, prices(damage.logarithms)),
    Kind(
        "seconds read as milliseconds",
        "data",
        CASCADES,
        column("start_time", damage.seconds_as_milliseconds),
    ),
    Kind("small moves that are never stored", "data", CASCADES, recut(damage.small_moves_never_stored)),
    Kind("a download cut off at its row limit", "data", CASCADES, of_bars(damage.cut_off)),
    # labels: classes and pointers
    Kind("ends looked up by their price", "labels", CASCADES, damage.found_by_price),
    Kind(
        "first answers taken where they were corrected",
        "labels",
        LABELS,
        damage.with_first_answers,
        {"data.windows_reading.twice": "first"},
    ),
    Kind(
        "a list of grades that matches none",
        "labels",
        TAXONOMY,
        damage.never_judged,
        {"data.exclude_grades": ("d",)},
    ),
    Kind("windows at odds with a rule thrown out", "labels", SHORTCUTS, rows(damage.cleaned_by_rule)),
    Kind("hours and minutes read as decimal hours", "labels", CASCADES, damage.hours_as_decimals),
    Kind("a list of pairs read as two halves", "labels", TAXONOMY, damage.halves_for_pairs),
    # inputs
    Kind("logarithms of standardised inputs", "inputs", TAXONOMY, patched=read(training.logarithm)),
    Kind("standardised inputs divided by 255", "inputs", TAXONOMY, patched=training.divided_again),
    # network
    Kind("dropout behind the last layer", "network", ISLAM, patched=training.dropped_answers),
    Kind("batch normalisation behind the last layer", "network", ISLAM, patched=training.answers_normalised),
    # optimisation
    Kind("own answers given as targets", "optimisation", TAXONOMY, patched=training.own_answers_as_targets),
    Kind("a loss returned at the first window", "optimisation", ISLAM, patched=training.first_window_alone),
    Kind(
        "gradients listed in reverse order",
        "optimisation",
        SILENT,
        patched=faulty_training.gradients(training.in_reverse_order),
    ),
    # evaluation
    Kind("the last batch of testing left out", "evaluation", ISLAM, patched=training.last_batch_left_out),
    Kind("a sigmoid for each class", "evaluation", TAXONOMY, patched=training.sigmoid_for_each),
    Kind("test windows scaled by themselves", "evaluation", LEAKAGE, patched=training.scaled_by_the_tested),
    # transfer
    Kind(
        "the mean of two encoders",
        "transfer",
        SOUPS,
        settings={"transfer.schedule": "frozen"},
        patched=training.mean_of_two,
        pretrain={"sampling.stride_bars": 25},
    ),
    Kind(
        "spans as long as the window looked for in pre-training",
        "transfer",
        NEGATIVE,
        settings={"transfer.schedule": "frozen"},
        pretrain={
            "objective.name": "expansion",
            "objective.least_bars": 105,
            "objective.most_bars": 105,
            "sampling.stride_bars": 26,
        },
    ),
)

CAUSE = {
    "the time of the expansion given as the window's": Cause(
        "start_time is the time at which the expansion begins and not that of the window's first bar, so each window lies 23 to 85 minutes later than its prices.",
        "start times against those of the bars with the same prices: apart by exactly expansion_start minutes in every row",
    ),
    "each window scaled between its own ends": Cause(
        "Each window is scaled to its own lowest and highest price, 1 and 100, so no price is one of the market and how large its moves are is lost.",
        "windows: the lowest price is 1 and the highest 100 in every row; not found in the bars, but in proportion; moves of the window's size against its first price",
    ),
    "windows saved as logarithms of prices": Cause(
        "The windows hold natural logarithms of prices and the bars prices, so no price is one of the market and moves in proportion are a tenth of what they were.",
        "windows: prices from 9.4 to 9.7 where bars have 13,000 to 16,000; the exponential of a window is found in the bars at its start time; off the tick grid",
    ),
    "seconds read as milliseconds": Cause(
        "Times in seconds since 1970 were read as milliseconds, so all windows lie in the same hours of January 1970, where they seem to share bars.",
        "start_time: all in January 1970, some seconds apart, before all bars; a thousand times the time since 1970 is where the bars have the windows' prices",
    ),
    "small moves that are never stored": Cause(
        "The data store keeps a bar only if it closes 8 points from the last one that it kept and else gives that close again, so most bars are flat and jumps stand between them.",
        "bars and windows: most bars have four equal prices, those of the close before; no two closes that differ lie nearer than 8 points; volume goes on in flat bars",
    ),
    "a download cut off at its row limit": Cause(
        "The file of bars ends at 20,000 rows, a download's limit, so two thirds of the windows lie after its last bar.",
        "bars: exactly 20,000 rows; last time against start times of windows: all later ones are not in the bars",
    ),
    "ends looked up by their price": Cause(
        "The bars of both ends were looked up by price, and the first bar of the window that holds this price was taken, so most expansions begin long before the large bars.",
        "expansion_start and expansion_end: no bar before them holds the price at which the large bars begin or end; lengths from 0 to 80 bars; starts near bar 0 in many rows",
    ),
    "first answers taken where they were corrected": Cause(
        "The file has first and corrected answers, and data.windows_reading.twice is first, so the class of 45 windows in a hundred is the one that was corrected.",
        "data.windows_reading.twice; ids that end in -first, each followed by a row with the same prices and the other class; classes right in the rows that were left out",
    ),
    "a list of grades that matches none": Cause(
        "data.exclude_grades is d where the file has D, so nothing is left out and the windows that no one judged, half of all, are trained on with the answers of others.",
        "data.exclude_grades against the values of the column grade; nearly twice as many windows take part as should; by grade: classes at chance and pointers on quiet bars in D",
    ),
    "windows at odds with a rule thrown out": Cause(
        "Windows whose class is not what a rule says (close above open) were thrown out as label errors, so the direction of a window tells its class in what is left and in nothing new.",
        "last close above first open in all windows of one class and in none of the other; half as many windows as in the same time before; classes near perfect in testing, at chance on other windows",
    ),
    "hours and minutes read as decimal hours": Cause(
        "Places were written as hours and minutes (0.45, 1.15) and read as decimal hours, so pointers lie 0 to 24 bars early, the more so the later in the hour.",
        "expansion_start and expansion_end: none from 36 to 59; lag of the large bars: four tenths of the minute, from 60 on anew; lengths six tenths of others",
    ),
    "a list of pairs read as two halves": Cause(
        "Starts and ends of all rows were one list in turn, and its halves were read as all starts and all ends, so every row has numbers of two other rows.",
        "expansion_start and expansion_end: lengths from 0 to 80; the numbers of rows 1 and 2 in file order are start and end of one row's large bars; nothing fits its own prices",
    ),
    "logarithms of standardised inputs": Cause(
        "The logarithm of standardised inputs is taken, which those below the mean do not have, and what is not a number was set to 0, so half of all values are gone.",
        "what the network is given: exactly 0 in more than half of all places, all those below the mean; the others are logarithms, from -10 to 2",
    ),
    "standardised inputs divided by 255": Cause(
        "The inputs are standardised and then divided by 255, as pictures are, so the network sees next to nothing of them at its rate and number of epochs.",
        "what the network is given: deviation 0.004 in every column over the training windows; scale.std in the stored weights 255 times that of the windows",
    ),
    "dropout behind the last layer": Cause(
        "Dropout stands behind the heads, so in training half of all answers are 0 and the others doubled, and no answer that is learned fits a place.",
        "predicted centers and lengths too small in the mean; training losses far above those of validation at the first steps and noisy; two passes in training mode differ in the answers by factors of 0 and 2",
    ),
    "batch normalisation behind the last layer": Cause(
        "The answers of both heads are normalised over the windows that are read together, so lengths have a mean of half the window and a window's answer depends on the others.",
        "answers of any batch: mean 0 and deviation 1 before the sigmoid; predicted lengths about 50 bars; predictions change with the windows beside; one window alone gets one half everywhere",
    ),
    "own answers given as targets": Cause(
        "The class loss of training is given the classes that the network predicts in place of the labels, so it confirms itself and learns nothing of the class.",
        "the class loss of training goes to 0 within few epochs and that of validation rises above a constant's from the start; exchanging labels changes no step of training; pointers as usual",
    ),
    "a loss returned at the first window": Cause(
        "The loss of a step is that of the first window of its batch, since the loop over windows returns inside of its body, so one window in 29 is learned from.",
        "gradient by window: 0 for all but the first of each batch; training losses as noisy as those of single windows; a batch of one gives the same step",
    ),
    "gradients listed in reverse order": Cause(
        "Gradients are handed to the optimiser in the reverse order of the weights, so each weight moves by the gradient of another one and nothing is learned.",
        "a step of the optimiser against the gradient of each weight: no relation, and the same numbers from the last to the first; losses stay at a constant's or rise at any rate; gradients themselves are right",
    ),
    "the last batch of testing left out": Cause(
        "The loader of the test windows leaves out a last batch that is not full (21 windows), so four tenths of the tested windows have zeros in place of predictions.",
        "test predictions: probabilities of all classes 0 and start and end 0 in the last 13 to 19 windows of each fold; the stored weights predict them",
    ),
    "a sigmoid for each class": Cause(
        "Probabilities of the test windows are sigmoids of each class's score and not a softmax, so they do not add up to 1.",
        "sums of test probabilities from 0.8 to 1.1; softmax of the stored weights' scores gives others; the larger one is the same class",
    ),
    "test windows scaled by themselves": Cause(
        "The test windows of each fold are standardised by their own mean and deviation (fitted anew), where those of the training windows belong, so predictions depend on what is tested together.",
        "the stored weights with their scale.mean and scale.std give other predictions for the same windows; with the test fold's own mean and deviation the same ones",
    ),
    "the mean of two encoders": Cause(
        "The encoder that is loaded is the mean of two that were pre-trained apart, whose units do not belong to each other, so that neither is left.",
        "the frozen encoder's stored lstm weights are not those of the checkpoint, smaller by a third, and half of them equal the other half: units come in equal pairs",
    ),
    "spans as long as the window looked for in pre-training": Cause(
        "objective.least_bars and objective.most_bars are the window's 105 bars, so there is one span to find, the same in all windows, and the encoder learned hardly anything.",
        "objective.least_bars and objective.most_bars of the pre-training against sampling.window_bars; its loss of the place is 0 from the first step on",
    ),
}


if __name__ == "__main__":
    show(KINDS, CAUSE, __doc__)
