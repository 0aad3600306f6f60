"""When two fits are the same: equal in everything that the model reads, however many repeats there are."""

from __future__ import annotations

from typing import Any

from moola_core.specs import Finetune, settings

# Not of a fit: how many there are, what the settings are called, how many run at a time, and the encoders, which are compared by content.
APART = (
    "preset",
    "training.repeats",
    "training.processes",
    "transfer.checkpoint",
    "transfer.more_checkpoints",
    "transfer.fold_checkpoints",
)


def settings_of_fits(spec: Finetune) -> dict[str, Any]:
    """The settings that make the fits of a run what they are, by their dotted names; which data and encoders they read comes on top."""
    from_random = spec.is_network and not spec.transfer.encoders
    return {
        name: value
        for name, value in settings(spec).items()
        if spec.reads(name)
        and name not in APART
        and not name.startswith("data.")
        and not (from_random and name.startswith("transfer."))
    }
