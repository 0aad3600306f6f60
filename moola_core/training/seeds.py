"""Independent random streams of each replicate, whatever else runs in parallel."""

from __future__ import annotations

import numpy as np

WEIGHTS, ORDER, DROPOUT, AUGMENTATION, FOLDS, LABELS, VALIDATION, PLANTED, SHUFFLED = range(9)


def stream(seed: int, repeat: int, fold: int, which: int) -> np.random.SeedSequence:
    return np.random.SeedSequence((seed, repeat, fold, which))


def generator(seed: int, repeat: int, fold: int, which: int) -> np.random.Generator:
    """A numpy generator of one stream."""
    return np.random.default_rng(stream(seed, repeat, fold, which))


def torch_seed(seed: int, repeat: int, fold: int, which: int) -> int:
    """A 63-bit seed of one stream, for torch's generators."""
    return int(stream(seed, repeat, fold, which).generate_state(1, np.uint64)[0] >> np.uint64(1))
