"""The check of the grades that are left out: known before anything is trained."""

from __future__ import annotations

from moola_core.diagnostics.doctor.check import WARNING, Case, Check, fix_spec, register
from moola_core.diagnostics.results import Finding
from moola_core.specs import Data


@register
class FirstGradesExcluded(Check):
    """Grades of one letter that are left out come before all that take part. Reads `excluded_grades` and `grades`, those that take part."""

    id, title = "first_grades_excluded", "The first grades are left out, and later ones take part"
    kinds = ("finetune",)
    invalidates = ("macro F1", "comparisons with other runs")

    def judge(self, case: Case) -> Finding | None:
        left_out, kept = (
            tuple(g.strip().upper() for g in case[name] if g.strip()) for name in ("excluded_grades", "grades")
        )
        letters = all(len(grade) == 1 and grade.isalpha() for grade in (*left_out, *kept))
        if not left_out or not kept or not letters or max(left_out) >= min(kept):
            return None
        usual = Data.model_fields["exclude_grades"].default
        return self.finding(
            WARNING,
            f"The {case['n_windows']} windows that take part are of grade {', '.join(kept)}; those of grade {', '.join(left_out)} are left out.",
            {"settings": ["data.exclude_grades"], "left_out": left_out, "kept": kept, "n_windows": case["n_windows"]},
            "data.exclude_grades names the grades to leave out, not those to keep. If A is your best grade, name the others.",
            fix_spec(case, {"data.exclude_grades": usual}),
        )
