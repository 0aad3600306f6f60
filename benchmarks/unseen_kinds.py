"""Kinds of faults that the doctor's authors did not choose: a blind test, written without a look at what the doctor knows.

Each is planted as those of `fault_kinds.py` are. CAUSE says of each what a good doctor should name, for a person to judge its answer by, and
where it can be seen.

    python benchmarks/unseen_kinds.py           the kinds, their stages, causes, and where they can be seen
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import unseen_files as damage
import unseen_training as training
from fault_kinds import CASCADES, LABELS, LEAKAGE, MUTATION, SHORTCUTS, TAXONOMY, Kind
from faulty_files import column


class Cause(NamedTuple):
    """What a good doctor should name, in a sentence, and where it can be seen."""

    cause: str
    where: str


KINDS = (
    # data: the file of bars or of windows
    Kind("two contracts mixed bar by bar", "data", CASCADES, damage.recut(damage.mixed_contracts)),
    Kind("evening windows cut a day early", "data", CASCADES, damage.day_early),
    Kind("a third of the windows on a slower chart", "data", CASCADES, damage.slower_chart),
    Kind("a bad-tick filter that removes large bars", "data", CASCADES, damage.recut(damage.filtered)),
    Kind("windows cut back from the end of the expansion", "data", SHORTCUTS, damage.cut_at_end),
    # labels: classes and pointers
    Kind("a template's default left in", "labels", LABELS, damage.default_left),
    Kind("blank labels filled down", "labels", LABELS, column("label", damage.filled_down)),
    Kind("classes chosen by what came after", "labels", LEAKAGE, damage.from_after),
    Kind("two annotators with two conventions", "labels", LABELS, damage.two_conventions),
    Kind("pointers drawn on fifteen-minute candles", "labels", "", damage.on_a_grid),
    # inputs
    Kind("a mask of bars that blanks whole windows", "inputs", TAXONOMY, patched=training.augmented(training.blanked)),
    Kind(
        "windows of a batch sorted, labels not", "inputs", TAXONOMY, patched=training.augmented(training.sorted_alone)
    ),
    Kind("scaled twice in training, once in prediction", "inputs", TAXONOMY, patched=training.scaled_twice),
    # network
    Kind("an encoder cut off from its gradients", "network", TAXONOMY, patched=training.detached),
    Kind("running statistics that are never updated", "network", "", patched=training.never_counted),
    Kind("all weights begin at zero", "network", MUTATION, patched=training.after_made(training.all_zero)),
    # optimisation
    Kind("a schedule stepped at every batch", "optimisation", "", patched=training.stepped_per_batch),
    Kind("a step every sixteenth batch", "optimisation", TAXONOMY, patched=training.rare_steps),
    Kind("softmax before a loss of logits", "optimisation", TAXONOMY, patched=training.softmax_before_loss),
    Kind("the epoch of the highest loss is kept", "optimisation", TAXONOMY, patched=training.worst_epoch),
    # evaluation
    Kind("predictions written in another order", "evaluation", "", patched=training.other_order),
    Kind("weights carried over from fold to fold", "evaluation", LEAKAGE, patched=training.carried_over),
    # transfer
    Kind(
        "a pre-trained encoder without its scale",
        "transfer",
        TAXONOMY,
        settings={"transfer.schedule": "frozen"},
        patched=training.not_scaled,
        pretrain={},
    ),
    Kind(
        "a checkpoint of which nothing is loaded",
        "transfer",
        "",
        settings={"transfer.schedule": "frozen"},
        patched=training.not_loaded,
        pretrain={},
    ),
)

CAUSE = {
    "two contracts mixed bar by bar": Cause(
        "On one trading day in four the bars jump to and fro between two price levels about 60 points apart, because bars of two contracts "
        "are mixed near a roll.",
        "bars and prices of the windows of those days: from a close to the next open 60 points up or down, many times in one window",
    ),
    "evening windows cut a day early": Cause(
        "Windows that start from 18:00 to midnight New York time hold the prices of the day before, so that their labels belong to other bars.",
        "start times against those of the bars with the same prices: one day off, in the evening alone; scores by hour of the day",
    ),
    "a third of the windows on a slower chart": Cause(
        "A third of the windows holds five-minute bars and the others one-minute bars.",
        "a third of the windows is not found in the bars; their bars are about three times as large in points, their expansions 2 or 3 bars long",
    ),
    "a bad-tick filter that removes large bars": Cause(
        "A filter has replaced the largest bars by the last price, which are those of the expansions.",
        "flat bars followed by jumps, in the bars and in the windows, far more often inside the labelled expansions than elsewhere",
    ),
    "windows cut back from the end of the expansion": Cause(
        "All windows were cut so that the expansion ends at their last bar, so its place in the window gives the answer away and the model "
        "will not find expansions elsewhere.",
        "expansion_end is the last bar in all windows but a few; the error of the pointers is far better than any reading of prices allows",
    ),
    "a template's default left in": Cause(
        "A quarter of the rows, next to each other in the file, was saved with the labelling template's default: the first class, bars 50 to 60.",
        "identical pointers and one class in a run of rows (the third quarter of the file), where the model errs",
    ),
    "blank labels filled down": Cause(
        "Four labels in ten were not given by anyone but copied from the row above, so about a fifth of all labels is wrong.",
        "neighbouring rows share their class far more often than chance; wrong labels are always those of the row before",
    ),
    "classes chosen by what came after": Cause(
        "The class was chosen by where the price went after the window, so nothing in the window tells it.",
        "the class is at chance for every model, the pointers are not; in the bars, the move in the 30 bars after each window gives the class",
    ),
    "two annotators with two conventions": Cause(
        "One of the two annotators (source ben) lets the expansion begin some 30 bars earlier, with the run-up to it.",
        "expansion_start and length by the column source: two groups of lengths, about 9 and about 39 bars",
    ),
    "pointers drawn on fifteen-minute candles": Cause(
        "The ends of the expansions were drawn on a grid of 15 minutes, so they are up to 14 bars off and all lengths are multiples of 15.",
        "minute of the clock at which expansions begin and end; lengths of 15 or 30 bars alone, but at the window's edges",
    ),
    "a mask of bars that blanks whole windows": Cause(
        "In training a mask is applied along the wrong axis, so that six in ten windows of each batch are blank though their labels count.",
        "training loss near a constant's and above the validation loss; what a step of training is given against what prediction is given",
    ),
    "windows of a batch sorted, labels not": Cause(
        "In each step of training the windows of the batch are in another order than their labels and pointers, so nothing can be learned.",
        "training and validation losses stay at a constant's, while other models learn from the same files",
    ),
    "scaled twice in training, once in prediction": Cause(
        "In training the inputs are standardised twice and in prediction once, so the network predicts from inputs of another scale.",
        "validation and even training windows, measured in eval mode, have far worse losses than the steps of training report",
    ),
    "an encoder cut off from its gradients": Cause(
        "No gradient reaches the encoder, so it stays at its random weights though it is said to train.",
        "norm_class and norm_pointer of the shared parameters are 0; the encoder's weights move by weight decay alone",
    ),
    "running statistics that are never updated": Cause(
        "The running mean and variance of batch normalisation keep their first values, so prediction normalises otherwise than training.",
        "running_mean all 0 and running_var all 1 in the stored weights; training loss falls and the validation loss does not",
    ),
    "all weights begin at zero": Cause(
        "All weights of the network begin at zero, where no gradient reaches them, so that only the biases of the heads ever learn.",
        "stored weights: 0 in the whole encoder; one and the same prediction for all windows",
    ),
    "a schedule stepped at every batch": Cause(
        "The learning rate is decayed at every batch, not every epoch, so it is next to nothing after some epochs and training stands still.",
        "losses and weights stop to change after about 40 steps though the loss is still high; the rate that is reported is constant",
    ),
    "a step every sixteenth batch": Cause(
        "The optimiser makes a step only after gradients of 16 batches, which is once in several epochs, so the network is hardly trained.",
        "losses and weights stand still for several epochs and then change at once; a handful of changes in the whole training",
    ),
    "softmax before a loss of logits": Cause(
        "The class loss is given probabilities where it expects logits, so softmax is applied twice and its gradients are small.",
        "the class loss cannot fall below 0.31 with two classes; it is not the log loss of the probabilities that are predicted",
    ),
    "the epoch of the highest loss is kept": Cause(
        "The epoch with the highest validation loss is selected instead of the lowest: the comparison has the wrong sign.",
        "best_epoch is the first or an early one whose validation loss is the highest on the curve; training then stops by patience",
    ),
    "predictions written in another order": Cause(
        "What is predicted for the test windows is written beside other windows: the rows are in another order.",
        "test scores at chance though training and validation scores are good; the stored weights predict the same windows well",
    ),
    "weights carried over from fold to fold": Cause(
        "Each fold goes on from the weights of the fold before, which was trained on windows that are now tested.",
        "scores rise and first losses fall from fold 0 to the last; later folds start far better than random weights can",
    ),
    "a pre-trained encoder without its scale": Cause(
        "The pre-trained encoder is given inputs that are not standardised as those of its pre-training were.",
        "scale.mean 0 and scale.std 1 in the stored weights, and other ones in the checkpoint",
    ),
    "a checkpoint of which nothing is loaded": Cause(
        "The checkpoint's weights were never put into the encoder, which is frozen at random weights.",
        "the encoder's stored weights differ from those of the checkpoint though it is frozen, and differ between the folds",
    ),
}


def show(kinds: Iterable[Kind], causes: Mapping[str, Cause], about: str | None) -> None:
    """Print the kinds with their causes; about: what `--help` says."""
    argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for kind in kinds:
        cause = causes[kind.name]
        print(f"{kind.stage:<13} {kind.name}\n    {cause.cause}\n    Seen in: {cause.where}.")


if __name__ == "__main__":
    show(KINDS, CAUSE, __doc__)
