"""Every metric that an evaluation yields or a verdict may be asked for: its title, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from moola_core.errors import SpecError, nearest

Better = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Metric:
    """A metric's `title`, a `short` one for a column whose unit is clear, and which way is `better`.

    better: neither, where a larger value is neither better nor worse by itself. by_class: the metric has one value per class, and
    `title` is followed by "of" and the class.
    """

    title: str
    better: Better
    short: str = ""
    by_class: bool = False


HIGHER: Better = "higher"
LOWER: Better = "lower"

# The only place that says so. A metric that is not here has no direction: it is shown under its own name and never judged.
METRICS: dict[str, Metric] = {
    "f1_macro": Metric("Macro F1", HIGHER),
    "accuracy": Metric("Accuracy", HIGHER),
    "majority_accuracy": Metric("Accuracy of the commonest class", "neither"),
    "recall_min": Metric("Recall of the weakest class", HIGHER),
    "auroc": Metric("AUROC", HIGHER),
    "aucpr": Metric("AUCPR", HIGHER),
    "ece": Metric("ECE", LOWER),
    "brier": Metric("Brier", LOWER),
    "log_loss": Metric("Log loss, nats", LOWER),
    "recall": Metric("Recall", HIGHER, by_class=True),
    "precision": Metric("Precision", HIGHER, by_class=True),
    "f1": Metric("F1", HIGHER, by_class=True),
    "center_mae_bars": Metric("Center error, bars", LOWER, "Center"),
    "length_mae_bars": Metric("Length error, bars", LOWER, "Length"),
    "start_mae_bars": Metric("Start error, bars", LOWER, "Start"),
    "end_mae_bars": Metric("End error, bars", LOWER, "End"),
    "center_mae_frac": Metric("Center error, fraction of the window", LOWER),
    "length_mae_frac": Metric("Length error, fraction of the window", LOWER),
    "start_mae_frac": Metric("Start error, fraction of the window", LOWER),
    "end_mae_frac": Metric("End error, fraction of the window", LOWER),
    "hit_at_3": Metric("Center within 3 bars", HIGHER),
    "hit_at_5": Metric("Center within 5 bars", HIGHER),
    "ends_hit_at_3": Metric("Both ends within 3 bars", HIGHER),
    "ends_hit_at_5": Metric("Both ends within 5 bars", HIGHER),
    "iou": Metric("Overlap with the true expansion (IoU)", HIGHER),
    "joint_at_3": Metric("Class right and center within 3 bars", HIGHER),
    "sigma_ratio": Metric("σ pointer / σ class", "neither"),
}


def find(name: str) -> Metric | None:
    """The metric called `name`, or `NAME CLASS` for the value of one class; None for a name that is not known."""
    kind, _, label = name.partition(" ")
    found = METRICS.get(kind)
    return found if found is not None and (not label or found.by_class) else None


def title(name: str) -> str:
    """What the metric is called; one that is not known keeps its own name."""
    found, label = find(name), name.partition(" ")[2]
    if found is None:
        return name
    return f"{found.title} of {label}" if label else found.title


def better(name: str) -> Literal["higher", "lower"]:
    """Which way is good. Raises SpecError for a metric that is not known, or of which neither way is good by itself."""
    found = find(name)
    if found is None:
        raise SpecError(f"unknown metric {name!r}.", mend=nearest(name, METRICS))
    if found.better == "neither":
        raise SpecError(
            f"neither more nor less of the metric {name!r} is better by itself.", mend="Compare another metric."
        )
    return found.better
