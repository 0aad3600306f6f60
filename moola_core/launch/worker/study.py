"""A study: its pre-trainings, its arms one after another, each an ordinary run, and their comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from moola_core.errors import MoolaError, RunError
from moola_core.launch.ray_jobs import RayLauncher, side_by_side
from moola_core.launch.worker import ahead, compare, diagnose
from moola_core.launch.worker.children import Children, Execute
from moola_core.launch.worker.held_out import FoldPretrainings
from moola_core.launch.worker.labelled import load_labelled
from moola_core.launch.worker.relay import ProgressCallback
from moola_core.runs import source_fits
from moola_core.runs.arms import untrained
from moola_core.runs.store import Run
from moola_core.specs import Arm, Diagnose, Pretrain, Study
from moola_core.specs.study import name_of_first


def work(run: Run, listen: ProgressCallback | None, execute: Execute) -> None:
    """Make every run of the study that is not made yet, then compare them. execute: begins a run, or goes on with one."""
    spec: Study = run.spec
    if not run.record.facts.children:
        sizes = ahead.refuse(spec, run.store_root)
        run.update(facts=replace(run.record.facts, sizes=sizes))
    facts = replace(run.record.facts, untrained={})
    run.update(warnings=spec.notes, facts=facts)  # an interrupted study works out again which arms it leaves out
    made = Children(run, listen, execute, spec.name)
    run.update(progress={"done": 0, "total": len(spec.arms), "epochs": 1, "unit": "arms"})
    arms: dict[str, Run] = {}
    pretrainings = FoldPretrainings(spec, run.store_root / "cache")
    cluster = side_by_side(run)
    if cluster is not None:
        _all_at_once(cluster, made, pretrainings)
    for i, arm in enumerate(spec.arms):
        try:
            before = [made.done(one) for one in _before(arm.name, made, pretrainings)]
            own = spec.spec_of(arm.name, *_starts(before))
            arms[arm.name] = made.get(f"arm {arm.name}", own, f"{spec.name}: {arm.name}")
        except MoolaError as error:
            _give_up(run, spec, arm, error)
        run.update(progress={"done": i + 1, "total": len(spec.arms), "epochs": 1, "unit": "arms"})
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


def _all_at_once(cluster: RayLauncher, made: Children, pretrainings: FoldPretrainings) -> None:
    """Carry out first what arms start from, then every arm, side by side on the cluster."""
    spec = pretrainings.study
    encoders = {arm.name: list(_before(arm.name, made, pretrainings)) for arm in spec.arms}
    cluster.execute(list({run.id: run for own in encoders.values() for run in own}.values()))
    ready = []
    for arm in spec.arms:
        if all(run.record.state == "done" for run in encoders[arm.name]):
            arm_spec = spec.spec_of(arm.name, *_starts(encoders[arm.name]))
            ready.append(made.child(f"arm {arm.name}", arm_spec, f"{spec.name}: {arm.name}"))
    cluster.execute(ready)


def _before(arm: str, made: Children, pretrainings: FoldPretrainings) -> Iterator[Run]:
    """The runs that an arm starts from: its pre-trainings, or the one whose fits its own start from; arms with the same ones share them."""
    first = pretrainings.study.first_of(arm)
    if first is not None:
        yield made.child(name_of_first(first), first, f"{made.title}: first")
    yield from (made.encoder_of(one) for one in pretrainings.of(arm))


def _starts(before: Sequence[Run]) -> list[str]:
    """What the fits of an arm start from, as `transfer.checkpoint` names it: pre-trainings, or each fit of a fine-tuning run."""
    if [run.record.kind for run in before] == ["finetune"]:
        return source_fits.fits_of(before[0])
    return [run.id for run in before]


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
