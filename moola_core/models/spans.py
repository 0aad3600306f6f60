"""Scores of spans from scores of bars: a softmax over every span of a window (a semi-Markov field of one segment, Sarawagi and Cohen 2004).

Functions take any leading dimensions, so that one network and many at once share them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from moola_core.spans.decoding import SpanPrediction, predict_dense

LENGTH_BINS, PLACE_BINS = 512, 64
NEVER = -1e4
FLOOR = 0.02  # share of a flat prior in those of length and place
PLACE_STD = 0.05  # of the window: how far the place prior reaches around each labelled center
PARTS = 5  # inside, and before and after at two reaches
REACH = (10, 30)  # bars before and after a span that the class may be read from


def span_scores(bars: Tensor, length_prior: Tensor, place_prior: Tensor) -> Tensor:
    """The score of the span that begins at bar s and is d bars longer than one, shape [..., K, K]; very low where it leaves the window.

    bars [..., K, 3]: scores of each bar to be the first, to be the last and to lie inside; length_prior [..., 512], place_prior [..., 64]:
    logarithms by length and center as fractions of the window, broadcast against the windows.
    """
    count = bars.shape[-2]
    first, length = torch.arange(count, device=bars.device)[:, None], torch.arange(count, device=bars.device)[None]
    last = first + length
    inside = torch.nn.functional.pad(bars[..., 2].cumsum(-1), (1, 0))
    end = last.clamp(max=count - 1)
    score = bars[..., 0, None] + bars[..., 1][..., end] + inside[..., end + 1] - inside[..., :-1, None]
    by_length = length_prior[..., length[0] * LENGTH_BINS // count][..., None, :]
    by_place = place_prior[..., ((2 * first + length) * PLACE_BINS // (2 * count)).clamp(max=PLACE_BINS - 1)]
    return (score + by_length + by_place).masked_fill(last >= count, NEVER)


def span_loss(scores: Tensor, pointer: Tensor) -> Tensor:
    """Mean cross-entropy [...] of the labelled spans; scores [..., b, K, K], pointer (center, length) [..., b, 2], nan where unknown."""
    count = scores.shape[-1]
    known = ~torch.isnan(pointer[..., 0])
    safe = torch.nan_to_num(pointer) * count
    length = safe[..., 1].round().clamp(0, count - 1)
    first = (safe[..., 0] - length / 2).round().clamp(min=0)
    place = (torch.minimum(first, count - 1 - length) * count + length).long()
    flat = scores.flatten(-2)
    loss = torch.logsumexp(flat, -1) - flat.gather(-1, place[..., None])[..., 0]
    return (loss * known).sum(-1) / known.sum(-1).clamp(min=1)


def span_probabilities(scores: Tensor) -> Tensor:
    """The softmax of scores over all spans of a window, [..., K, K]."""
    return torch.softmax(scores.flatten(-2), -1).view(scores.shape)


def expected_pointer(p: Tensor) -> Tensor:
    """Mean center and length as fractions of the window under probabilities p [..., K, K] of spans, [..., 2]."""
    count = p.shape[-1]
    bar = torch.arange(count, device=p.device, dtype=p.dtype)
    first, length = (p.sum(-1) * bar).sum(-1), (p.sum(-2) * bar).sum(-1)
    return torch.stack([first + length / 2, length], dim=-1) / count


def bar_probabilities(p: Tensor) -> Tensor:
    """Probability of each bar to be the first, to be the last and to lie inside, [..., K, 3], under p [..., K, K] of spans."""
    count = p.shape[-1]
    start = p.sum(-1)
    bar = torch.arange(count, device=p.device)
    last = (bar[:, None] + bar[None]).clamp(max=count - 1).flatten()
    end = torch.zeros_like(start).index_add(-1, last, p.flatten(-2))
    inside = start.cumsum(-1) - torch.nn.functional.pad(end.cumsum(-1), (1, 0))[..., :-1]
    return torch.stack([start, end, inside.clamp(0, 1)], dim=-1)


def around_weights(bars: Tensor) -> Tensor:
    """Weights [..., K, 5] that each sum to at most 1: of the bars inside, and of those within 10 and 30 before and after the span.

    bars [..., K, 3]: `bar_probabilities`. A class head reads the sequence under each of them.
    """
    start, end, inside = bars.unbind(-1)
    parts = [inside / inside.sum(-1, keepdim=True).clamp(min=1e-6)]
    for reach in REACH:
        # A bar lies before when the span starts within the next `reach` bars, and after when it ended within the last ones.
        until = torch.nn.functional.pad(start.cumsum(-1), (0, reach), value=0.0)
        until[..., -reach:] = until[..., -reach - 1, None]
        since = torch.nn.functional.pad(end.cumsum(-1), (reach + 1, 0))
        parts += [
            (until[..., reach:] - until[..., :-reach]) / reach,
            (since[..., reach:-1] - since[..., : -reach - 1]) / reach,
        ]
    return torch.stack(parts, dim=-1)


def log_priors(pointer: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms of the priors of length [512] and place [64] that training pointers (center, length) [n, 2] give; nan is left out."""
    known = pointer[~torch.isnan(pointer).any(1)].double().cpu()
    length_at = (torch.arange(LENGTH_BINS).double() + 0.5) / LENGTH_BINS
    place_at = (torch.arange(PLACE_BINS).double() + 0.5) / PLACE_BINS
    if not len(known):
        return torch.zeros(LENGTH_BINS), torch.zeros(PLACE_BINS)
    width = max(float(known[:, 1].std(unbiased=False)) * len(known) ** -0.2, 0.005)  # Scott's rule
    return (
        _log_density(length_at, known[:, 1] + 0.5 / LENGTH_BINS, width),
        _log_density(place_at, known[:, 0], PLACE_STD),
    )


def _log_density(at: Tensor, known: Tensor, width: float) -> Tensor:
    """Logarithm of a kernel density with a flat share, relative to its largest value."""
    density = torch.exp(-0.5 * ((at[:, None] - known) / width) ** 2).mean(1)
    density = (1 - FLOOR) * density / density.max() + FLOOR
    return density.log().float()


def predict_spans(scores: Tensor) -> SpanPrediction:
    """What scores of spans [m, K, K] say, by their softmax."""
    return predict_dense(span_probabilities(scores.double()).cpu().numpy())
