import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest

from moola_core.errors import DataError, FailedRun, RunError, StoreError
from moola_core.host.choices import shape_of
from moola_core.host.figures import Figures, Row, processor, software, write
from moola_core.launch import worker
from moola_core.launch.estimate import estimate
from moola_core.launch.worker.compare import build
from moola_core.presets import preset
from moola_core.runs import Store, cancelling, files
from moola_core.runs.facts import Fitting
from moola_core.runs.record import RESUMABLE
from moola_core.specs import change
from moola_core.training import processes
from moola_core.training.weightings import uncertainty

SMALL = {"epochs": 2, "repeats": 1, "folds": 3, "hidden": 4, "processes": 1, "eval_every_epochs": 1}


def spec_of(demo_files, **changes):
    values = {"data.windows": str(demo_files["windows"]), "data.bars": str(demo_files["bars"])}
    return change(preset("quick").finetune(), values | SMALL | changes)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def test_a_run_leaves_everything_that_the_design_promises(store, demo_files):
    run = store.create(spec_of(demo_files))
    heard = []
    worker.run(run, lambda event, progress: heard.append((event.type, dict(progress))))
    record = run.record
    assert record.state == "done" and record.progress["done"] == record.progress["total"] == 3
    assert {"windows", "bars", "folds"} <= record.data_hashes.keys() and record.versions["torch"] and record.device
    assert record.facts.windows == 60 and record.facts.window_bars == 105 and record.facts.trainable_parameters > 0
    predictions = run.predictions
    columns = ["repeat", "fold", "window_id", "label", "predicted", "p_consolidation", "p_retracement"]
    assert list(predictions.columns) == [*columns, "start_true", "end_true", "start_pred", "end_pred"]
    assert sorted(predictions["window_id"]) == sorted(set(predictions["window_id"])) and len(predictions) == 60
    assert set(run.folds["role"]) >= {"train", "inner", "test"}
    assert len(run.steps) > 0 and len(run.replicates()) == 3
    assert run.result("evaluation")["metrics"]["f1_macro"]["mean"] > 0
    assert {"replicate_started", "epoch", "monitor", "replicate_finished"} <= {event["type"] for event in run.events()}
    assert heard and not record.warnings
    assert record.facts.fits_at_limit == 0 and not run.steps["at_limit"].any()


@pytest.mark.timeout(120)
def test_a_run_whose_fitting_process_is_killed_while_it_starts_ends_as_failed_and_can_be_resumed(
    store, demo_files, monkeypatch
):
    run, start = store.create(spec_of(demo_files, processes=2)), processes._start

    def killed(*given):
        child = start(*given)
        child.process.kill()
        return child

    monkeypatch.setattr(processes, "_start", killed)
    with pytest.raises(FailedRun, match="ended on its own") as caught:
        worker.run(run)
    record = run.record
    assert record.state == "failed" and record.state in RESUMABLE and caught.value.exit_status == 1
    assert "killed by signal 9" in record.error and "training.processes=1" in record.error


def test_a_sigma_that_reaches_its_limit_is_recorded_and_the_doctor_says_so(store, demo_files, monkeypatch):
    monkeypatch.setattr(uncertainty, "LOG_VARIANCE_LIMIT", 0.05)
    run = store.create(spec_of(demo_files, log_variance_lr=0.05))
    worker.run(run)
    assert run.record.facts.fits_at_limit == 3
    steps = run.steps
    limits = [np.exp(-0.025) - 1e-6, np.exp(0.025) + 1e-6]
    assert steps["sigma_pointer"].between(*limits).all() and steps["at_limit"].isin([0, 1]).all()
    last = steps.groupby(["repeat", "fold"]).last()
    assert run.record.facts.sigma_ratios[0] == pytest.approx((last["sigma_pointer"] / last["sigma_class"]).mean())
    (finding,) = [one for one in run.result("doctor")["findings"] if one["check"] == "sigma_at_limit"]
    assert finding["summary"].startswith("In 3 of 3 fits σ reached the limit")


@pytest.mark.usefixtures("unexamined")
def test_the_same_spec_gives_the_same_predictions(store, demo_files):
    runs = [store.create(spec_of(demo_files)) for _ in range(2)]
    for run in runs:
        worker.run(run)
    first, second = (run.predictions for run in runs)
    assert first.equals(second)
    assert runs[0].record.data_hashes == runs[1].record.data_hashes


@pytest.mark.usefixtures("unexamined")
def test_the_record_says_which_engine_was_used_and_why(store, demo_files):
    runs = [store.create(spec_of(demo_files, engine=engine, device="cpu")) for engine in ("auto", "replicas")]
    for run in runs:
        worker.run(run)
    facts = [run.record.facts for run in runs]
    assert [one.engine for one in facts] == ["sequential", "replicas"]
    assert "CPU" in facts[0].engine_why and "training.engine=replicas" in facts[1].engine_why
    tables = [run.predictions.sort_values("window_id") for run in runs]
    assert np.allclose(*(table["p_retracement"] for table in tables), atol=1e-4)
    told = [build("pair", {"a": runs[0], "b": other}, "a", 0.02, 0).differences for other in (runs[1], runs[0])]
    assert [row.values for row in told[0] if row.name == "engine"] == [{"a": "sequential", "b": "replicas"}]
    assert "engine" not in {row.name for row in told[1]}
    for run in runs:  # each choice is estimated from a run that made it
        found = estimate(run.spec, 60, store)
        assert run.id in found.source and ("all fits at once" in found.source) == (run is runs[1])
        before = estimate(run.spec, 60, store).seconds
        run.update(seconds=1000.0, facts=replace(run.record.facts, fitting=Fitting(990.0, 3)))
        assert estimate(run.spec, 60, store).seconds > 3 * before


@pytest.mark.usefixtures("unexamined")
def test_a_run_is_computed_as_this_host_was_measured_to_do_it_fastest_and_goes_on_so(store, demo_files):
    spec = spec_of(demo_files, device="cpu", processes=0)
    rows = [
        Row(shape_of(spec, 105), engine, "products", "float32", True, at_once, 1, 0.02, 0.0)
        for engine, at_once in (("sequential", 1), ("replicas", 3))
    ]
    made = Figures(processor(), software(""), "2026-11-26T00:00:00+00:00", 1.0, True, tuple(rows))
    path = write(store.root, made)
    assert "moola tune" in estimate(spec, 60, store).source
    run = store.create(spec)
    worker.run(run)
    assert run.record.facts.engine == "replicas" and "Measured on this host" in run.record.facts.engine_why
    assert run.record.facts.engine_settings.settings["at_once"] == 3
    path.unlink()
    shutil.rmtree(list(run.replicates().values())[-1])
    run.update(state="cancelled")
    worker.resume(run)
    assert run.record.state == "done" and run.record.facts.engine == "replicas"


@pytest.mark.usefixtures("unexamined")
def test_continuous_state_and_the_price_path_train_too(store, demo_files):
    run = store.create(spec_of(demo_files, state="streaming", **{"features.columns": ("relativity", "price_path")}))
    worker.run(run)
    assert len(run.record.facts.features) == 16 and run.record.state == "done"


def test_bad_data_fails_the_run_with_its_sentence(store, demo_files):
    run = store.create(spec_of(demo_files, **{"data.windows": "/nowhere/w.parquet"}))
    with pytest.raises(DataError):
        worker.run(run)
    assert run.record.state == "failed" and run.record.error == "/nowhere/w.parquet: no such file. Check the path."
    assert store.runs()[0].state == "failed"
    with pytest.raises(RunError, match="failed, not queued"):
        worker.run(run)


def test_an_unforeseen_error_is_told_by_the_first_line_that_says_something(store, demo_files, monkeypatch):
    def fail(*given):
        raise RuntimeError("\n\n   no such kernel\n   at line 3")

    monkeypatch.setattr(worker.finetune, "fit_all", fail)
    run = store.create(spec_of(demo_files))
    with pytest.raises(FailedRun):
        worker.run(run)
    assert run.record.error == "RuntimeError: no such kernel. See its log for details."
    assert "at line 3" in run.log_text()


def test_an_interrupt_leaves_a_cancelled_run_that_opens(store, demo_files):
    run = store.create(spec_of(demo_files))

    def interrupt(event, progress):
        if event.type == "replicate_finished":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        worker.run(run, interrupt)
    assert run.record.state == "cancelled" and run.record.ended
    assert store.open(run.id).spec == run.spec


@pytest.mark.parametrize(("wished", "state"), [(False, "lost"), (True, "cancelled")])
def test_a_term_that_nobody_asked_for_leaves_a_lost_run(store, demo_files, wished, state):
    run = store.create(spec_of(demo_files))

    def end(event, progress):
        if wished:
            cancelling.ask(run)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        worker.run(run, end)
    assert run.record.state == state and run.record.ended and signal.getsignal(signal.SIGTERM) is before


def test_a_full_disk_is_the_sentence_of_the_run_that_it_ends(store, demo_files, monkeypatch):
    """As on a real one: nothing can be written until something is taken away."""
    run = store.create(spec_of(demo_files))
    flush, room = files.flush, run.folder / ".room"

    def full(path):
        if room.exists() and "replicates" in str(path):
            raise OSError(28, "No space left on device")
        flush(path)

    monkeypatch.setattr("moola_core.runs.store.flush", full)
    with pytest.raises(StoreError):
        worker.run(run)
    assert run.record.state == "failed" and "No space left on device" in run.record.error
    assert not room.exists() and store.runs()[0].state == "failed"


def test_a_failing_evaluation_loses_only_itself(store, demo_files, monkeypatch):
    monkeypatch.setattr(worker.finetune, "evaluate_run", lambda run: 1 / 0)
    run = store.create(spec_of(demo_files))
    worker.run(run)
    assert run.record.state == "done" and "could not be computed" in run.record.warnings[0]
    assert len(run.predictions) == 60


@pytest.mark.usefixtures("unexamined")
def test_estimates_come_from_measured_steps(store, demo_files):
    spec = spec_of(demo_files)
    guess = estimate(spec, 60, store)
    assert guess.fits == 3 and 0 < guess.low < guess.seconds < guess.high and "table" in guess.source
    large = {"hidden": 96, "processes": 1}
    alone, together = (estimate(change(spec, large | more), 60, store) for more in ({}, {"engine": "replicas"}))
    assert together.seconds > alone.seconds and ", all fits at once" in together.source
    slower = estimate(change(spec, {"hidden": 128, "layers": 2, "pcgrad": True}), 60, store)
    assert slower.seconds > guess.seconds
    run = store.create(spec)
    worker.run(run)
    other = store.create(spec)  # of another version: measures nothing, and is in nobody's way
    other.update(state="done", facts=run.record.facts, seconds=1.0, host=run.record.host)
    (other.folder / "spec.json").write_text('{"kind": "finetune", "invented": 1}')
    known = estimate(spec, 60, store)
    assert run.id in known.source and known.high / known.low < guess.high / guess.low
    fitting = run.record.facts.fitting
    assert fitting.fits == 3 and 0 < fitting.seconds < run.record.seconds
    size = sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file())
    assert 0.1 < size / max(estimate(spec, 60, store).bytes, 1) < 20


@pytest.mark.usefixtures("unexamined")
def test_predictions_of_one_task_alone_are_evaluated(store, demo_files):
    for tasks, name in (("class", "f1_macro"), ("pointers", "hit_at_3")):
        run = store.create(spec_of(demo_files, tasks=tasks, epochs=1))
        worker.run(run)
        metrics = run.result("evaluation")["metrics"]
        assert name in metrics and np.isfinite(metrics[name]["mean"])
        assert ("f1_macro" in metrics) == (tasks == "class")
