"""What a diagnostic says in a sentence or two, on pages and in reports alike."""

from __future__ import annotations

from dataclasses import dataclass

from moola_core.diagnostics.results import Balance, Learned, Transferred

STARVED = 0.1  # share of the other task's gradient below which a task is starved


@dataclass(frozen=True)
class Verdict:
    """The `headline` to be set in bold, and the `rest`; either may be empty. learned: whether something was."""

    headline: str
    rest: str = ""
    learned: bool = False


def of_learned(result: Learned) -> Verdict:
    """Whether pre-training learned anything."""
    if result.masked_mae is not None:
        mean, best = result.trivial["feature_mean"], min(result.trivial.values())
        if result.covered_mae is not None and result.covered_mae > 1.5 * result.masked_mae:
            return Verdict(
                "The target was visible.",
                f"With the hidden bars covered the error is {result.covered_mae:.3f}, not {result.masked_mae:.3f}: "
                "the network copied its input.",
            )
        if result.masked_mae < best:
            share = 1 - result.masked_mae / mean
            return Verdict(
                "It learned something.",
                f"Its error at hidden bars is {share:.0%} below that of the feature mean.",
                True,
            )
        return Verdict("It learned nothing that the feature mean or the last visible bar does not know.")
    better = [m for m in result.measures if (m.value < m.trivial) == (m.better == "lower")]
    if len(better) == len(result.measures):
        return Verdict("It learned something.", "Every figure below is better than without learning.", True)
    return Verdict("It learned little.", "Not every figure below is better than without learning.")


def of_balance(found: Balance) -> Verdict:
    """Whether one task starved."""
    if not found.shared_parameters:
        return Verdict(
            "", "The tasks share no trained parameter: neither σ nor PCGrad can change what one does to the other."
        )
    if found.gradient_ratio is not None and found.gradient_ratio < STARVED:
        return Verdict(
            "The pointer is starved.",
            f"Its gradient is {found.gradient_ratio:.1%} of the class's where both train the same parameters. "
            "Try `loss.weighting=equal`, or a fixed `loss.lambda_pointer` of 10 or more.",
        )
    if found.gradient_ratio is not None and found.gradient_ratio > 1 / STARVED:
        return Verdict(
            "The class is starved.",
            f"The pointer's gradient is {found.gradient_ratio:.0f} times as large on the shared parameters.",
        )
    return Verdict("", "Neither task is starved on the shared parameters.")


def of_transfer(found: Transferred) -> Verdict:
    """Whether a probe reads the labels better from the pre-trained encoder than from random weights."""
    scores = {score.representation: score for score in found.probe.scores}
    before, random = scores["pre-trained"], scores["random weights"]
    gap = before.mean - random.mean
    spread = max(before.std, random.std, 0.01)
    if gap > 2 * spread:
        return Verdict("Pre-training made the labels easier to read", "than random weights leave them.")
    if gap < -2 * spread:
        return Verdict(
            "Pre-training made the labels harder to read",
            "than random weights leave them. Do not freeze this encoder.",
        )
    return Verdict("A probe reads about as much", "from the pre-trained encoder as from random weights.")
