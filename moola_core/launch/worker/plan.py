"""The plan: study after study, each decision kept with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moola_core import studies
from moola_core.diagnostics import gates
from moola_core.diagnostics import plan as rules
from moola_core.diagnostics.results import Comparison, Decision, PlanReport
from moola_core.errors import MoolaError, RunError
from moola_core.launch.worker.relay import ProgressCallback
from moola_core.launch.worker.study import Children, Execute, untrained
from moola_core.runs.checkpoints import with_settings
from moola_core.runs.codec import restore
from moola_core.runs.store import Run, utcnow_iso
from moola_core.specs import Plan

WHO = "rule of the plan"


def work(run: Run, listen: ProgressCallback | None, execute: Execute) -> None:
    """Run the phases in their order. An interrupted plan finds its studies again.

    Raises RunError when not a single study could be carried out, and at least one was tried.
    """
    spec: Plan = run.spec
    made = Children(run, listen, execute, spec.preset)
    seen: dict[str, Comparison] = {}
    decisions: list[Decision] = []
    changes = dict(spec.changes)
    for i, name in enumerate(rules.PHASES):
        run.update(progress={"done": i, "total": len(rules.PHASES), "epochs": 1, "unit": "studies"})
        why = rules.skip(name, seen, bool(spec.data.bars) or (name == "transfer" and bool(spec.checkpoint)))
        if why:
            decisions.append(Decision(name, "skipped", why, "", "", "", WHO, utcnow_iso()))
            continue
        try:
            checkpoint = spec.checkpoint if name == "transfer" else ""
            own = with_settings(checkpoint, run.store_root, _of(name, changes, spec))
            given = spec.data.model_dump(), own, checkpoint
            child = made.get(f"study {name}", studies.study(name, spec.preset, *given), f"plan: {name}")
        except MoolaError as error:
            run_id = run.record.counts.get("children", {}).get(f"study {name}", "")
            decisions.append(Decision(name, "failed", str(error), "", "", run_id, WHO, utcnow_iso()))
            continue
        comparison = restore(Comparison, child.result("comparison"))
        missing = untrained(child)
        if not missing:  # of arms that were not trained nothing follows
            seen[name] = comparison
        taken, settings = _taken_over(name, child, comparison)
        changes |= settings
        branch = "ran in part" if missing else "ran"
        decisions.append(
            Decision(name, branch, _reason(name, missing), comparison.sentence, taken, child.id, WHO, utcnow_iso())
        )
        _write(run, decisions, seen)
    _write(run, decisions, seen)
    failed = [row for row in decisions if row.branch == "failed"]
    if failed and not any(row.branch.startswith("ran") for row in decisions):
        raise RunError(
            f"no study of the plan could be carried out. The first, {failed[0].study}, failed with: {failed[0].reason}",
            where=f"run {run.id}",
            hint="Correct that and start the plan again.",
        )


def _of(name: str, changes: Mapping[str, Any], spec: Plan) -> dict[str, Any]:
    """The settings that concern the study: those of pre-training only where it pre-trains."""
    pretrains = name in studies.PRETRAINED and not (name == "transfer" and spec.checkpoint)
    return {key: value for key, value in changes.items() if pretrains or not key.startswith("pretrain.")}


def _taken_over(name: str, child: Run, comparison: Comparison) -> tuple[str, dict[str, Any]]:
    """The arm that helped with the settings that the following studies take over from it, and these; empty when there are none.

    How an arm was pre-trained and transferred stays its study's own: that is what the study compares.
    """
    best = rules.adopt(name, comparison)
    arm = next((arm for arm in child.spec.arms if arm.name == best), None)
    changes = {key: value for key, value in arm.changes.items() if not key.startswith("transfer.")} if arm else {}
    listed = ", ".join(f"{key}={_shown(value)}" for key, value in changes.items())
    return (f"{best} ({listed})" if changes else ""), changes


def _shown(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _write(run: Run, decisions: list[Decision], seen: Mapping[str, Comparison]) -> None:
    thresholds = run.spec.gates
    own = gates.gates(rules.single_task(seen), rules.pretraining_verdict(seen), thresholds)
    run.write_result("plan", PlanReport(tuple(decisions), own, gates.contradictions(thresholds)))


def _reason(name: str, missing: Mapping[str, str]) -> str:
    """The question of the study, and which of its arms were not trained."""
    question = studies.NAMED[name][0]
    return f"{question} Not trained: {', '.join(missing)}." if missing else question
