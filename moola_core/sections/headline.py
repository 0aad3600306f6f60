"""A sentence that judges a result, with what it rests on, and the registry of all kinds of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from moola_core.diagnostics.results.interval import OPPOSED, SUPPORTED, UNMEASURED, Claim, Outcome, decided
from moola_core.sections.blocks import Text


@dataclass(frozen=True)
class Headline:
    """The `headline` to be set in bold, and the `rest`; either may be empty.

    outcome: what the intervals say; claims: estimates, intervals and thresholds that it rests on. Raises ValueError where the outcome is
    supported or opposed and no claim is decided.
    """

    headline: str
    rest: str = ""
    outcome: Outcome = UNMEASURED
    claims: tuple[Claim, ...] = ()

    def __post_init__(self) -> None:
        if self.outcome in (SUPPORTED, OPPOSED) and not decided(self.claims):
            raise ValueError(f"the sentence {self.headline!r} judges, and no interval decides it.")

    @property
    def text(self) -> str:
        """The verdict as plain text."""
        return f"{self.headline} {self.rest}".strip().replace("`", "")

    @property
    def block(self) -> Text:
        """The verdict as a paragraph of a section."""
        return Text(self.rest.replace("`", ""), self.headline, claims=self.claims)


JUDGES: dict[str, Callable[..., Headline]] = {}


def judges(function: Callable[..., Headline]) -> Callable[..., Headline]:
    """Register a kind of sentence that judges; a test holds each to its interval just above and just below the threshold."""
    JUDGES[function.__name__] = function
    return function
