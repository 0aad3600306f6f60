"""The plan: study after study, each decision kept with its reason."""

from __future__ import annotations

from moola_core import studies
from moola_core.diagnostics import plan as rules
from moola_core.diagnostics.results import Comparison, Decision, PlanReport
from moola_core.errors import MoolaError
from moola_core.launch.worker.relay import Listen
from moola_core.launch.worker.study import CarryOut, Children
from moola_core.runs.codec import restore
from moola_core.runs.store import Run, now
from moola_core.specs import Plan

WHO = "rule of the plan"


def work(run: Run, listen: Listen | None, carry_out: CarryOut) -> None:
    """Run the phases in their order. An interrupted plan finds its studies again."""
    spec: Plan = run.spec
    made = Children(run, listen, carry_out, spec.preset)
    seen: dict[str, Comparison] = {}
    decisions: list[Decision] = []
    changes, baseline = dict(spec.changes), None
    for i, name in enumerate(rules.PHASES):
        run.update(progress={"done": i, "total": len(rules.PHASES), "epochs": 1, "unit": "studies"})
        why = rules.skip(name, seen, bool(spec.data.bars))
        if why:
            decisions.append(Decision(name, "skipped", why, "", "", "", WHO, now()))
            continue
        try:
            asked = studies.study(name, spec.preset, spec.data.model_dump(), changes, spec.checkpoint)
            child = made.get(f"study {name}", asked, f"plan: {name}")
        except MoolaError as error:
            decisions.append(Decision(name, "failed", str(error), "", "", "", WHO, now()))
            continue
        found = restore(Comparison, child.result("comparison"))
        seen[name] = found
        taken = rules.adopt(name, found)
        if taken:
            arm = next(arm for arm in asked.arms if arm.name == taken)
            # The schedule stays each study's own: it belongs to the arms that compare it.
            changes |= {key: value for key, value in arm.changes.items() if not key.startswith("transfer.")}
        decisions.append(Decision(name, "ran", _reason(name), found.sentence, taken, child.id, WHO, now()))
        baseline = _baseline(found) if baseline is None else baseline
        run.write_result("plan", PlanReport(tuple(decisions), rules.gates(baseline), rules.CONTRADICTION))
    run.write_result("plan", PlanReport(tuple(decisions), rules.gates(baseline), rules.CONTRADICTION))


def _reason(name: str) -> str:
    return studies.NAMED[name][0]


def _baseline(found: Comparison) -> float | None:
    return next((arm.metrics.get("f1_macro") for arm in found.arms if arm.name == found.against), None)
