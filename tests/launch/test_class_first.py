"""Pointers that are added from the weights of the class alone: the study, the question, and what follows from its answer."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from moola_core import studies
from moola_core.errors import SpecError
from moola_core.investigation import beliefs, order
from moola_core.investigation.known import UNDECIDED, Answer, Facts, Known
from moola_core.investigation.question import QUESTIONS
from moola_core.investigation.questions import final, labels, networks, pretraining
from moola_core.launch import worker
from moola_core.launch.worker import ahead
from moola_core.models.checkpoint import load_weights
from moola_core.runs import facts
from moola_core.runs.facts import TakenOver
from moola_core.runs.record import run_of
from moola_core.runs.store import Run, Store
from moola_core.sections import answer
from moola_core.sections.blocks import Text
from moola_core.sections.context import ReportContext
from moola_core.specs import Arm, Data, Investigation, Study, change
from moola_core.specs.pretrain import SAW
from tests.app_samples import CLASS_ALONE, make_comparison
from tests.launch import test_plan
from tests.launch.test_plan import SMALL, judging, only, planned, spec_of

CLASS = {"model.tasks": "class", "loss.pcgrad": False}
HELPED = "from the class alone"


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "artifacts")


def asking(patch: pytest.MonkeyPatch, *names: str) -> None:
    """Let these be the only questions, each asked once."""
    only(patch, names)
    for name in names:
        patch.setattr(type(QUESTIONS[name]), "rounds", (1,))


def the_study(demo_files, **changes) -> Study:
    made = studies.study("pointers", "quick", {"windows": str(demo_files["windows"])}, SMALL | {"repeats": 1} | changes)
    return made.model_copy(update={"arms": tuple(arm for arm in made.arms if not arm.baseline)})


def finished(store: Store, spec: Study) -> Run:
    run = store.create(spec)
    worker.run(run)
    return run


def arms_of(run: Run) -> dict[str, Run]:
    store = Store(run.store_root)
    return {arm["name"]: store.open(arm["run_id"]) for arm in run.result("comparison")["arms"]}


def test_the_study_trains_the_class_alone_and_starts_each_fit_from_the_same_fit_of_it(store, demo_files):
    spec = the_study(demo_files)
    assert [arm.name for arm in spec.arms] == ["both (current)", HELPED] and spec.against == "both (current)"
    run = finished(store, spec)
    arm = arms_of(run)[HELPED]
    source = store.open(run_of(arm.spec.transfer.checkpoint))
    assert source.spec == change(spec.base, CLASS) and source.record.parent == run.id
    assert arm.spec.transfer.encoders == (f"{source.id}/000-00", f"{source.id}/000-01")
    assert arm.spec.transfer.schedule == "full" and arm.record.facts.saw == "fit"
    assert {row["arm"] for row in run.result("comparison")["verdicts"]} == {HELPED}, "the class alone is no arm"
    said = {block.strong: block.text for block in answer.answer(ReportContext(run)) if isinstance(block, Text)}
    assert said["Start."].startswith(f"Each fit starts from the encoder of a fit of {source.id}")
    assert said[answer.BEFORE] == SAW["fit"] and not [title for title in said if "pre-training" in title.lower()]
    assert said["What the verdicts are about."].endswith("with other folds and seeds."), "no pre-training is spoken of"
    run.update(state="cancelled")
    worker.resume(run)
    assert len(store.runs("finetune")) == 3, "a study that goes on makes no run twice"


@pytest.mark.usefixtures("unexamined")
def test_what_one_study_fitted_of_the_class_alone_is_what_the_other_starts_from(store, demo_files):
    data = {"windows": str(demo_files["windows"])}
    tasks = studies.study("tasks", "quick", data, SMALL | {"repeats": 1})
    tasks = tasks.model_copy(
        update={"arms": tuple(arm for arm in tasks.arms if arm.name.startswith(("both", "class")))}
    )
    alone = arms_of(finished(store, tasks))["class only"]
    arm = arms_of(finished(store, the_study(demo_files)))[HELPED]
    source = store.open(run_of(arm.spec.transfer.checkpoint))
    assert source.record.facts.taken_over == TakenOver(alone.id, 2)
    for fit, folder in alone.replicates().items():
        ours = load_weights(source.replicates()[fit] / "weights.safetensors")
        assert all(
            np.array_equal(ours[name], array) for name, array in load_weights(folder / "weights.safetensors").items()
        )


def test_arms_whose_first_run_would_not_fit_them_are_refused_and_an_arm_starts_from_one_thing(store, demo_files):
    spec = the_study(demo_files)
    larger = Arm(name="larger", changes={"transfer.schedule": "full", "model.hidden": 8}, first=CLASS)
    with pytest.raises(SpecError, match=r"arm larger.*in the run before it and in the arm, model.hidden 4 and 8"):
        ahead.refuse(spec.model_copy(update={"arms": (spec.arms[0], larger)}), store.root)
    sized = Arm(name="larger", changes=larger.changes, first=CLASS | {"model.hidden": 8})
    ahead.refuse(spec.model_copy(update={"arms": (spec.arms[0], sized)}), store.root)
    both = {"name": "x", "arms": [spec.arms[0], sized.model_copy(update={"pretraining": {}})], "against": spec.against}
    with pytest.raises(ValueError, match=r"larger has both first and pretraining|no pretrain"):
        Study(base=spec.base, **both)
    for text in ({"transfer.checkpoint": "x.pt"}, {"schedule": "gradual"}):
        with pytest.raises(SpecError, match="set it themselves"):
            the_study(demo_files, **text)


@pytest.fixture(scope="module")
def helped(tmp_path_factory, demo_files):
    """A plan in which the pointers are better added from the class alone."""
    with pytest.MonkeyPatch.context() as patch:
        names = (*test_plan.STUDIES, "pointers", "final")
        asking(patch, *names)
        helping = (HELPED, "no early stopping", "1×96, dropout 0.6", final.TAKEN)
        return planned(Store(tmp_path_factory.mktemp("helped")), demo_files, judging(helps=helping), bars=False)


def test_the_question_follows_the_tasks_and_compares_with_the_current_network(helped):
    run, steps, _ = helped
    assert list(steps) == ["inputs", "tasks", "pointers", "losses", "gradients", "patience", "architectures", "final"]
    spec = spec_of(run, steps["pointers"])
    assert spec.spec_of(spec.against) == spec.base and spec.base.model.tasks == "both"
    assert spec.first_of(HELPED) == change(spec.base, CLASS)
    assert spec.spec_of(HELPED, "encoder").transfer.schedule == "full"
    assert spec.base.training == spec_of(run, steps["tasks"]).base.training, "the same folds, seed and repeats"
    assert "fits start from those of the class alone (full)" in steps["pointers"].outcome
    assert steps["pointers"].answer == "another"
    assert steps["pointers"].outcome in [one["text"] for one in run.result("investigation")["conclusion"]]


def test_what_follows_starts_from_the_class_alone_too_and_the_end_is_measured_with_it(helped):
    run, steps, _ = helped
    for name in ("losses", "gradients", "patience", "architectures"):
        spec = spec_of(run, steps[name])
        for arm in spec.arms:
            first, own = spec.first_of(arm.name), spec.spec_of(arm.name, "encoder")
            assert first is not None and own.transfer.schedule == "full", (name, arm.name)
            assert (first.model.tasks, first.model.hidden, first.model.dropout) == (
                "class",
                own.model.hidden,
                own.model.dropout,
            )
        assert len(spec.firsts()) == (len(spec.arms) if name == "architectures" else 1), (
            "arms of one size share the class alone"
        )
        ahead.refuse(spec, run.store_root)
    spec = spec_of(run, steps["final"])
    assert spec.first_of(final.FIRST) is None and spec.spec_of(final.FIRST).transfer.schedule == "none"
    taken, first = spec.spec_of(final.TAKEN, "encoder"), spec.first_of(final.TAKEN)
    assert first is not None and taken.transfer.schedule == "full" and first.model.hidden == taken.model.hidden == 96


def test_the_plan_unfreezes_as_its_settings_say(store, demo_files, monkeypatch):
    asking(monkeypatch, "tasks", "pointers")
    for epochs, wanted in ((60, (11, 21)), (25, (11, 21)), (20, (4, 8))):
        changes = SMALL | {"epochs": epochs, "schedule": "gradual"}
        run, steps, _ = planned(Store(store.root / str(epochs)), demo_files, judging(), bars=False, changes=changes)
        transfer = spec_of(run, steps["pointers"]).spec_of(HELPED, "encoder").transfer
        assert (transfer.schedule, transfer.last_layer_epoch, transfer.all_epoch) == ("gradual", *wanted), epochs
    own = SMALL | {"epochs": 25, "schedule": "gradual", "all_epoch": 9, "last_layer_epoch": 3}
    run, steps, _ = planned(Store(store.root / "own"), demo_files, judging(), bars=False, changes=own)
    transfer = spec_of(run, steps["pointers"]).spec_of(HELPED, "encoder").transfer
    assert (transfer.last_layer_epoch, transfer.all_epoch) == (3, 9)


def test_it_is_not_asked_where_the_rule_adds_no_pointers_or_there_is_nothing_to_start_from(
    store, demo_files, monkeypatch
):
    asking(monkeypatch, "inputs", "tasks", "pointers")
    high = CLASS_ALONE.interval.high

    def asked(name, execute, **more):
        _, steps, unasked = planned(Store(store.root / name), demo_files, execute, bars=False, **more)
        return steps, unasked.get("pointers", "")

    steps, why = asked("below", judging(), gates={"pointers": high + 0.01})
    assert "pointers" not in steps and f"is below {high + 0.01:.2f}, from which your rule adds the pointers" in why
    steps, _ = asked("not told", judging(), gates={"pointers": high - 0.01})
    assert "pointers" in steps, "a score that cannot be told from the threshold forbids nothing"
    steps, why = asked("untrained", judging(missing=("class only",)))
    assert "pointers" not in steps and networks.NO_CLASS_ALONE in why
    steps, why = asked("one", judging(), changes=SMALL | {"tasks": "class", "pcgrad": False})
    assert "pointers" not in steps and "model.tasks=class" in why
    steps, why = asked("failed", judging(fails=("tasks",)))
    assert "pointers" not in steps and why == "What it must know first was not answered."


@pytest.mark.usefixtures("unexamined")
def test_a_small_investigation_asks_it_with_more_repeats_and_fits_the_class_alone_once(store, demo_files, monkeypatch):
    """The engine trains everything; the second round needs a repeat more of the class alone than the question on the tasks had."""
    only(monkeypatch, ("tasks", "pointers"))
    monkeypatch.setattr(type(QUESTIONS["tasks"]), "rounds", (1,))
    monkeypatch.setattr(type(QUESTIONS["pointers"]), "rounds", (1, 2))
    read = networks.Pointers.read

    def undecided(self, known, runs):
        return dataclasses.replace(read(self, known, runs), answer=UNDECIDED, more=0.9)

    monkeypatch.setattr(networks.Pointers, "read", undecided)
    run, steps, _ = planned(store, demo_files, worker.execute, bars=False, changes=SMALL | {"epochs": 2})
    children = {what: store.open(run_id) for what, run_id in run.record.facts.children.items()}
    assert list(children) == [
        "tasks 0: tasks",
        "tasks 0: tasks of pointers",
        "pointers 0: pointers",
        "pointers 1: pointers",
    ]
    assert steps["pointers"].state == "undecided" and steps["pointers"].round == 2
    rounds = [arms_of(children[f"pointers {number}: pointers"])[HELPED] for number in (0, 1)]
    assert [len(arm.replicates()) for arm in rounds] == [2, 4]
    assert rounds[1].record.facts.taken_over.fits == 2
    sources = [store.open(run_of(arm.spec.transfer.checkpoint)) for arm in rounds]
    assert [source.record.facts.taken_over.fits for source in sources] == [2, 2]
    report = run.result("investigation")
    assert [one["name"] for one in report["candidates"]].count(f"pointers: {HELPED}") == 1


def test_a_model_that_starts_so_has_its_share_of_the_labels_from_the_beginning(tmp_path, monkeypatch):
    """What more labels buy: the class alone is trained on the same share, or the smaller shares would have seen all labels."""
    fits = tuple(f"20260101-000000-000-aaaa/000-0{fold}" for fold in range(2))
    starts = {"checkpoint": fits[0], "more_checkpoints": fits[1:], "fold_checkpoints": 2, "schedule": "full"}
    spec = Investigation(preset="quick", data=Data(windows="w.parquet"), changes={"folds": 2})
    known = Known(spec, Facts(60, {"a": 30, "b": 30}, 60, 105, 0), Store(tmp_path))
    best = change(known.networks, starts)
    monkeypatch.setattr(labels, "recommended", lambda known: SimpleNamespace(spec=best))
    study = QUESTIONS["labels"].work(known, 0).specs[labels.CURVE]
    for arm in study.arms:
        own, first = study.spec_of(arm.name, "encoder"), study.first_of(arm.name)
        assert first is not None and (own.transfer.schedule, first.model.tasks) == ("full", "class")
        assert own.training == first.training and own.training.train_size == arm.changes["training.train_size"]
    assert study.base.training.repeats == 3 and not study.base.transfer.encoders
    monkeypatch.setattr(labels, "recommended", lambda known: SimpleNamespace(spec=known.networks))
    assert not QUESTIONS["labels"].work(known, 0).specs[labels.CURVE].firsts()


def test_its_value_follows_from_what_the_tasks_and_the_network_came_to(tmp_path, monkeypatch):
    """Also where no plan is asked for; nothing is known of it before the tasks were compared."""
    spec = Investigation(preset="quick", data=Data(windows="w.parquet"))
    known = Known(spec, Facts(60, {"a": 30, "b": 30}, 60, 105, 0), Store(tmp_path), beliefs=beliefs.priors({}))
    known.beliefs["network"] = {"no": 0.1, "yes": 0.9}
    question, sample = QUESTIONS["pointers"], make_comparison()
    arms = tuple(dataclasses.replace(sample.arms[0], name=name, f1=None) for name in ("both (current)", "class only"))
    monkeypatch.setattr(networks, "comparison_of", lambda run: dataclasses.replace(sample, arms=arms))
    assert not question.impossible(known) and not question.needs(known)
    values = {}
    for told in ("together", "apart"):
        after, _ = beliefs.updated(beliefs.priors({}), "tasks", Answer(told, "", ""))
        known.beliefs, known.answers = after | {"network": {"no": 0.1, "yes": 0.9}}, {"tasks": Answer(told, "", "")}
        known.runs = {"tasks": SimpleNamespace(id=told, record=SimpleNamespace(kind="study"))}
        assert question.needs(known) and not question.impossible(known)
        values[told] = order.value(known, question)
    odds = {"together": 0.15 / 0.85 * 0.5, "apart": 0.15 / 0.85 * 2}
    assert values == pytest.approx({name: 0.9 * own / (1 + own) for name, own in odds.items()})
    known.facts = dataclasses.replace(known.facts, expansions=0)
    assert "there is one task" in question.impossible(known)


@pytest.mark.usefixtures("unexamined")
def test_on_a_cluster_the_class_alone_is_carried_out_before_the_arms(store, demo_files, monkeypatch):
    """In the place of a cluster: what it is given together is carried out here, one after another."""
    given: list[list[str]] = []

    class Here:
        def execute(self, runs):
            given.append([run.record.name for run in runs])
            for run in runs:
                worker.execute(run)

    monkeypatch.setattr("moola_core.launch.worker.study.side_by_side", lambda run: Here())
    arm = arms_of(finished(store, the_study(demo_files)))[HELPED]
    assert given == [["pointers: first"], ["pointers: both (current)", f"pointers: {HELPED}"]]
    assert arm.spec.transfer.fold_checkpoints == 2 and len(store.runs("finetune")) == 3


def test_what_is_better_for_the_class_and_worse_for_the_pointers_is_not_taken_over(monkeypatch):
    sample = make_comparison()
    arms = tuple(dataclasses.replace(sample.arms[0], name=name, model="network") for name in ("both", HELPED))
    better = dataclasses.replace(
        sample.verdicts[0], arm=HELPED, against="both", metric="auroc", delta=0.3, low=0.2, high=0.4, verdict="helps"
    )
    worse = dataclasses.replace(better, metric="hit_at_3", delta=-0.3, low=-0.4, high=-0.2, verdict="hurts")
    made = dataclasses.replace(sample, arms=arms, verdicts=(better, worse), against="both")
    monkeypatch.setattr(pretraining, "comparison_of", lambda run: made)
    run = SimpleNamespace(id="run", record=SimpleNamespace(facts=facts.Facts()), spec=SimpleNamespace(arms=()))
    said = QUESTIONS["pointers"].read(None, {"pointers": run})
    assert said.answer == UNDECIDED and "adopted" not in said.numbers
    assert (
        f"{HELPED} is better in AUROC +0.30" in said.outcome
        and "and worse in Center within 3 bars -0.30" in said.outcome
    )
