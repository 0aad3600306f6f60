"""Runs of kinds that earlier versions carried out: their results open, and nothing computes them any more."""

from __future__ import annotations

from typing import Any

from moola_core.errors import SpecError

PLAN = "plan"


def refuse(spec: Any) -> None:
    """Raise SpecError for a plan of an earlier version, with the command that starts it anew."""
    if spec.kind != PLAN:
        return
    bars = f" --bars {spec.data.bars}" if spec.data.bars else ""
    raise SpecError(
        "a plan of an earlier version cannot be started or resumed; its results can still be read.",
        where="kind plan",
        hint=f"Start it anew with `moola plan --windows {spec.data.windows}{bars} --preset {spec.preset}`; fits that are the same are taken over.",
    )
