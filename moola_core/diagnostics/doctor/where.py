"""The check of where in the data a run fails: parts of the windows whose class it does not tell, while it tells that of the rest."""

from __future__ import annotations

from moola_core.diagnostics.doctor.check import WARNING, Case, Check, register
from moola_core.diagnostics.results import Finding

RATE = 0.05  # false discoveries among the parts that are named
AT_CHANCE, READ = 0.55, 0.7  # AUROC inside and outside of a part whose labels say nothing while the others do


@register
class WeakPart(Check):
    """A part of the windows whose labels are at chance. Reads `weak_slices`."""

    id, title = "weak_part", "Labels at chance in one part of the windows"
    kinds = ("finetune",)
    after = ("unusual_data", "unusual_labels")
    diagnostic = "errors"

    def judge(self, case: Case) -> Finding | None:
        weak = [one for one in case["weak_slices"] if one.q <= RATE and one.what == "class"]
        broken = [one for one in weak if one.inside <= AT_CHANCE and one.outside >= READ]
        if not broken:
            return None
        first = broken[0]
        return self.finding(
            WARNING,
            f"In {first.n} windows ({first.part}) the labels are at chance, AUROC {first.inside:.2f}; elsewhere it is {first.outside:.2f}. "
            f"False discovery rate {first.q:.2g} over {len(case['weak_slices'])} parts searched.",
            {
                "parts": {one.part: {"inside": one.inside, "outside": one.outside} for one in broken[:6]},
                "windows": list(first.windows),
            },
            "Look at the labels of these windows: who set them, when, and by which rule? Leave them out, or label them again.",
        )
