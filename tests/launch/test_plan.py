"""Plans: investigations in the order of the phases, carried out by the one engine; of studies that train nothing, and of small ones that do."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Iterator

import pytest

from moola_core import studies
from moola_core.cli import main
from moola_core.diagnostics.results import InvestigationReport, Step
from moola_core.errors import RunError, SpecError
from moola_core.investigation import order
from moola_core.investigation.phases import OF_BOTH_TASKS
from moola_core.investigation.question import QUESTIONS
from moola_core.investigation.questions import final
from moola_core.launch import earlier, worker
from moola_core.launch.local import LocalLauncher
from moola_core.launch.ray_jobs import RayLauncher
from moola_core.launch.worker import investigate
from moola_core.runs.codec import restore
from moola_core.runs.facts import Facts
from moola_core.runs.store import Run, Store
from moola_core.specs import Data, Investigation, Plan
from tests.app_samples import CLASS_ALONE, make_comparison

SMALL = {"epochs": 3, "folds": 2, "hidden": 4, "processes": 1}
ENCODER = {"pretrain.training.epochs": 1, "pretrain.sampling.stride_bars": 60, "pretrain.sampling.labelled": "see"}
STUDIES = ("inputs", "tasks", "losses", "gradients", "patience", "architectures")
PRETRAINING = ("pretraining", "schedules", "objectives", "pretraining-data")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "artifacts")


def only(patch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    """Let no question but these be a phase, or worth asking."""
    for name, question in QUESTIONS.items():
        if name not in names:
            patch.setattr(type(question), "phase", None)
    patch.setattr(order, "value", lambda known, question: 0.0)


@pytest.fixture(scope="module", autouse=True)
def phases_of_studies() -> Iterator[None]:
    """The phases that need nothing but their study, each asked once."""
    with pytest.MonkeyPatch.context() as patch:
        only(patch, (*STUDIES, *PRETRAINING, "final"))
        for name in (*STUDIES, *PRETRAINING, "final"):
            patch.setattr(type(QUESTIONS[name]), "rounds", (1,))
        yield


def judging(helps=(), fails=(), missing=(), hurts=(), best_epoch=5.0):
    """A worker that trains nothing: every study is done, in it the arms `helps` help, and the class alone has a score; studies of `fails` fail."""

    def execute(child: Run, listen) -> None:
        name, sample = child.spec.name, make_comparison()
        if name in fails:
            child.update(state="failed", error="The loss is not a number.")
            raise RunError("The loss is not a number.", where=f"run {child.id}")
        compared = [arm for arm in child.spec.arms if arm.name not in missing]
        arms = tuple(
            dataclasses.replace(
                sample.arms[0],
                name=arm.name,
                model=child.spec.spec_of(arm.name, "encoder").estimator,
                best_epoch=best_epoch,
                f1=CLASS_ALONE if arm.name == "class only" else None,
            )
            for arm in compared
        )
        rows = tuple(
            dataclasses.replace(
                sample.verdicts[0],
                arm=arm.name,
                against=child.spec.against,
                verdict="helps" if arm.name in helps else "hurts" if arm.name in hurts else "undecided",
            )
            for arm in compared
            if arm.name != child.spec.against
        )
        child.write_result(
            "comparison", dataclasses.replace(sample, arms=arms, verdicts=rows, against=child.spec.against)
        )
        child.update(state="done", facts=Facts(untrained=dict.fromkeys(missing, "It failed.")))

    return execute


def planned(
    store: Store, demo_files, execute, bars: bool = True, **more
) -> tuple[Run, dict[str, Step], dict[str, str]]:
    """A plan that was carried out, its steps, and why the other questions were not asked."""
    files = {"windows": str(demo_files["windows"])} | ({"bars": str(demo_files["bars"])} if bars else {})
    given = {"preset": "quick", "changes": SMALL | (ENCODER if bars else {}), "budget_s": 36_000.0} | more
    run = store.create(Investigation(data=Data(**files), order="phases", **given), name="plan")
    investigate.work(run, None, execute)
    report = restore(InvestigationReport, run.result("investigation"))
    return run, {step.question: step for step in report.steps}, {row.question: row.why for row in report.unasked}


@pytest.fixture(scope="module")
def improved(tmp_path_factory, demo_files):
    """A plan without bars in which three phases decide something."""
    helping = ("both", "no early stopping", "1×96, dropout 0.6", "logistic on both", final.TAKEN)
    return planned(Store(tmp_path_factory.mktemp("improved")), demo_files, judging(helps=helping), bars=False)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory, demo_files):
    """A plan in which pre-training helps, of 60 epochs."""
    helping, changes = ("full", "frozen", "contrastive", "active", final.TAKEN), SMALL | ENCODER | {"epochs": 60}
    return planned(Store(tmp_path_factory.mktemp("pretrained")), demo_files, judging(helps=helping), changes=changes)


def spec_of(run: Run, step: Step):
    return Store(run.store_root).open(step.run_id).spec


def test_the_phases_are_asked_in_their_order_whatever_their_answers_are_worth(improved, pretrained):
    run, steps, unasked = improved
    assert list(steps) == [*STUDIES, "final"], "features, then the two tasks, and what the answers led to at the end"
    assert all("next phase of the plan" in step.why for step in steps.values())
    assert all(unasked[name].startswith("Not answerable: there are no bars") for name in PRETRAINING)
    assert list(pretrained[1]) == [*STUDIES, *PRETRAINING, "final"]
    made = list(run.record.facts.children)
    investigate.work(run, None, judging())
    assert list(run.record.facts.children) == made, "a plan that goes on makes no study twice"


def test_every_study_has_the_settings_as_they_are_as_the_arm_that_all_are_compared_with(pretrained):
    run, steps, _ = pretrained
    for name in (*STUDIES, "pretraining", "schedules", "objectives"):
        spec = spec_of(run, steps[name])
        control = spec.spec_of(spec.against)
        assert control.model_copy(update={"transfer": spec.base.transfer}) == spec.base, name
        assert control.transfer.schedule == "none", name


def test_what_a_phase_decides_is_taken_over_by_the_next_and_shown(improved):
    run, steps, _ = improved
    assert "Taken over by the questions that follow: features.columns=relativity+price_path." in steps["inputs"].outcome
    assert "training.patience=None" in steps["patience"].outcome
    names = list(steps)
    for name in names[names.index("inputs") + 1 : names.index("final")]:
        base = spec_of(run, steps[name]).base
        assert base.features.columns == ("relativity", "price_path"), name
        assert (base.training.patience is None) == (names.index(name) > names.index("patience")), name


def test_a_simple_model_is_not_taken_over_as_a_setting_of_the_network(store, demo_files, monkeypatch):
    only(monkeypatch, ("inputs", "tasks"))
    run, steps, _ = planned(store, demo_files, judging(helps=("logistic on both",)), bars=False)
    assert "Taken over" not in steps["inputs"].outcome and steps["inputs"].answer != "another"
    assert spec_of(run, steps["tasks"]).base.is_network


def test_pretraining_that_helps_is_taken_over_with_its_schedule_objective_and_bars(pretrained):
    run, steps, _ = pretrained
    assert "transfer.schedule=full" in steps["pretraining"].outcome, "the schedule of the preset"
    assert "pretrain.objective.name=contrastive" in steps["objectives"].outcome
    schedule = spec_of(run, steps["objectives"]).spec_of("contrastive", "encoder").transfer.schedule
    assert f"transfer.schedule={schedule}" in steps["schedules"].outcome
    spec = spec_of(run, steps["final"])
    taken, own = spec.spec_of(final.TAKEN, "encoder"), spec.pretraining_of(final.TAKEN)
    assert (taken.transfer.schedule, own.objective.name, own.sampling.keep) == (schedule, "contrastive", "active")
    assert spec.spec_of(final.FIRST).transfer.schedule == "none" and spec.pretraining_of(final.FIRST) is None


def test_layers_are_unfrozen_at_the_epochs_of_the_plan_where_training_lasts_that_long(pretrained):
    run, steps, _ = pretrained
    transfer = spec_of(run, steps["schedules"]).spec_of("gradual", "encoder").transfer
    assert (transfer.last_layer_epoch, transfer.all_epoch) == (11, 21)
    assert (transfer.last_layer_lr, transfer.all_lr) == (1e-4, 1e-5)


def test_the_last_settings_are_measured_against_the_first(improved):
    run, steps, _ = improved
    spec, start = spec_of(run, steps["final"]), spec_of(run, steps["tasks"]).base
    first, taken = spec.spec_of(final.FIRST), spec.spec_of(final.TAKEN)
    assert (first.model.hidden, taken.model.hidden) == (4, 96)
    assert first.features.columns == ("relativity",) and taken.features.columns == ("relativity", "price_path")
    assert first.training.patience == start.training.patience and taken.training.patience is None
    assert (first.loss, taken.loss) == (start.loss, start.loss), "nothing else was taken over"
    assert spec.against == final.FIRST and len(spec.arms) == 2
    assert steps["final"].answer == "better" and "are better than the first" in steps["final"].outcome
    report = restore(InvestigationReport, run.result("investigation"))
    assert steps["final"].outcome in [one.text for one in report.conclusion]


@pytest.mark.parametrize(
    ("words", "answer"),
    [({"helps": (final.TAKEN,)}, "better"), ({"hurts": (final.TAKEN,)}, "worse"), ({}, "undecided")],
)
def test_the_end_is_said_as_it_came_out(store, demo_files, monkeypatch, words, answer):
    only(monkeypatch, ("inputs", "final"))
    words = words | {"helps": ("both", *words.get("helps", ()))}
    _, steps, _ = planned(store, demo_files, judging(**words), bars=False)
    assert steps["final"].answer == answer


def test_where_nothing_was_taken_over_there_is_no_end_to_measure(store, demo_files, monkeypatch):
    only(monkeypatch, ("inputs", "final"))
    _, steps, unasked = planned(store, demo_files, judging(), bars=False)
    assert "final" not in steps and "no answer changed a setting" in unasked["final"]


def test_phases_that_the_rules_make_pointless_are_skipped_with_their_reason(store, demo_files, monkeypatch):
    only(monkeypatch, ("tasks", *OF_BOTH_TASKS, "patience", "pretraining", "objectives", "pretraining-data"))
    _, steps, unasked = planned(store, demo_files, judging(hurts=("class only",), best_epoch=18.0))
    assert "the tasks do not interfere" in unasked["losses"] and "the tasks do not interfere" in unasked["gradients"]
    assert "did the median fit stop early" in unasked["patience"] and unasked["patience"].startswith("Skipped: ")
    assert "no pre-training task was shown to help" in unasked["pretraining-data"]
    assert set(steps) == {"tasks", "pretraining", "objectives"}


def test_nothing_follows_from_studies_that_failed_or_lack_arms(store, demo_files, monkeypatch):
    only(monkeypatch, ("tasks", *OF_BOTH_TASKS, "pretraining", "objectives", "pretraining-data"))
    _, steps, _ = planned(store, demo_files, judging(missing=("masked", "supervised"), fails=("tasks",)))
    assert steps["tasks"].state == "failed" and "not a number" in steps["tasks"].outcome
    assert store.open(steps["tasks"].run_id).record.state == "failed"
    assert "losses" in steps and "gradients" in steps, "that the tasks do not interfere is not known"
    assert "Not trained: masked, supervised." in steps["objectives"].outcome
    assert "pretraining-data" in steps, "that no objective helped is not known"


def test_what_needs_a_phase_that_failed_is_not_asked(store, demo_files, monkeypatch):
    only(monkeypatch, ("inputs", *PRETRAINING))
    _, steps, unasked = planned(store, demo_files, judging(fails=("transfer",)))
    assert steps["pretraining"].state == "failed"
    assert {unasked[name] for name in PRETRAINING[1:]} == {"What it must know first was not answered."}


def test_a_plan_of_which_no_phase_could_be_carried_out_is_not_done(store, demo_files, monkeypatch):
    only(monkeypatch, ("inputs", "tasks"))
    with pytest.raises(RunError, match=r"no question could be answered.*not a number"):
        planned(store, demo_files, judging(fails=tuple(studies.NAMED)))


def test_the_class_alone_is_stated_next_to_the_threshold_for_the_pointers(store, demo_files, monkeypatch, improved):
    assert "cannot be told from 0.55, from which your rule adds the pointers" in improved[1]["tasks"].outcome
    only(monkeypatch, ("tasks",))
    own = {"pointers": 0.4, "negative_transfer": 0.45}
    run, steps, _ = planned(store, demo_files, judging(), bars=False, gates=own)
    low, high = CLASS_ALONE.interval.low, CLASS_ALONE.interval.high
    assert f"0.51 ({low:.2f} to {high:.2f}), is above 0.40" in steps["tasks"].outcome
    rows = {gate["rule"]: gate for gate in run.result("investigation")["gates"]}
    assert (rows["negative_transfer"]["threshold"], rows["negative_transfer"]["state"]) == (0.45, "above")


def test_the_command_asks_for_an_investigation_and_its_thresholds(store, demo_files, monkeypatch, capsys):
    only(monkeypatch, ("inputs", "tasks"))

    def pretend(run, resume):
        investigate.work(run, None, judging(helps=("both",)))
        run.update(state="done")

    monkeypatch.setattr("moola_core.cli.plan.execute", pretend)
    command = ["plan", "--windows", str(demo_files["windows"]), "--preset", "quick", "--store", str(store.root)]
    command += [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    assert main([*command, "--set", "gates.negative_transfer=0.45"]) == 0
    (record,) = store.runs("investigation")
    spec = store.open(record.run_id).spec
    assert spec.gates.negative_transfer == 0.45 and (spec.order, spec.budget_s) == ("phases", 36_000)
    shown = capsys.readouterr().out
    assert "0.45" in shown and "Negative transfer: abandon masked pre-training" in shown
    assert "Taken over by the questions that follow: features.columns=relativity+price_path" in " ".join(shown.split())
    assert main([*command, "--budget", "1h", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["plan_id"] == values["run_id"] and {"conclusion", "best", "steps", "next"} <= set(values)
    assert store.open(values["run_id"]).spec.budget_s == 3600
    assert main([*command, "--set", "gates.negative_transfers=0.45"]) == 2
    assert "negative_transfer" in capsys.readouterr().err


def test_a_plan_of_an_earlier_version_is_refused_and_says_how_to_start_it_anew(store, demo_files, tmp_path, capsys):
    spec = Plan(preset="quick", data=Data(windows=str(demo_files["windows"])))
    words = rf"earlier version.*moola plan --windows {demo_files['windows']} --preset quick"
    with pytest.raises(SpecError, match=words):
        LocalLauncher(store).submit(spec)
    assert not store.runs()
    cluster = object.__new__(RayLauncher)  # no cluster is asked before the spec is
    with pytest.raises(SpecError, match=words):
        cluster.submit(spec)
    old = store.create(spec, name="plan")
    old.update(state="cancelled")
    for resume in (LocalLauncher(store).resume, lambda run_id: worker.resume(store.open(run_id))):
        with pytest.raises(SpecError, match=words):
            resume(old.id)
    assert old.record.state == "cancelled", "its record stays as it was"
    for command in ("plan", "investigate"):
        assert main([command, "--resume", old.id, "--store", str(store.root)]) == 2
        assert "moola plan --windows" in capsys.readouterr().err
    path = tmp_path / "plan.json"
    path.write_text(spec.model_dump_json(), encoding="utf-8")
    assert main(["submit", str(path), "--store", str(store.root)]) == 2


def test_a_plan_has_no_engine_of_its_own(store, demo_files):
    waiting = store.create(Plan(preset="quick", data=Data(windows=str(demo_files["windows"]))), name="plan")
    with pytest.raises(SpecError, match="moola plan"):
        worker.run(waiting)
    assert waiting.record.state == "failed" and "moola plan" in waiting.record.error
    assert not waiting.record.facts.children and [one.run_id for one in store.runs()] == [waiting.id]
    jobs = [kind for kind, job in worker.JOBS.items() if "execute" in inspect.getclosurevars(job).globals]
    assert earlier.PLAN not in jobs and "investigation" in jobs


def test_only_an_investigation_goes_on_as_one(store, demo_files, capsys):
    other = store.create(studies.study("tasks", "quick", {"windows": str(demo_files["windows"])}))
    other.update(state="cancelled")
    assert main(["plan", "--resume", other.id, "--store", str(store.root)]) != 0
    assert f"moola resume {other.id}" in capsys.readouterr().err


def test_an_interrupted_plan_goes_on_from_what_was_taken_over(store, demo_files, monkeypatch):
    only(monkeypatch, ("inputs", "patience", "architectures"))
    judge = judging(helps=("both", "no early stopping"))

    def interrupted(child, listen):
        if child.spec.name == "patience":
            raise KeyboardInterrupt
        judge(child, listen)

    with pytest.raises(KeyboardInterrupt):
        planned(store, demo_files, interrupted, bars=False)
    (record,) = store.runs("investigation")
    run = store.open(record.run_id)
    investigate.work(run, None, judge)
    steps = {step.question: step for step in restore(InvestigationReport, run.result("investigation")).steps}
    training = spec_of(run, steps["architectures"]).base
    assert training.features.columns == ("relativity", "price_path") and training.training.patience is None
    assert len(store.runs("study")) == 3, "the study that was interrupted goes on, and none is made again"


def test_a_network_of_the_class_alone_is_compared_with_one_of_both_tasks(store, demo_files, monkeypatch):
    only(monkeypatch, ("tasks",))
    one = SMALL | {"model.tasks": "class", "loss.pcgrad": False}
    for words, answer in (({"hurts": ("both",)}, "apart"), ({"helps": ("both",)}, "together")):
        run, steps, _ = planned(Store(store.root / answer), demo_files, judging(**words), bars=False, changes=one)
        spec = spec_of(run, steps["tasks"])
        assert [arm.name for arm in spec.arms] == ["class only (current)", "both"] and spec.base.model.tasks == "class"
        assert steps["tasks"].answer == answer, words


def test_a_small_plan_is_carried_out(store, demo_files, monkeypatch):
    """The engine of investigations trains the phases; nothing pretends."""
    only(monkeypatch, ("tasks",))
    monkeypatch.setattr(type(QUESTIONS["data"]), "phase", 0)
    _, steps, _ = planned(store, demo_files, worker.execute, bars=False)
    assert list(steps) == ["data", "tasks"] and steps["tasks"].state in ("answered", "undecided")
    assert store.open(steps["tasks"].run_id).record.state == "done"
    outcome = steps["tasks"].outcome
    assert "class only: AUROC" in outcome and "pointers only: Center within 3 bars" in outcome, "each has a verdict"
    assert "from which your rule adds the pointers" in outcome
