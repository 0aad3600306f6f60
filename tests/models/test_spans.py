"""Scores of spans against loops over every span."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moola_core.models.multitask import MultiTask
from moola_core.models.spans import (
    LENGTH_BINS,
    PLACE_BINS,
    around_weights,
    bar_probabilities,
    expected_pointer,
    log_priors,
    predict_spans,
    span_loss,
    span_probabilities,
    span_scores,
)
from moola_core.specs import Model, change

BARS = 9
SPANS = [(s, d) for s in range(BARS) for d in range(BARS - s)]


@pytest.fixture
def given():
    torch.manual_seed(0)
    shapes = ((2, 3, BARS, 3), (2, 1, LENGTH_BINS), (2, 1, PLACE_BINS))
    bars, length, place = (torch.randn(shape, dtype=torch.double) for shape in shapes)
    return bars, length, place, span_scores(bars, length, place)


def test_the_score_of_a_span_is_the_sum_of_its_parts(given):
    bars, length, place, scores = given
    for s, d in SPANS:
        parts = bars[..., s, 0] + bars[..., s + d, 1] + bars[..., s : s + d + 1, 2].sum(-1)
        at = min((2 * s + d) * PLACE_BINS // (2 * BARS), PLACE_BINS - 1)
        expected = parts + length[..., d * LENGTH_BINS // BARS] + place[..., at]
        torch.testing.assert_close(scores[..., s, d], expected)
    outside = [scores[..., s, d].max() for s in range(BARS) for d in range(BARS) if s + d >= BARS]
    assert max(outside) < -1000


def test_probabilities_of_bars_and_the_expected_pointer_add_up_over_spans(given):
    scores = given[-1]
    p = span_probabilities(scores)
    expected, center, length = torch.zeros(2, 3, BARS, 3, dtype=torch.double), 0, 0
    for s, d in SPANS:
        own = p[..., s, d]
        expected[..., s, 0] += own
        expected[..., s + d, 1] += own
        expected[..., s : s + d + 1, 2] += own[..., None]
        center, length = center + own * (s + d / 2) / BARS, length + own * d / BARS
    torch.testing.assert_close(bar_probabilities(p), expected)
    torch.testing.assert_close(expected_pointer(p), torch.stack([center, length], dim=-1))


def test_the_bars_around_a_certain_span_are_those_before_inside_and_after():
    bars = torch.zeros(60, 3)
    bars[35, 0] = bars[38, 1] = 1.0
    bars[35:39, 2] = 1.0
    weights = around_weights(bars).numpy()
    for column, rows in enumerate((range(35, 39), range(25, 35), range(39, 49), range(5, 35), range(39, 60))):
        assert np.flatnonzero(weights[:, column] > 0).tolist() == list(rows)
    np.testing.assert_allclose(weights.sum(0), [1, 1, 1, 1, 21 / 30], rtol=1e-5)


def test_the_loss_is_the_cross_entropy_of_the_labelled_span(given):
    scores = given[-1]
    pointer = (
        torch.tensor([[4.5, 3.0], [np.nan, np.nan], [2.0, 0.0]], dtype=torch.double) / BARS
    )  # spans (3, 6), none, (2, 2)
    log_p = torch.log_softmax(scores.flatten(-2), -1).view(scores.shape)
    expected = -(log_p[:, 0, 3, 3] + log_p[:, 2, 2, 0]) / 2
    torch.testing.assert_close(span_loss(scores, pointer.expand(2, 3, 2)), expected)
    nothing = torch.full((2, 3, 2), torch.nan, dtype=torch.double)
    torch.testing.assert_close(span_loss(scores, nothing), torch.zeros(2, dtype=torch.double))


def test_priors_are_largest_where_the_labels_are():
    pointer = torch.tensor([[0.5, 0.1], [0.52, 0.12], [0.48, 0.11], [torch.nan, torch.nan]])
    length, place = log_priors(pointer)
    assert abs(int(length.argmax()) / LENGTH_BINS - 0.11) < 0.01 and abs(int(place.argmax()) / PLACE_BINS - 0.5) < 0.03
    assert length.max() <= 0 and length.min() > -5


def test_predictions_are_whole_spans_with_their_probability(given):
    scores = given[-1][0]
    spans = predict_spans(scores)
    p = torch.softmax(scores.flatten(-2), -1).view(scores.shape).numpy()
    for row in range(3):
        start, end = spans.span[row].astype(int)
        near = sum(p[row, s, d] for s, d in SPANS if abs(s + d / 2 - (start + end) / 2) <= 3)
        assert spans.p_span[row] == pytest.approx(near, abs=1e-9)
        s, e, most = spans.best[row, 0]
        assert most == pytest.approx(p[row].max()) and p[row, int(s), int(e - s)] == pytest.approx(most)


def test_aligned_tasks_share_the_encoder_alone_and_need_spans():
    model = MultiTask(4, 2, Model(hidden=6, pointer="span", class_input="aligned", pooling="attention"))
    assert model.shared().keys() == {f"encoder.{name}" for name, _ in model.encoder.named_parameters()}
    with pytest.raises(Exception, match=r"set model\.pointer=span"):
        change(Model(), {"class_input": "aligned"})
