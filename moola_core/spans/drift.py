"""The move through a span next to its length: a matched filter, which finds a drift in noise."""

from __future__ import annotations

import numpy as np

from moola_core.spans.candidates import Candidates


def move_through(opened: np.ndarray, close: np.ndarray, spans: Candidates) -> np.ndarray:
    """From the open of the first bar to the close of the last, shape (n, S); opened, close: shape (n, K), in any unit."""
    return close[:, spans.end] - opened[:, spans.start]


def per_root_bar(move: np.ndarray, spans: Candidates) -> np.ndarray:
    """Size of the move over the root of the span's length in bars, shape (n, S)."""
    return np.abs(move) / np.sqrt(np.maximum(spans.length, 1))
