"""Windows of bars, gathered by their first bars on the device that trains; overlapping windows are never all copied."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from moola_core.features.catalog import FEATURES, names
from moola_core.features.matrix import price_path
from moola_core.features.relativity import relativity
from moola_core.market.bars import Bars
from moola_core.specs import Features

WARMUP_BARS = 15  # the features' state needs as long to fill
SCALE_WINDOWS = 4096
RELATIVITY = tuple(feature.name for feature in FEATURES)


def linspace_subset(first: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of the windows at `first` [n], linspace_subset spaced."""
    return first[np.linspace(0, len(first) - 1, min(len(first), most)).round().astype(int)] if len(first) else first


class BarWindows:
    """What a network reads of the window at each first bar: `take` gives standardised features, `valid` their usable bars.

    matrix: the relativity columns of each bar [n, 12], which go to the device once (86 MB for 1.8M bars); None when the state
    is restarted at each window or no such column is asked for. Price columns are computed from the prices as they are needed.
    """

    def __init__(
        self, bars: Bars, matrix: np.ndarray | None, features: Features, window_bars: int, device: str = "cpu"
    ) -> None:
        self.ohlc, self.window_bars, self.device = bars.ohlc, window_bars, device
        self.features = names(features.columns)
        self.restarted = features.state == "per_window"
        self.starts = np.r_[0, bars.rolls]
        self.relative = [RELATIVITY.index(name) for name in self.features if name in RELATIVITY]
        self.standardise = features.standardise
        self.steps = torch.arange(window_bars, device=device)
        self.mean = torch.zeros(len(self.features), device=device)
        self.std = torch.ones(len(self.features), device=device)
        # A memory map cannot be handed to torch as it is: it may not be written to.
        self.matrix = torch.from_numpy(np.array(matrix)).to(device) if matrix is not None and self.relative else None

    def fit_scale(self, first: np.ndarray) -> None:
        """Take mean and standard deviation of each feature from (at most 4,096 linspace_subset spaced of) the windows at `first`."""
        if not self.standardise:
            return
        rows = self.raw(linspace_subset(first, SCALE_WINDOWS)).reshape(-1, len(self.features)).double()
        std = rows.std(0, correction=0)
        self.mean, self.std = rows.mean(0).float(), torch.where(std > 1e-8, std, torch.ones_like(std)).float()

    def take(self, first: np.ndarray) -> Tensor:
        """Standardised windows [m, K, F] float32 at the bars `first` [m]."""
        return (self.raw(first) - self.mean) / self.std

    def raw(self, first: np.ndarray) -> Tensor:
        """Windows in the features' own units."""
        if self.matrix is not None and len(self.relative) == len(self.features):
            index = torch.from_numpy(np.asarray(first)).to(self.device)[:, None] + self.steps
            window = self.matrix[index]
            return window if self.relative == list(range(len(RELATIVITY))) else window[:, :, self.relative]
        return self.of_prices(self.prices(first), None if self.matrix is None else np.asarray(first))

    def prices(self, first: np.ndarray, length_bars: int | None = None) -> np.ndarray:
        """Prices [m, K, 4] of the windows at `first`."""
        return self.ohlc[np.asarray(first)[:, None] + np.arange(length_bars or self.window_bars)]

    def of_prices(self, prices: np.ndarray, first: np.ndarray | None = None) -> Tensor:
        """Windows in the features' own units from prices [m, K, 4]; the state starts at each window's first bar.

        first: where the windows lie in the bars, for relativity columns whose state runs on.
        """
        m, length = prices.shape[:2]
        blocks: dict[str, Tensor] = {}
        if self.relative:
            if first is not None and self.matrix is not None:
                columns = self.matrix[torch.from_numpy(first).to(self.device)[:, None] + self.steps]
            else:
                flat = relativity(prices.reshape(m * length, 4), length, np.arange(m) * length)
                columns = torch.from_numpy(flat.reshape(m, length, len(RELATIVITY))).to(self.device)
            blocks |= {name: columns[:, :, i] for i, name in enumerate(RELATIVITY)}
        if len(self.relative) < len(self.features):
            path = torch.from_numpy(price_path(prices)).to(self.device)
            blocks |= {f"path_{name}": path[:, :, i] for i, name in enumerate(("open", "high", "low", "close"))}
        return torch.stack([blocks[name] for name in self.features], dim=2)

    def valid(self, first: np.ndarray) -> Tensor:
        """Which bars [m, K] have a settled state: the first 15 after the state started have not."""
        if self.restarted:
            return (self.steps >= WARMUP_BARS).expand(len(first), -1)
        start = self.starts[np.searchsorted(self.starts, first, "right") - 1]
        age = torch.from_numpy(np.asarray(first) - start).to(self.device)
        return age[:, None] + self.steps >= WARMUP_BARS
