"""Mirrored windows against windows of mirrored prices."""

from __future__ import annotations

import numpy as np
import torch

from moola_core.features.matrix import price_path
from moola_core.training.mirror import draw, mirrored
from tests.estimators.windows import make_windows


def test_a_mirrored_path_is_the_path_of_mirrored_prices():
    prices = make_windows(6).prices
    upside_down = 500 - prices[:, :, [0, 2, 1, 3]]
    mean, std = np.array([0.1, 0.4, -0.3, 0.2]), np.array([2.0, 2.5, 1.5, 1.0])
    x, expected = ((price_path(part) - mean) / std for part in (prices, upside_down))
    one = mirrored(torch.from_numpy(x), torch.from_numpy(mean), torch.from_numpy(std))
    np.testing.assert_allclose(one, expected, atol=1e-5)
    both = mirrored(
        torch.from_numpy(x)[None].repeat(2, 1, 1, 1), *(torch.from_numpy(np.stack([a, a])) for a in (mean, std))
    )
    torch.testing.assert_close(both[1], one)
    torch.testing.assert_close(mirrored(one, torch.from_numpy(mean), torch.from_numpy(std)), torch.from_numpy(x))


def test_the_share_is_drawn():
    stream = torch.Generator().manual_seed(0)
    assert draw(0.0, 50, stream).sum() == 0 and draw(1.0, 50, stream).all()
    assert abs(draw(0.3, 20_000, stream).float().mean() - 0.3) < 0.02
