"""Whole investigations of a small demo market."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

import pytest

from moola_core.cli import main
from moola_core.diagnostics.results import InvestigationReport
from moola_core.errors import DataError, SpecError
from moola_core.investigation import order
from moola_core.investigation.questions import data, learning, pretraining
from moola_core.launch import worker
from moola_core.launch.worker import investigate
from moola_core.market.demo import make_demo, write_demo
from moola_core.runs.codec import restore
from moola_core.runs.recommended import recommended
from moola_core.runs.store import Run, Store
from moola_core.specs import Data, Investigation

SMALL = {
    "folds": 2,
    "processes": 1,
    "epochs": 4,
    "hidden": 8,
    "pretrain.training.epochs": 1,
    "pretrain.sampling.stride_bars": 40,
}
VALUE = order.value
ASKED = ("data", "learnable", "current", "network", "pretraining")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("market")
    write_demo(folder, make_demo("helpful", bars=12_000, windows=40, seed=3))
    return {"windows": str(folder / "windows.parquet"), "bars": str(folder / "bars.parquet")}


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """Quick models and checks, and a single round of the questions that take long."""
    simple = {"logistic on aggregates": {"estimator": "logistic"}, "majority": {"estimator": "majority"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moola_core.estimators.extra_trees.TREES", 20)
        patch.setattr(learning, "SIMPLE", simple)
        for kind in (pretraining.Pretraining, learning.NetworkNeeded):
            patch.setattr(kind, "rounds", (1,))
        patch.setattr(data.Ceiling, "needs", lambda self, known: False)
        ask(patch, ASKED)
        yield


def ask(patch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    """Let all questions but these be expected to change nothing."""
    patch.setattr(order, "value", lambda known, one: VALUE(known, one) if one.id in names else 0.0)


def asked(store: Store, files: dict[str, str], **more) -> Run:
    given = {"preset": "quick", "data": Data(**files), "changes": SMALL, "budget_s": 600.0} | more
    return store.create(Investigation(**given), "investigation")


def report_of(run: Run) -> InvestigationReport:
    return restore(InvestigationReport, run.result("investigation"))


def without_time(report: InvestigationReport) -> tuple:
    """What a report says, less what depends on the clock and on ids."""
    steps = [(step.question, step.round, step.answer, step.outcome) for step in report.steps]
    best = dataclasses.replace(report.best, run_id="") if report.best else None
    return sorted(steps), [one.text for one in report.conclusion], best


@pytest.fixture(scope="module")
def whole(tmp_path_factory, files) -> Run:
    run = asked(Store(tmp_path_factory.mktemp("whole")), files)
    worker.run(run)
    return run


def test_an_investigation_ends_with_a_conclusion_that_rests_on_runs(whole):
    report, store = report_of(whole), Store(whole.store_root)
    assert {step.question for step in report.steps} == set(ASKED)
    assert all(step.state in ("answered", "undecided") for step in report.steps)
    assert report.ended.startswith("No open question")
    kinds = [one.kind for one in report.conclusion]
    assert kinds[0] == "model" and {"target", "pretraining", "cause"} <= set(kinds)
    for one in report.conclusion:
        assert one.run_id and store.open(one.run_id).record.state == "done", one.text
    assert report.best is not None and report.best.low <= report.best.expected <= report.best.high
    assert recommended(whole).id == report.best.run_id
    assert whole.record.state == "done" and whole.record.facts.doing is None


def test_an_interrupted_investigation_goes_on_and_comes_to_the_same_conclusion(whole, tmp_path_factory, files):
    before, store = report_of(whole), Store(tmp_path_factory.mktemp("again"))
    run = asked(store, files)

    def listen(event, progress):
        if event.fold == 1 and len(run.record.facts.children) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.run(run, listen)
    assert run.record.state != "done"
    done = {record.run_id: record.ended for record in store.runs() if record.state == "done"}
    worker.resume(run)
    after = {record.run_id: record.ended for record in store.runs()}
    assert without_time(report_of(run)) == without_time(before)
    assert all(after[run_id] == ended for run_id, ended in done.items())  # nothing was run twice
    children = list(run.record.facts.children.values())
    assert len(children) == len(set(children)) == len(whole.record.facts.children)


def test_a_child_that_fails_is_a_finding_and_not_the_end(tmp_path, files, monkeypatch):
    ask(monkeypatch, ("data", "learnable"))
    monkeypatch.setitem(
        learning.SIMPLE,
        "broken",
        {"estimator": "logistic", "features.columns": ("price_path",), "training.embargo_bars": 100_000},
    )
    run = asked(Store(tmp_path), files)
    worker.run(run)
    steps = {step.question: step for step in report_of(run).steps}
    assert steps["learnable"].state == "answered" and "Failed: broken: " in steps["learnable"].outcome
    assert run.record.state == "done"


def test_the_budget_ends_what_is_running_and_keeps_what_is_finished(tmp_path, files, monkeypatch):
    ask(monkeypatch, ("data", "current"))
    priors = {"data": {"sound": 0.5, "faulty": 0.5}, "current": {"nothing": 0.9, "cause": 0.1}}
    run, events = asked(Store(tmp_path), files, priors=priors), []
    monkeypatch.setattr(investigate.Investigator, "spent_s", property(lambda self: 150.0 * len(events)))
    worker.run(run, lambda event, progress: events.append(event))
    report = report_of(run)
    assert run.record.state == "done" and report.steps
    assert report.ended == f"The budget ended while a question was open: {report.steps[-1].title}"
    assert [step.state for step in report.steps] == ["answered", "cut"]
    assert Store(tmp_path).open(report.steps[-1].run_id).record.state == "cancelled"


def test_the_command_prints_the_conclusion_and_its_keys(tmp_path, files, monkeypatch, capsys):
    ask(monkeypatch, ("data", "learnable"))
    given = ["investigate", "--windows", files["windows"], "--bars", files["bars"], "--store", str(tmp_path)]
    assert main([*given, "--set", "folds=2", "--goal", "f1_macro > 0.5", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert {"run_id", "conclusion", "best", "steps", "next"} <= set(values)
    assert set(values["best"]) >= {"model", "metric", "measured", "expected", "low", "high"}
    assert all({"question", "why", "outcome", "run_id", "seconds"} <= set(step) for step in values["steps"])
    assert values["best"]["metric"] == "f1_macro"
    for bad, words in (
        ("--budget 0x", "budget"),
        ("--goal better", "a metric, a comparison"),
        ("--preset nosuch", "nosuch"),
        ("--checkpoint nosuch.pt", "nosuch.pt"),
    ):
        assert main([*given, *bad.split()]) == 2
        assert words in capsys.readouterr().err
    assert len(Store(tmp_path).runs("investigation")) == 1


def test_a_budget_shorter_than_the_shortest_question_is_refused(tmp_path, files):
    run = asked(Store(tmp_path), files, budget_s=1.0)
    with pytest.raises(SpecError, match="shorter than the shortest question"):
        worker.run(run)
    assert run.record.state == "failed"


def test_windows_from_which_nothing_can_be_learned_are_refused(tmp_path):
    for name, windows, words in (("few", 12, "at least 20"),):
        write_demo(tmp_path / name, make_demo("helpful", bars=9_000, windows=windows, seed=3))
        spec = Investigation(data=Data(windows=str(tmp_path / name / "windows.parquet")))
        with pytest.raises(DataError, match=words):
            investigate.opened(spec, tmp_path)


def test_one_class_is_refused(tmp_path, files):
    import pandas as pd

    frame = pd.read_parquet(files["windows"])
    path = tmp_path / "one.parquet"
    frame[frame["label"] == "retracement"].assign(grade="A").to_parquet(path)
    with pytest.raises(DataError, match="only one class"):
        investigate.opened(Investigation(data=Data(windows=str(path))), tmp_path)


def test_unknown_questions_among_the_priors_are_refused(tmp_path, files):
    spec = Investigation(data=Data(**files), priors={"netwrk": {"yes": 1.0}})
    with pytest.raises(SpecError, match="netwrk"):
        investigate.opened(spec, tmp_path)
