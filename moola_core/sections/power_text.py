"""What a study would find, in words: on the page where it is set up and on the command line alike."""

from __future__ import annotations

from dataclasses import dataclass

from moola_core.diagnostics.results import Power
from moola_core.metrics import METRICS
from moola_core.sections.formatting import counted, duration, expected_time, interval
from moola_core.specs import Study


@dataclass(frozen=True)
class Design:
    """A study as it is planned: labels, folds, repeats, pre-trainings, arms besides the control.

    seconds: how long it takes; seconds_low and seconds_high: between which it takes that in 8 cases of 10.
    """

    labels: int
    folds: int
    repeats: int
    pretrainings: int
    arms: int
    seconds: float | None = None
    seconds_low: float | None = None
    seconds_high: float | None = None


def design_of(spec: Study, labels: int, seconds: tuple[float, float, float] | None = None) -> Design:
    """The study's design, with so many labels; seconds: the estimate and the ends of its range."""
    training = spec.base.training
    apart = {spec.against, *spec.placebos.values()}
    arms = [arm for arm in spec.arms if not arm.baseline and arm.name not in apart]
    pretrainings = min(spec.pretraining_seeds, training.repeats) if spec.pretrainings() else 0
    return Design(labels, training.folds, training.repeats, pretrainings, len(arms), *(seconds or ()))


def smallest(report: Power, design: Design, labels: int) -> float:
    """The smallest difference in AUROC that the design finds with 80% power with so many labels."""
    return report.smallest(labels, design.repeats, design.pretrainings, design.arms)


def lines(report: Power, design: Design) -> list[str]:
    """What the design finds, what twice the labels would buy, and the room to help."""
    parts = [counted(design.labels, "label"), counted(design.folds, "fold"), counted(design.repeats, "repeat")]
    parts += [f"{design.pretrainings} pre-trainings"] if design.pretrainings else []
    several = f" (one of {design.arms} arms, Holm)" if design.arms > 1 else ""
    takes = f" The study takes {_time(design)}." if design.seconds is not None else ""
    now, twice = (smallest(report, design, labels) for labels in (design.labels, 2 * design.labels))
    return [
        f"With {', '.join(parts[:-1])} and {parts[-1]} the smallest difference in AUROC that is found with 80% power is about "
        f"{now:.2f}{several}; with twice the labels {twice:.2f}.{takes}",
        _room(report),
    ]


def _time(design: Design) -> str:
    """How long the study takes, with the range where it is known."""
    if design.seconds is None:
        return duration(None)
    return expected_time(design.seconds, design.seconds_low, design.seconds_high)


def _room(report: Power) -> str:
    """Between which scores an arm could help."""
    target = METRICS["f1_macro"].low
    text = f"Room to help: logistic regression reaches AUROC {interval(report.baseline, '.2f')} and macro F1 {report.baseline_f1:.2f}"
    if report.ceiling is not None and report.ceiling_f1 is not None:
        text += f"; the model that locates the expansion first {interval(report.ceiling, '.2f')} and {report.ceiling_f1:.2f}"
    return f"{text}. Target: macro F1 above {target:.2f}."
