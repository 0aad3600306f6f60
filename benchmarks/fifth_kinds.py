"""A fifth blind set of kinds of faults, again written without a look at what the doctor knows.

Each is planted as those of `fault_kinds.py` are, and none is a variation of one there, in `unseen_kinds.py`, in `new_kinds.py`, in
`third_kinds.py` or in `fourth_kinds.py`. CAUSE says of each what a good doctor should name, for a person to judge its answer by, and where it
can be seen.

    python benchmarks/fifth_kinds.py            the kinds, their stages, causes, and where they can be seen
"""

from __future__ import annotations

import fifth_files as damage
import fifth_training as training
from fault_kinds import CASCADES, LABELS, LEAKAGE, MUTATION, NEGATIVE, TAXONOMY, Kind
from faulty_files import column, of_bars, prices, rows
from unseen_files import recut
from unseen_kinds import Cause, show

POINT_ADJUSTED = "Kim et al. 2022, Towards a rigorous evaluation of time-series anomaly detection"

KINDS = (
    # data: the file of bars or of windows
    Kind("windows stretched to one length", "data", "", damage.stretched),
    Kind("a third of the windows quoted the other way round", "data", CASCADES, prices(damage.quoted_the_other_way)),
    Kind("the trend taken out of each window", "data", "", prices(damage.detrended)),
    Kind("older bars that hold closes alone", "data", CASCADES, recut(damage.closes_alone)),
    Kind("rows lost before the table was cut into windows", "data", CASCADES, damage.rows_lost),
    Kind(
        "start times that kept the hour alone",
        "data",
        CASCADES,
        damage.full_hours,
        {"data.windows_reading.twice": "keep"},  # a few windows begin in the same hour
    ),
    # labels: classes and pointers
    Kind("pointers counted back from the last bar", "labels", CASCADES, damage.bars_ago),
    Kind("answers pasted over hidden rows", "labels", CASCADES, damage.pasted_over_hidden_rows),
    Kind("class codes from zero and from one", "labels", CASCADES, column("label", damage.codes_from_zero_and_one)),
    Kind("a slider that ends at bar sixty", "labels", LABELS, damage.end_of_slider),
    Kind("pointers drawn between key frames", "labels", LABELS, damage.between_keyframes),
    Kind("epochs of one length around the largest bar", "labels", "", damage.epochs_around_the_peak),
    # inputs
    Kind("standardised over the columns of each bar", "inputs", TAXONOMY, patched=training.over_columns),
    Kind(
        "the number of the row among the inputs",
        "inputs",
        LEAKAGE,
        rows(damage.sorted_by_class),
        patched=training.row_number,
    ),
    Kind("features stored before a window was removed", "inputs", CASCADES, patched=training.stored_before),
    # network
    Kind("states summed over the bars", "network", TAXONOMY, patched=training.summed_over_bars),
    Kind("class scores that cannot be negative", "network", TAXONOMY, patched=training.rectified_scores),
    # optimisation
    Kind("averaged weights that remember the start", "optimisation", "", patched=training.averaged_from_the_start),
    Kind("the two memories of Adam exchanged", "optimisation", TAXONOMY, patched=training.memories_exchanged),
    Kind("the epoch of the least training loss is kept", "optimisation", "", patched=training.selected_on_training),
    # evaluation
    Kind("expansions that are touched count as found", "evaluation", POINT_ADJUSTED, patched=training.touched_is_found),
    Kind(
        "validation windows beside the labels of others", "evaluation", TAXONOMY, patched=training.validated_on_others
    ),
    # transfer
    Kind(
        "pre-training on hours without a market",
        "transfer",
        NEGATIVE,
        of_bars(damage.every_minute),
        {"transfer.schedule": "frozen"},
        pretrain={"sampling.exclude_filler": False},
    ),
    Kind(
        "nearly all bars hidden in pre-training",
        "transfer",
        MUTATION,
        settings={"transfer.schedule": "frozen"},
        pretrain={"objective.mask_frac": 0.97, "sampling.stride_bars": 26},
    ),
)

CAUSE = {
    "windows stretched to one length": Cause(
        "The windows are stretches of 60 to 200 bars that were brought to 105 by interpolation, so that a bar stands for another length of time in "
        "each window.",
        "prices of the windows off the tick grid and not those of the bars at their start times, but for the first and the last bar; lengths of the "
        "expansions from 3 to 18 bars; steps from bar to bar much alike where it was stretched, opens away from the close before where it was squeezed",
    ),
    "a third of the windows quoted the other way round": Cause(
        "A third of the windows holds the inverse quotation (satoshis for a dollar and not dollars for a coin), so that they are upside-down.",
        "in a third of the windows prices times those of the bars at their start times are 100 million; a rise there is a fall here; another level",
    ),
    "the trend taken out of each window": Cause(
        "From each window its best straight line was subtracted, which takes most of a move away and bends what was flat, and needs all of the window's bars.",
        "the slope of the closes is 0 in every window; prices of the windows less those of the bars at their start times are a straight line in each",
    ),
    "older bars that hold closes alone": Cause(
        "In the older half of the bars, and of the windows, open, high and low are copies of the close: the vendor has nothing else of that time.",
        "bars and windows before a date: open, high, low and close are equal and ranges are 0, while closes move as usual; after it as they should be; "
        "scores by time",
    ),
    "rows lost before the table was cut into windows": Cause(
        "Single rows were lost from the long table of all windows before it was cut into pieces of 105 rows, so each window begins ever later in its own "
        "and ends with bars of the next one.",
        "prices against the bars at the start times: equal at first, then ever more bars later down the file; a jump to the next window's prices near the "
        "end of a window; the last window missing; the lag of the pointers grows with the row",
    ),
    "start times that kept the hour alone": Cause(
        "The minutes of the start times were lost and the windows' prices were joined by what was left, so they begin up to 59 bars before what was labelled.",
        "start_time at minute 0 in all rows but a few; large bars 0 to 59 bars after the pointers, some outside of the window",
    ),
    "pointers counted back from the last bar": Cause(
        "In four windows in ten the pointers count bars back from the window's last bar, which is 0 there, so that the expansion lies mirrored in time.",
        "quiet bars are marked in four windows in ten, where 104 less the pointers names the large bars; errors of the model mirrored around the middle",
    ),
    "answers pasted over hidden rows": Cause(
        "The answers of a filtered table (grades B and C) were pasted into consecutive rows, hidden ones too, so that a whole block of rows has the classes and "
        "pointers of other rows.",
        "a block of the older rows in which neither classes nor pointers fit the prices; its n-th row has class and pointers of the "
        "n-th row of grade B or C further down, bit for bit",
    ),
    "class codes from zero and from one": Cause(
        "Classes are codes that begin at 0 in one campaign and at 1 in the other, so that code 1 is the second class of one and the first class of the other.",
        "three classes 0, 1 and 2 though two were to be told; 1 is confused with both, 0 and 2 hardly with each other",
    ),
    "a slider that ends at bar sixty": Cause(
        "The slider in which the ends were set stops at bar 60, so all expansions after it are marked as that one bar.",
        "expansion_start and expansion_end: none above 60, about four rows in ten with both at exactly 60; large bars after it that no one marked",
    ),
    "pointers drawn between key frames": Cause(
        "Three rows in four were never marked: their pointers are interpolated between the rows before and after that were, as a tool for films does "
        "between key frames.",
        "expansion_start and expansion_end in the order of the file: straight lines over four rows; they name large bars in every fourth row alone",
    ),
    "epochs of one length around the largest bar": Cause(
        "Each expansion is eleven bars around the window's largest bar, cut by a script for events, and not the move that was to be marked.",
        "expansion_start and expansion_end: eleven bars in all windows but at the edges, whose middle is the bar with the largest range without an exception",
    ),
    "standardised over the columns of each bar": Cause(
        "Inputs are standardised over the columns of each bar (the wrong axis) and not each column over the training windows, so that sizes are lost and "
        "columns of other units are mixed.",
        "what the network is given: mean 0 and deviation 1 over the columns of every single bar; columns without mean 0 and deviation 1 over the training windows",
    ),
    "the number of the row among the inputs": Cause(
        "The row number of the table, saved as a column of its own, is one of the inputs, and since the rows are sorted by class it tells the class, "
        "of tested windows "
        "too.",
        "what the network is given: open_norm is one number along all bars of a window, which rises from row to row, and not what the prices give; "
        "the file is sorted by class; classes nearly perfect in testing and bad on other windows",
    ),
    "features stored before a window was removed": Cause(
        "The features come from a stored file that still has a window which was removed since, so that six windows in ten are read with the features "
        "of the row before.",
        "what the network is given against the features of the same window: right in the first four tenths of the rows, after them those of the "
        "row before; the model errs there alone",
    ),
    "states summed over the bars": Cause(
        "The encoder's states are summed over the 105 bars where their mean should be taken, so that the heads are given numbers a hundred times too large.",
        "pooled vector against the mean of the states: 105 times as large; scores of classes far from 0 and pointers at 0 or 1 from the first step "
        "on; first losses many times a "
        "constant's",
    ),
    "class scores that cannot be negative": Cause(
        "The class scores go through a ReLU, so those below 0 are 0 and learn nothing more, and where both are no class can be told.",
        "scores of the classes: none below 0, many exactly 0; windows with probabilities of exactly one half; gradients of the class head that are 0",
    ),
    "averaged weights that remember the start": Cause(
        "The weights that are measured and kept are a moving average that began at the random start and forgets one percent an epoch, so most of them is still "
        "the start.",
        "training losses fall while those of validation hardly move from their first value, also when measured on training windows; stored weights "
        "close to the first ones; "
        "training.averaging is 0",
    ),
    "the two memories of Adam exchanged": Cause(
        "The two decays of Adam are exchanged: gradients are averaged over a thousand steps, squares over ten, so each step goes where all steps before it pointed.",
        "losses fall more slowly or swing, since a step hardly follows the gradient of its batch; steps are far larger or smaller than the rate "
        "where gradients change size; gradients and the reported rate are usual",
    ),
    "the epoch of the least training loss is kept": Cause(
        "The epoch is selected by the training loss, not by that of validation, so that late, overfitted weights are kept and training goes on as "
        "long as that loss falls.",
        "best_epoch against the curves: where the mean training loss is least, mostly one of the last epochs, though the validation loss was lowest earlier; "
        "patience counts from there",
    ),
    "expansions that are touched count as found": Cause(
        "In testing an expansion of which at least one bar was predicted is counted as found whole (point adjustment): the label is written in place "
        "of the prediction.",
        "predicted ends equal to the labelled ones to the bar in many tested windows, in the others no bar in common; errors of validation far "
        "larger; stored weights give other ends",
    ),
    "validation windows beside the labels of others": Cause(
        "The validation loss compares each prediction with the label and the pointer of another window, so the epoch is selected and training stopped by chance.",
        "validation losses rise from the first epochs on and training stops early, while metrics of the same predictions, and testing, get better",
    ),
    "pre-training on hours without a market": Cause(
        "The bars were filled up to every minute of the week, and most of what the encoder was pre-trained on is weekends and daily breaks in which nothing moves.",
        "bars: no gap at all; open, high, low and close equal without volume from Friday to Sunday and in the daily break; sampling.exclude_filler is off; features "
        "of these windows are constant",
    ),
    "nearly all bars hidden in pre-training": Cause(
        "In pre-training 97 bars in a hundred were hidden, so there is nothing left from which they could be told, and the encoder learned the mean.",
        "objective.mask_frac of the pre-training; its loss stays at that of answering the mean",
    ),
}


if __name__ == "__main__":
    show(KINDS, CAUSE, __doc__)
