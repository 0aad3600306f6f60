"""The check of where in the data a run fails: parts of the windows in which the class or the pointer is worse than in the rest."""

from __future__ import annotations

from moola_core.diagnostics.doctor.check import INFO, WARNING, Case, Check, register
from moola_core.diagnostics.results import Finding

RATE = 0.05  # false discoveries among the parts that are named
AT_CHANCE, READ = 0.55, 0.7  # AUROC inside and outside of a part whose labels say nothing while the others do


@register
class WeakPart(Check):
    """A part of the windows in which the run is worse than in the rest. Reads `weak_slices`."""

    id, title = "weak_part", "Worse in one part of the windows"
    kinds = ("finetune",)
    after = ("unusual_data", "unusual_labels")
    diagnostic = "errors"

    def judge(self, case: Case) -> Finding | None:
        weak = [one for one in case["weak_slices"] if one.q <= RATE]
        if not weak:
            return None
        broken = [one for one in weak if one.what == "class" and one.inside <= AT_CHANCE and one.outside >= READ]
        first = (broken or weak)[0]
        score = (
            f"AUROC is {first.inside:.2f}, elsewhere {first.outside:.2f}"
            if first.what == "class"
            else f"centers are {first.inside:.1f} bars off, elsewhere {first.outside:.1f}"
        )
        return self.finding(
            WARNING if broken else INFO,
            f"In {first.n} windows ({first.part}) {score}; false discovery rate {first.q:.2g} over {len(case['weak_slices'])} parts searched.",
            {
                "parts": {
                    f"{one.part}, {one.what}": {"inside": one.inside, "outside": one.outside} for one in weak[:6]
                },
                "windows": list(first.windows),
            },
            "Look at the labels of these windows: who set them, when, and by which rule? Leave them out, or label them again."
            if broken
            else "Trust its predictions for such windows less, and label more of them.",
        )
