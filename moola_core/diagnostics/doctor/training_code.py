"""The check of the code of training: what it does next to what its settings say."""

from __future__ import annotations

from typing import NamedTuple

from moola_core.diagnostics.doctor.check import ERROR, Case, Check, register
from moola_core.diagnostics.results import Finding


class TrainingPart(NamedTuple):
    """A part of training that `training.audit` looks at: its name in words, and where to look where it differs."""

    title: str
    look_at: str


PARTS = {
    "folds": TrainingPart(
        "the windows of a fold", "Look at how windows are divided into training, validation and test."
    ),
    "batches": TrainingPart(
        "the batches", "Look at what makes the batches of an epoch: the loader, its sampler and its shuffling."
    ),
    "start": TrainingPart("the weights at the start", "Look at how the weights are drawn or loaded."),
    "inputs": TrainingPart(
        "the inputs of the network",
        "Look at what stands between the file and the network: scaling, the order of axes and columns, masks, augmentation.",
    ),
    "targets": TrainingPart(
        "the classes and pointers", "Look at how classes and pointers are numbered and put beside the windows."
    ),
    "network": TrainingPart(
        "the answers of the network",
        "Look at the network's layers: along which axis each works, and what is switched off in prediction.",
    ),
    "loss": TrainingPart(
        "the loss",
        "Look at what the loss takes and at what it averages over: logits or probabilities, shapes that meet, weights of classes.",
    ),
    "gradient": TrainingPart(
        "the gradient",
        "Look at what stands between the loss and the optimiser: parts cut off, parameters that are not given, gradients added up or changed.",
    ),
    "step": TrainingPart(
        "the step of the optimiser",
        "Look at the optimiser: its rate and schedule, its constants, its state, and how often it steps.",
    ),
    "statistics": TrainingPart(
        "the running statistics",
        "Look at the mode that the network trains in, and at whether buffers are written back.",
    ),
}
SHOWN = 3


@register
class TrainingCode(Check):
    """A part of training that is not what it is by definition. Reads `deviations`: parts and what differs."""

    id, title = "training_code", "Training does not do what its settings say"
    kinds = ("finetune",)
    networks_only = True
    invalidates = ("macro F1", "comparisons with other runs")

    def judge(self, case: Case) -> Finding | None:
        deviations = case["deviations"]
        if not deviations:
            return None
        parts = list(dict.fromkeys(part for part, _ in deviations))
        details = [detail for _, detail in deviations]
        return self.finding(
            ERROR,
            f"The first fit was begun with the code as it is here, and its parts were computed a second time by other means. What differs: {'; '.join(details[:SHOWN])}.",
            {"parts": parts, "details": details},
            " ".join(
                [
                    *(PARTS[part].look_at for part in parts[:SHOWN]),
                    "Code of your own (encoders, weightings, changes to the package) comes first.",
                ]
            ),
            title=f"{self.title}: {PARTS[parts[0]].title}",
        )
