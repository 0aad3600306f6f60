"""What the doctor named in the runs of an investigation: causes, and what of them a setting would correct."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from moola_core.diagnostics.results import Diagnosis, Finding
from moola_core.errors import RunError
from moola_core.investigation.known import Known
from moola_core.runs.codec import restore
from moola_core.runs.store import Run, Store
from moola_core.specs import parse, settings_diff

# These say what came out, not why.
SYMPTOMS = frozenset(
    {
        "loss_at_chance",
        "constant_folds",
        "worse_than_majority",
        "simple_model",
        "simple_arm",
        "pointers_no_better",
        "arms_differ",
        "underpowered",
        "weak_part",
    }
)
NOTE = "info"
# Changing these divides the windows otherwise, so the score before and after are not of the same test.
OF_THE_TEST = ("faults.shuffled_folds", "faults.test_fold_selection", "training.folds", "training.repeats")
# What is read of a run that these findings are about cannot be trusted.
INVALID = frozenset({"selection_on_test", "overlapping_folds"})


@dataclass(frozen=True)
class Cause:
    """A finding that is no symptom, the run that it was found in, and the settings that would correct it (empty: by hand)."""

    finding: Finding
    run_id: str
    changes: Mapping[str, Any]

    @property
    def by_hand(self) -> bool:
        return not self.changes

    @property
    def comparable(self) -> bool:
        """Whether the score before and after the correction is of the same test."""
        return not set(self.changes) & set(OF_THE_TEST)


def diagnosis_of(run: Run) -> Diagnosis | None:
    """What the doctor found in the run; None where it did not look, or could not."""
    if not (run.folder / "results" / "doctor.json").is_file():
        return None
    values = run.result("doctor")
    return None if "why_not" in values else restore(Diagnosis, values)


def looked_at(store: Store, runs: Iterable[Run]) -> Iterator[Run]:
    """The runs in which causes are looked for: these, and the pre-trainings of those that are studies, placebos left out."""
    for run in runs:
        yield run
        children = run.record.facts.children if run.record.kind == "study" else {}
        for what, run_id in children.items():
            if what.startswith("encoder"):
                with suppress(RunError):  # it was deleted since
                    encoder = store.open(run_id)
                    if not encoder.spec.sampling.shuffled:
                        yield encoder


def collected(known: Known) -> list[Cause]:
    """The causes named in all runs so far, each once, the most severe first."""
    causes: dict[str, Cause] = {}
    for run in looked_at(known.store, known.runs.values()):
        diagnosis = known.once("diagnosis", run, partial(diagnosis_of, run))
        for finding in diagnosis.findings if diagnosis else ():
            if finding.severity != NOTE and finding.check not in SYMPTOMS and finding.check not in causes:
                causes[finding.check] = Cause(finding, run.id, _changes(run, finding))
    return sorted(causes.values(), key=lambda cause: ("critical", "error", "warning").index(cause.finding.severity))


def _changes(run: Run, finding: Finding) -> dict[str, Any]:
    """The settings that the finding's spec changes in the run's; empty where it has none, or asks for another kind of run."""
    if finding.spec is None or finding.spec.get("kind") != run.spec.kind:
        return {}
    apart = settings_diff(parse(finding.spec), run.spec)
    return {name: value for name, (value, _) in apart.items() if not name.startswith("data.")}
