from __future__ import annotations

import numpy as np
import pytest
import torch

from moola_core.models.autoencoder import MaskedAutoencoder, draw_hidden
from moola_core.models.contrastive import Contrastive, nt_xent
from moola_core.models.encoders import make_encoder, represent
from moola_core.models.outcome import OUTCOMES, OutcomeClassifier
from moola_core.specs import Model

SMALL = Model(layers=2, hidden=4, dropout=0.5)


def test_the_answer_does_not_depend_on_what_is_hidden():
    torch.manual_seed(0)
    network = MaskedAutoencoder(3, SMALL).eval()
    x = torch.randn(4, 20, 3)
    hidden = draw_hidden((4, 20), 0.3, 4, torch.Generator().manual_seed(1))
    changed = torch.where(hidden[:, :, None], torch.randn(4, 20, 3) * 100, x)
    assert torch.equal(network(x, hidden), network(changed, hidden))
    shown = torch.zeros_like(hidden)
    assert not torch.allclose(network(x, shown), network(changed, shown))


@pytest.mark.parametrize("block", [1, 5, 20])
def test_the_share_of_hidden_bars_is_the_one_asked_for_at_every_bar(block):
    hidden = draw_hidden((20_000, 105), 0.15, block, torch.Generator().manual_seed(3)).float()
    assert hidden.mean() == pytest.approx(0.15, abs=0.003)
    assert (hidden.mean(0) - 0.15).abs().max() < 0.015


def test_hidden_runs_are_at_most_as_long_as_blocks_that_meet():
    hidden = draw_hidden((2000, 105), 0.02, 4, torch.Generator().manual_seed(5)).numpy()
    edges = np.diff(np.pad(hidden.astype(int), ((0, 0), (1, 1))), axis=1)
    lengths = np.argwhere(edges == -1)[:, 1] - np.argwhere(edges == 1)[:, 1]
    assert np.mean(lengths <= 4) > 0.95 and set(range(1, 5)) <= set(lengths)


def test_nt_xent_is_the_cross_entropy_of_finding_the_other_view():
    views = torch.nn.functional.normalize(torch.randn(10, 6, generator=torch.Generator().manual_seed(2)), dim=1)
    first, second = views[:5], views[5:]
    found = nt_xent(first, second, 0.3)
    for i in range(10):
        partner = (i + 5) % 10
        scores = {j: float(views[i] @ views[j]) / 0.3 for j in range(10) if j != i}
        slow = -scores[partner] + np.log(sum(np.exp(value) for value in scores.values()))
        assert float(found[i]) == pytest.approx(slow, abs=1e-5)


def test_networks_give_the_shapes_that_they_promise():
    x = torch.randn(3, 12, 5)
    vectors = Contrastive(5, SMALL, 7)(x)
    assert vectors.shape == (3, 7) and torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-6)
    assert OutcomeClassifier(5, SMALL)(x).shape == (3, len(OUTCOMES))
    encoder = make_encoder(5, SMALL)
    assert torch.equal(represent(encoder, x, batch=2), represent(encoder, x)) and represent(encoder, x).shape == (3, 8)
