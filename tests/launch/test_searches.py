"""Searches: trials, their proposals, pruning, interruption, budget, and the best of them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score

from moola_core.cli import main
from moola_core.diagnostics.fitted import load_fitted
from moola_core.diagnostics.results.search import COMPLETE, FAILED, PRUNED, Trial
from moola_core.errors import RunError, SpecError, StoreError
from moola_core.features.matrix import window_matrix
from moola_core.launch import worker
from moola_core.launch.worker import search
from moola_core.launch.worker.ending import EndedEarly
from moola_core.launch.worker.proposals import propose
from moola_core.market.windows import load_windows
from moola_core.presets import preset
from moola_core.runs import Store
from moola_core.runs.codec import restore
from moola_core.runs.facts import Facts
from moola_core.searches import search_spec
from moola_core.specs import change
from moola_core.training.events import Event

CLASSES = ("a", "b")
WINDOWS, FOLDS, REPEATS = 60, 2, 4
SPACE = {
    "training.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True},
    "model.dropout": {"low": 0.0, "high": 0.9},
    "model.normalisation": {"choices": ["none", "layer"]},
}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def base(**changes):
    return change(preset("quick").finetune(), {"training.folds": FOLDS, "training.repeats": REPEATS} | changes)


class Pretended:
    """Carries out trials without training: how often they are right follows from the learning rate, all else from the settings alone.

    Above a dropout of 0.8 a trial fails. `stop` interrupts the trial of this number in its third fit; `flipped` exchanges what is predicted of
    the test windows.
    """

    def __init__(self, stop: int | None = None, flipped: bool = False, seconds: float = 1.0) -> None:
        self.stop, self.flipped, self.seconds = stop, flipped, seconds
        self.fitted: list[tuple[str, int]] = []
        self.begun: list[str] = []

    def __call__(self, run, listen) -> None:
        number, training = int(run.record.name.split()[-1]), run.spec.training
        self.begun.append(run.record.name)
        if run.spec.model.dropout > 0.8:
            run.update(state="failed", error="the dropout is too high.", seconds=self.seconds)
            raise RunError("the dropout is too high.")
        run.update(state="running", facts=replace(run.record.facts, engine="sequential"))
        skill = float(np.exp(-((np.log10(training.learning_rate) + 2.5) ** 2)))
        draw = np.random.default_rng(int(training.learning_rate * 1e9) % 2**31)
        fits = [(repeat, fold) for repeat in range(training.repeats) for fold in range(training.folds)]
        inner = 0.5 + 0.4 * skill + draw.normal(0, 0.02, len(fits))
        target = np.arange(WINDOWS) % 2
        right = draw.random((training.repeats, WINDOWS)) < 0.5 + 0.4 * skill
        try:
            for i, fit in enumerate(fits):
                if fit not in run.replicates():
                    if number == self.stop and i == 2:
                        raise KeyboardInterrupt
                    run.write_replicate(*fit, {}, {}, {"inner": {"f1_macro": float(inner[i])}})
                    self.fitted.append((run.record.name, i))
                listen(Event("epoch", *fit), {"done": i + 1})
        except KeyboardInterrupt as error:
            run.update(state="cancelled", error=str(error), seconds=self.seconds)
            raise
        self.finish(run, target, np.where(right, target, 1 - target))

    def finish(self, run, target, predicted) -> None:
        predicted = 1 - predicted if self.flipped else predicted
        repeats, window = len(predicted), np.array([f"w{i}" for i in range(WINDOWS)])
        columns = {
            "repeat": np.repeat(np.arange(repeats), WINDOWS),
            "fold": np.tile(np.arange(WINDOWS) // 2 % FOLDS, repeats),
            "window_id": np.tile(window, repeats),
            "label": np.tile(np.array(CLASSES)[target], repeats),
            "predicted": np.array(CLASSES)[predicted.ravel()],
            "p_a": np.where(predicted.ravel() == 0, 0.7, 0.3),
            "p_b": np.where(predicted.ravel() == 0, 0.3, 0.7),
        }
        run.write_table("predictions", columns)
        places = {"series_0": np.arange(WINDOWS * repeats) % WINDOWS, "first_0": np.zeros(WINDOWS * repeats, int)}
        role = {"role": np.full(WINDOWS * repeats, "test"), "window_bars": np.full(WINDOWS * repeats, 105)}
        run.write_table("folds", {name: columns[name] for name in ("repeat", "fold", "window_id")} | role | places)
        score = np.mean([f1_score(target, one, average="macro") for one in predicted])
        run.write_result("evaluation", {"metrics": {"f1_macro": {"mean": float(score)}}})
        run.update(state="done", seconds=self.seconds)


def searched(store, execute, **how):
    run = store.create(search_spec(base(), SPACE, **how))
    search.work(run, None, execute)
    return run, restore(search.SearchResult, run.result("search"))


def without_times(result) -> list[tuple]:
    """The trials without what differs from one time to the next."""
    return [(t.number, t.settings, t.state, t.score, t.inner, t.reason) for t in result.trials]


def test_trials_are_runs_of_the_search_and_the_first_has_the_settings_as_they_are(store):
    run, result = searched(store, Pretended(), trials=16, seed=3)
    children = {record.run_id: record for record in store.runs("finetune")}
    assert all(children[trial.run_id].parent == run.id for trial in result.trials) and len(children) == 16
    first = store.open(result.trials[0].run_id).spec
    assert first == base() and result.trials[0].settings["model.dropout"] == base().model.dropout
    states = [trial.state for trial in result.trials]
    assert states.count(COMPLETE) >= 6 and PRUNED in states and FAILED in states, states
    for trial in result.trials:
        record = children[trial.run_id]
        if trial.state == PRUNED:
            assert record.state == "cancelled" and record.error == trial.reason and "behind the median" in trial.reason
            assert trial.score is None and 3 <= len(trial.inner) < FOLDS * REPEATS
        if trial.state == FAILED:
            assert "too high" in trial.reason and trial.settings["model.dropout"] > 0.8
        if trial.state == COMPLETE:
            assert len(trial.inner) == FOLDS * REPEATS
            spec = store.open(trial.run_id).spec
            assert (
                spec == run.spec.trial(trial.settings)
                and spec.training
                == change(base(), {"training.learning_rate": trial.settings["training.learning_rate"]}).training
            )
    best = max(result.complete, key=lambda trial: trial.score)
    assert result.best.number == best.number and result.best.measured == pytest.approx(best.score)
    assert result.best.of == len(result.complete) and result.best.low < result.best.expected < result.best.high
    assert result.ended == "All 16 trials were made." and run.record.progress["done"] == 16


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """What carried out a whole search, and its result."""
    whole = Pretended()
    return whole, searched(Store(tmp_path_factory.mktemp("whole")), whole, trials=14, seed=3)[1]


@pytest.mark.parametrize("stop", [1, 4, 9])
def test_a_search_that_was_interrupted_ends_with_the_trials_of_one_that_was_not(uninterrupted, tmp_path, stop):
    whole, wanted = uninterrupted
    assert {PRUNED, FAILED} <= {trial.state for trial in wanted.trials}
    store = Store(tmp_path / "cut")
    run = store.create(search_spec(base(), SPACE, trials=14, seed=3))
    stopped = next(n for n in range(stop, 14) if wanted.trials[n].state != FAILED)
    cut = Pretended(stopped)
    with pytest.raises(KeyboardInterrupt):
        search.work(run, None, cut)
    kept = restore(search.SearchResult, run.result("search"))
    assert without_times(kept) == without_times(wanted)[:stopped] and kept.ended == "It was interrupted."
    assert kept.best is not None, "what there is is judged"
    again = Pretended()
    search.work(run, None, again)
    result = restore(search.SearchResult, run.result("search"))
    assert without_times(result) == without_times(wanted)
    assert (result.best.expected, result.default) == (wanted.best.expected, wanted.default)
    assert sorted(cut.fitted + again.fitted) == sorted(whole.fitted), "nothing that was finished is fitted again"
    assert len(store.runs("finetune")) == 14


def test_pruning_sees_the_validation_windows_alone(tmp_path):
    """Exchanging every prediction of the test windows changes the scores and not which trials are pruned, nor when."""
    results = [
        searched(Store(tmp_path / str(flipped)), Pretended(flipped=flipped), trials=14, seed=3, sampler="random")[1]
        for flipped in (False, True)
    ]
    plain, flipped = ([(t.state, t.inner, t.reason) for t in one.trials] for one in results)
    assert plain == flipped and PRUNED in [state for state, *_ in plain]
    scores = [[trial.score for trial in one.complete] for one in results]
    assert all(abs(a - b) > 0.01 for a, b in zip(*scores, strict=True) if abs(a - 0.5) > 0.02)


def test_which_fit_ends_first_does_not_decide_what_is_pruned(store):
    """A trial whose fits had all ended before it could be asked is pruned as one that was asked in time."""

    class AllAtOnce(Pretended):
        def __call__(self, run, listen):
            super().__call__(run, lambda event, progress: None)

    _, asked = searched(store, Pretended(), trials=12, seed=3)
    _, late = searched(store, AllAtOnce(), trials=12, seed=3)
    assert without_times(late) == without_times(asked) and PRUNED in [trial.state for trial in late.trials]

    class Replicas(AllAtOnce):
        def finish(self, run, target, predicted):
            run.update(facts=Facts(engine="replicas"))
            super().finish(run, target, predicted)

    _, at_once = searched(store, Replicas(), trials=12, seed=3)
    assert PRUNED not in [trial.state for trial in at_once.trials], "fits that end together are not pruned"


@pytest.mark.usefixtures("unexamined")
def test_the_scores_that_pruning_reads_are_those_of_the_validation_windows(store, demo_files):
    small = {
        "training.epochs": 3,
        "model.hidden": 4,
        "training.processes": 1,
        "data.windows": str(demo_files["windows"]),
    }
    run = store.create(base(**small, **{"training.repeats": 1}))
    worker.run(run)
    windows, _ = load_windows(demo_files["windows"]).trainable(("D",))
    x, folds, wanted = window_matrix(windows, run.spec.features, None, None), run.folds, []
    place = {str(name): i for i, name in enumerate(windows.window_id)}
    for fold in range(FOLDS):
        rows = folds[(folds["fold"] == fold) & (folds["role"] == "inner")]["window_id"].map(place).to_numpy()
        fitted = load_fitted(run, 0, fold)
        with torch.no_grad():
            answered = fitted.model(fitted.scaled(x[rows])).logits.argmax(1).numpy()
        target = np.searchsorted(np.unique(windows.label), windows.label[rows])
        wanted.append(f1_score(target, answered, average="macro"))
    assert search.inner_scores(run, "f1_macro") == pytest.approx(np.cumsum(wanted) / np.arange(1, FOLDS + 1))
    assert search.inner_scores(run, "joint_at_3") == (), "what is not measured of validation windows prunes nothing"
    simple = store.create(base(**small, estimator="majority", **{"training.repeats": 1}))
    worker.run(simple)
    assert search.inner_scores(simple, "f1_macro") == (), "models that select no epoch have no validation windows"


def test_the_budget_begins_no_trial_that_would_end_more_than_a_tenth_beyond_it(store, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("moola_core.launch.worker.search.time.monotonic", lambda: clock[0])

    def ten_seconds(run, listen):
        clock[0] += 10.0
        Pretended(seconds=10.0)(run, listen)

    space = {"training.learning_rate": SPACE["training.learning_rate"]}
    for budget, count, words in ((36, 3, "would have overrun"), (37, 4, "was used up"), (40, 4, "was used up")):
        run = store.create(search_spec(base(), space, trials=50, budget_s=budget))
        search.work(run, None, ten_seconds)
        result = restore(search.SearchResult, run.result("search"))
        assert len(result.trials) == count and words in result.ended, (budget, result.ended)
        assert result.spent_s == 10.0 * count
    run = store.create(search_spec(base(), space, trials=50, budget_s=30))
    run.update(facts=Facts(spent_s=25.0))  # of before an interruption
    search.work(run, None, ten_seconds)
    assert len(run.result("search")["trials"]) == 1, "the first is always made"


def test_a_search_without_any_score_fails_in_a_sentence_and_a_full_disk_ends_it(store):
    run = store.create(
        search_spec(base(**{"model.dropout": 0.85}), {"model.dropout": {"low": 0.81, "high": 0.9}}, trials=3)
    )
    with pytest.raises(RunError, match=r"none of the 3 trials has a score.*dropout is too high"):
        search.work(run, None, Pretended())
    assert [trial["state"] for trial in run.result("search")["trials"]] == [FAILED] * 3

    def full(child, listen):
        raise StoreError("no space left on device.")

    run = store.create(search_spec(base(), SPACE, trials=3))
    with pytest.raises(StoreError, match="no space left"):
        search.work(run, None, full)
    search.work(run, None, Pretended())
    assert len(run.result("search")["trials"]) == 3


def test_data_that_cannot_be_trained_on_end_the_search_at_its_first_trial(store, demo_files, tmp_path, capsys):
    table = pd.read_parquet(demo_files["windows"])
    table["label"] = "consolidation"
    table.to_parquet(tmp_path / "one.parquet")
    files = ["--windows", str(tmp_path / "one.parquet"), "--model", "logistic", "--store", str(store.root)]
    assert main(["search", *files]) == 2
    assert "Traceback" not in (error := capsys.readouterr().err) and "class" in error
    (record,) = store.runs("search")
    assert record.state == "failed" and len(store.runs("finetune")) == 1


def test_settings_that_contradict_each_other_are_a_failed_trial(store):
    space = {
        "model.pointer": {"choices": ["regression", "span"]},
        "model.class_input": {"choices": ["pooled", "aligned"]},
    }
    run = store.create(search_spec(base(), space, trials=10))
    search.work(run, None, Pretended())
    result = restore(search.SearchResult, run.result("search"))
    assert result.ended == "Every combination of the space was tried." and len(result.trials) == 4
    (failed,) = [trial for trial in result.trials if trial.state == FAILED]
    assert "set model.pointer=span" in failed.reason and not failed.run_id


def history(spec, count: int) -> list[Trial]:
    """Trials of a search whose score is highest at a learning rate of 10⁻².⁵."""
    trials: list[Trial] = []
    while len(trials) < count:
        settings = propose(spec, trials)
        off = np.log10(settings["training.learning_rate"]) + 2.5
        trials.append(Trial(len(trials), settings, "r", COMPLETE, float(np.exp(-(off**2)))))
    return trials


def test_proposals_follow_from_the_trials_before_alone_and_tpe_comes_close_to_the_best():
    spec = search_spec(base(), SPACE, seed=5)
    trials = history(spec, 30)
    assert propose(spec, trials) == propose(spec, trials)
    assert propose(spec, trials[:20]) == trials[20].settings
    off = [abs(np.log10(trial.settings["training.learning_rate"]) + 2.5) for trial in trials]
    assert np.mean(off[20:]) < 0.6 * np.mean(off[:10])
    assert propose(search_spec(base(), SPACE, seed=6), trials) != propose(spec, trials)
    even = search_spec(base(), SPACE, seed=5, sampler="random")
    far = [Trial(t.number, t.settings, "r", COMPLETE, -t.score) for t in trials]
    assert propose(even, trials) == propose(even, far), "random proposals do not look at scores"
    lower = search_spec(base(), SPACE, seed=5, metric="log_loss")
    worse = [Trial(t.number, t.settings, "r", COMPLETE, -t.score) for t in trials]
    assert propose(lower, worse) == propose(spec, trials), "of a metric where lower is better the smallest is best"


def test_a_space_of_a_few_values_is_tried_once_each():
    spec = search_spec(base(), {"model.hidden": {"low": 8, "high": 16, "step": 4}, "model.layers": {"choices": [1, 2]}})
    trials: list[Trial] = []
    while (settings := propose(spec, trials)) is not None:
        trials.append(Trial(len(trials), settings, "r", COMPLETE, 0.5))
    tried = {(trial.settings["model.hidden"], trial.settings["model.layers"]) for trial in trials}
    assert len(trials) == spec.size == 6 and tried == {(h, n) for h in (8, 12, 16) for n in (1, 2)}


def test_the_command_searches_says_what_to_expect_and_refuses_before_anything_runs(store, demo_files, tmp_path, capsys):
    space = tmp_path / "SPACE.json"
    space.write_text('{"train_size": {"low": 0.5, "high": 1.0}}', encoding="utf-8")
    files = ["--windows", str(demo_files["windows"]), "--store", str(store.root)]
    small = ["--model", "logistic", "--set", "repeats=1", "--set", "folds=2", "--trials", "3"]
    assert main(["search", str(space), *files, *small, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {"model", "metric", "measured", "expected", "low", "high"} <= set(printed["best"])
    assert printed["best"]["model"] == "logistic" and len(printed["trials"]) == 3 and "default" in printed
    run = store.open(printed["run_id"])
    assert run.record.data_hashes["folds"] and run.record.state == "done"
    before = len(store.runs())
    space.write_text('{"folds": {"choices": [2, 3]}}', encoding="utf-8")
    for arguments, words in (
        ([str(space), *files], "all trials share folds and seeds"),
        (["none.json", *files], "no such file"),
        ([str(demo_files["windows"]), *files], "cannot be read"),
        ([*files, "--model", "majority"], "nothing to search"),
        ([*files, "--budget", "soon"], "90s, 30m or 2h"),
        ([*files, "--metric", "f1_marco"], "Did you mean f1_macro?"),
        (["--store", str(store.root)], "needs labelled windows"),
        (["--resume", run.id, "--trials", "9", *files], "Leave out --windows --trials"),
        (["--resume", printed["trials"][0]["run_id"], "--store", str(store.root)], "it is a finetune run"),
        (["--resume", run.id, "--store", str(store.root)], "nothing left to do"),
    ):
        assert main(["search", *arguments]) == 2, arguments
        assert words in capsys.readouterr().err, arguments
    assert len(store.runs()) == before


@pytest.mark.parametrize(
    ("how", "statuses", "state"),
    [(signal.SIGINT, {130, -2}, "cancelled"), (signal.SIGKILL, {-9}, "lost")],  # a shell reads both of the first as 130
    ids=["Ctrl-C", "kill"],
)
def test_a_search_that_was_ended_keeps_its_trials_and_goes_on(store, demo_files, capsys, how, statuses, state):
    """In a process of its own, as from a shell."""
    arguments = ["--model", "logistic", "--set", "repeats=1", "--set", "folds=2", "--store", str(store.root)]
    command = [sys.executable, "-m", "moola_core", "search", "--windows", str(demo_files["windows"]), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + 90
        while not any(r.state == "done" for r in store.runs("finetune")) and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
        assert process.returncode in statuses, errors.decode()[-2000:]
    finally:
        process.kill()
    (record,) = store.runs("search")
    assert record.state == state
    run = store.open(record.run_id)
    kept = run.result("search")["trials"] if (run.folder / "results" / "search.json").is_file() else []
    assert main(["search", "--resume", record.run_id, "--store", str(store.root), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [trial["run_id"] for trial in printed["trials"]][: len(kept)] == [trial["run_id"] for trial in kept]
    assert len(printed["trials"]) == 3 and printed["ended"] == "Every combination of the space was tried."


def test_a_trial_made_on_other_windows_ends_the_search(store):
    def other_data(run, listen):
        Pretended()(run, listen)
        run.update(data_hashes={"windows": run.id})

    run = store.create(search_spec(base(), {"training.learning_rate": SPACE["training.learning_rate"]}, trials=3))
    with pytest.raises(Exception, match="windows are not those that the run began with"):
        search.work(run, None, other_data)


def test_a_trial_whose_run_was_deleted_is_not_picked_from_and_windows_that_all_share_bars_give_no_corrected_score(
    store,
):
    space = {"training.learning_rate": SPACE["training.learning_rate"]}
    run = store.create(search_spec(base(), space, trials=6, seed=3))
    search.work(run, None, Pretended())
    before = restore(search.SearchResult, run.result("search"))
    store.delete(before.trials[before.best.number].run_id)
    search.work(run, None, Pretended())  # as when it is resumed
    after = restore(search.SearchResult, run.result("search"))
    assert without_times(after) == without_times(before) and after.best.number != before.best.number
    assert after.best.of == before.best.of - 1 and f"deleted: trials {before.best.number}." in run.record.warnings[0]

    class InOneChain(Pretended):
        def finish(self, run, target, predicted):
            super().finish(run, target, predicted)
            folds = run.folds.assign(series_0=0)
            run.write_table("folds", {name: folds[name].to_numpy() for name in folds})

    chained = store.create(search_spec(base(), space, trials=2))
    search.work(chained, None, InOneChain())
    assert chained.result("search")["best"] is None and "share bars" in chained.record.warnings[0]


@pytest.mark.usefixtures("unexamined")
def test_a_run_that_its_parent_ends_is_cancelled_with_the_reason(store, demo_files):
    def listen(event, progress):
        raise EndedEarly("It was behind.")

    run = store.create(base(estimator="majority", **{"data.windows": str(demo_files["windows"])}))
    with pytest.raises(EndedEarly):
        worker.run(run, listen)
    assert (run.record.state, run.record.error) == ("cancelled", "It was behind.")


def test_a_space_is_refused_with_a_search_of_another_kind_of_model():
    with pytest.raises(SpecError, match="does not read it"):
        search_spec(preset("recommended").finetune(), {"model.dropout": {"low": 0.0, "high": 0.5}})
