"""Ways to add the losses of the two tasks: one file each, registered by name."""

from moola_core.training.weightings import dynamic_average, equal, fixed, uncertainty  # noqa: F401  each registers its weighting
from moola_core.training.weightings.weighting import WEIGHTINGS, Weighting, make_weighting, plain_state

__all__ = ["WEIGHTINGS", "Weighting", "make_weighting", "plain_state"]
