"""A study: its pre-trainings and its arms, each an ordinary run, several at a time on a CPU, and their comparison."""

from __future__ import annotations

from dataclasses import replace

from moola_core.errors import MoolaError, RunError
from moola_core.launch.ray_jobs import RayLauncher, side_by_side
from moola_core.launch.worker import ahead, compare, concurrent_runs, diagnose
from moola_core.launch.worker.children import Children, Execute
from moola_core.launch.worker.held_out import FoldPretrainings
from moola_core.launch.worker.labelled import load_labelled
from moola_core.launch.worker.relay import ProgressCallback
from moola_core.launch.worker.runs_of_arms import RunsOfArms
from moola_core.runs.arms import untrained
from moola_core.runs.store import Run
from moola_core.specs import Arm, Diagnose, Pretrain, Study


def work(run: Run, listen: ProgressCallback | None, execute: Execute) -> None:
    """Make every run of the study that is not made yet, then compare them. execute: begins a run, or goes on with one."""
    spec: Study = run.spec
    if not run.record.facts.children:
        sizes = ahead.refuse(spec, run.store_root)
        run.update(facts=replace(run.record.facts, sizes=sizes))
    facts = replace(run.record.facts, untrained={})
    run.update(warnings=spec.notes, facts=facts)  # an interrupted study works out again which arms it leaves out
    made = Children(run, listen, execute, spec.name)
    _report_progress(run, made)
    arms: dict[str, Run] = {}
    parts = RunsOfArms(made, FoldPretrainings(spec, run.store_root / "cache"))
    cluster = side_by_side(run)
    if cluster is not None:
        _all_at_once(cluster, parts)
    else:
        concurrent_runs.run_concurrently(parts, lambda: _report_progress(run, made))
    for arm in spec.arms:
        try:
            for before in parts.before(arm.name):
                made.done(before.make())
            arms[arm.name] = made.done(parts.arm(arm.name).make())
        except MoolaError as error:
            _give_up(run, spec, arm, error)
        _report_progress(run, made)
    _refuse_unanswered(run, spec)
    placebos = {arm: twin for arm, twin in spec.placebos.items() if arm in arms and twin in arms}
    comparison = compare.build(spec.name, arms, spec.against, spec.margin, spec.seed, placebos)
    run.write_result("comparison", comparison)
    if spec.pretrain is not None and spec.pretrainings():
        _write_shift(run, spec.pretrain)


def _write_shift(run: Run, pretrain: Pretrain) -> None:
    """Whether the labelled windows are like the bars that were pre-trained on; the sentence that says why, where that cannot be told."""
    asked = Diagnose(name="shift", data=pretrain.data, features=pretrain.features)
    try:
        run.write_result("shift", diagnose.shifted(asked, load_labelled(asked.data, asked.features)))
    except MoolaError as error:
        run.write_result("shift", {"why_not": str(error)})


def _report_progress(run: Run, made: Children) -> None:
    """How many arms are over, for whoever looks at the study's record."""
    spec, facts = run.spec, run.record.facts
    done = sum(arm.name in facts.untrained or made.is_over(f"arm {arm.name}") for arm in spec.arms)
    run.update(progress={"done": done, "total": len(spec.arms), "epochs": 1, "unit": "arms"})


def _all_at_once(cluster: RayLauncher, parts: RunsOfArms) -> None:
    """Carry out first what arms start from, then every arm, side by side on the cluster."""
    arms = parts.study.arms
    encoders = {arm.name: [part.make() for part in parts.before(arm.name)] for arm in arms}
    cluster.execute(list({run.id: run for own in encoders.values() for run in own}.values()))
    ready = [name for name, own in encoders.items() if all(run.record.state == "done" for run in own)]
    cluster.execute([parts.arm(name).make() for name in ready])


def _give_up(run: Run, spec: Study, arm: Arm, error: MoolaError) -> None:
    """A study can do without an arm, but not without the one that all are compared with."""
    if arm.name == spec.against or (isinstance(error, RunError) and "is running" in error.what):
        raise error
    record = run.record
    facts = replace(record.facts, untrained={**record.facts.untrained, arm.name: str(error)})
    run.update(warnings=(*record.warnings, f"{arm.name} is left out: {error}"), facts=facts)


def _refuse_unanswered(run: Run, spec: Study) -> None:
    """A study is done when something that it compares was trained next to the arm that all are compared with."""
    missing, apart = untrained(run), {spec.against, *spec.placebos.values()}
    asked = [arm.name for arm in spec.arms if arm.name not in apart and not arm.baseline]
    if asked and all(name in missing for name in asked):
        raise RunError(
            f"the question of the study is not answered: of {', '.join([spec.against, *asked])} only the first could be trained.",
            where=f"study {spec.name}",
            hint=f"{asked[0]} failed with: {missing[asked[0]]}",
        )
