"""The check of settings that are far from those of every preset: known before anything is trained."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from moola_core.diagnostics.doctor.check import WARNING, Case, Check, fix_spec, register
from moola_core.diagnostics.doctor.preset_ranges import Far
from moola_core.diagnostics.doctor.suspects import reference_of, sound_pretraining
from moola_core.diagnostics.doctor.transferring import without_encoder
from moola_core.diagnostics.results import Finding
from moola_core.specs import Finetune

SHOWN = 3


@register
class FarSettings(Check):
    """Settings far from those of every preset, of the run or of the pre-training that it starts from. Reads `far_settings`, `far_in_pretraining`."""

    id, title = "far_settings", "A setting is far from those of every preset"
    kinds = ("finetune", "pretrain")
    networks_only = True

    def judge(self, case: Case) -> Finding | None:
        own: list[Far] = case["far_settings"]
        before: list[Far] = case.get("far_in_pretraining") or []
        if not own and not before:
            return None
        names = [one.name for one in own] + [f"pretrain.{one.name}" for one in before]
        words = [str(one) for one in own] + [f"in the pre-training {one}" for one in before]
        sentence = "; ".join(words[:SHOWN])
        return self.finding(
            WARNING,
            f"{sentence[0].upper()}{sentence[1:]}." if sentence.startswith("in ") else f"{sentence}.",
            {"settings": names, "values": [one.value for one in (*own, *before)]},
            "If you did not mean this, launch the run again with a preset's value. If you did, launch it with both and compare them.",
            _set_back(case, own, leave_encoder=bool(before)),
            title=f"{names[0]} is far from that of every preset"
            if len(names) == 1
            else "Settings are far from those of every preset",
        )


def _set_back(case: Case, own: list[Far], leave_encoder: bool) -> dict[str, Any] | None:
    """The run with its far settings as a sound preset has them; from random weights where the pre-training is at fault."""
    if case.spec is None:
        return None
    sound = reference_of(case.spec) if isinstance(case.spec, Finetune) else sound_pretraining()
    changes = {one.name: attrgetter(one.name)(sound) for one in own}
    if leave_encoder or case.get("pretraining_findings"):
        return without_encoder(case, changes)
    return fix_spec(case, changes)
