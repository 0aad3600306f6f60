"""Ways to add the losses of the two tasks: one file each, registered by name."""

from moola_core.registry import import_members
from moola_core.training.weightings.weighting import WEIGHTINGS, Weighting, make_weighting, plain_state

__all__ = ["WEIGHTINGS", "Weighting", "make_weighting", "plain_state"]

import_members(__name__, __path__)
