"""How long a run still takes, from its record and events as a viewer reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from moola_core.cli import main
from moola_core.launch.estimate import estimate
from moola_core.launch.estimate import remaining as remaining_module
from moola_core.launch.estimate.remaining import remaining
from moola_core.presets import preset
from moola_core.runs import event_file
from moola_core.runs.facts import Facts
from moola_core.runs.store import Store
from moola_core.specs import Data, Diagnose, Investigation, change
from moola_core.studies import study
from tests.launch.estimate.test_estimate import DATA, WINDOWS, finished, quick

BEGAN = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def at(seconds):
    return BEGAN + timedelta(seconds=seconds)


def started(store, spec, parent=None, **progress):
    """A run that began at BEGAN and has read its data."""
    run = store.create(spec, parent=parent)
    total = spec.training.epochs if spec.kind == "pretrain" else spec.training.folds * spec.training.repeats
    counts = {"train": 1000} if spec.kind == "pretrain" else {"windows": WINDOWS, "window_bars": 105}
    progress = {"done": 0, "before": 0, "total": total, "epochs": spec.training.epochs} | progress
    run.update(state="running", started=BEGAN.isoformat(), facts=Facts.of(counts), progress=progress)
    return run


def fits(run, count, each_s, epochs, first_s=5.0, from_fit=0):
    """So many fits one after another, each of so many seconds and epochs."""
    folds = run.spec.training.folds
    for number in range(count):
        repeat, fold = divmod(from_fit + number, folds)
        begun = first_s + number * each_s
        where = {"repeat": repeat, "fold": fold}
        run.append_events([{"type": "replicate_started", "time": at(begun).isoformat(), **where}])
        run.append_events(
            [
                {
                    "type": "epoch",
                    "epoch": e,
                    "split": "train",
                    "time": at(begun + each_s * e / epochs).isoformat(),
                    **where,
                }
                for e in range(1, epochs + 1)
            ]
        )
        run.append_events([{"type": "replicate_finished", "time": at(begun + each_s).isoformat(), **where}])


def test_at_the_start_it_is_the_estimate(store):
    run = started(store, quick())
    expected = estimate(run.spec, WINDOWS, store)
    left = remaining(run, at(0.1))
    assert left.seconds == pytest.approx(expected.seconds, rel=0.1) and left.low < left.seconds < left.high
    assert remaining(run, at(1000)).seconds > 0  # later than expected: it is not over yet
    run.update(state="done")
    assert remaining(run, at(1)) is None


@pytest.mark.parametrize("each_s", [2.0, 60.0])
def test_later_it_is_the_pace_of_its_own_fits_whatever_was_estimated(store, each_s):
    run = started(store, quick())
    fits(run, 5, each_s, epochs=20)
    left = remaining(run, at(5 + 5 * each_s))
    assert left.seconds == pytest.approx(5 * each_s, rel=0.35, abs=4)
    assert left.low < 5 * each_s + 2 < left.high


def test_the_range_narrows_while_it_runs(store):
    run, widths = started(store, quick()), []
    for done in range(0, 9, 2):
        if done:
            fits(run, 2, 10.0, epochs=20, first_s=5 + 10.0 * (done - 2), from_fit=done - 2)
        left = remaining(run, at(5 + 10.0 * done))
        widths.append(left.high - left.low)
    assert widths[-1] < widths[0] / 3 and all(later <= earlier * 1.1 for earlier, later in pairwise(widths))


def test_fits_that_stop_early_are_whole_fits(store):
    """Of 30 epochs each fit takes 12: a fit that is at its sixth is half done once others have ended so."""
    run = started(store, quick())
    fits(run, 6, 12.0, epochs=12)
    where = {"repeat": 1, "fold": 1}
    for epoch in range(1, 7):
        run.append_events([{"type": "epoch", "epoch": epoch, "time": at(5 + 72 + epoch).isoformat(), **where}])
    left = remaining(run, at(5 + 72 + 6))
    assert left.seconds == pytest.approx(12 * 10 - 78, rel=0.2)


def test_after_a_resume_only_what_this_session_made_sets_the_pace(store):
    run = started(store, quick(), done=5, before=5)
    fits(run, 5, 100.0, epochs=20, first_s=-1000.0)  # before the interruption, on a busy host
    assert remaining(run, at(1)).seconds < 100
    fits(run, 3, 10.0, epochs=20, from_fit=5)
    run.update(progress=run.record.progress | {"done": 8})
    assert remaining(run, at(35)).seconds == pytest.approx(20, rel=0.4)


def test_time_goes_by_between_events(store):
    run = started(store, quick())
    fits(run, 4, 10.0, epochs=20)
    now, later = remaining(run, at(45)).seconds, remaining(run, at(50)).seconds
    assert now - 7 < later < now - 2


@pytest.mark.parametrize("each_s", [20.0, 200.0])
def test_of_very_many_events_those_at_the_end_say_the_same(store, monkeypatch, each_s):
    run = started(store, quick(), done=6)
    fits(run, 6, each_s, 20)
    whole = remaining(run, at(5 + 6 * each_s))
    size = event_file.size_of(run.folder)
    monkeypatch.setattr(remaining_module, "WHOLE_BYTES", size // 4)
    monkeypatch.setattr(remaining_module, "TAIL_BYTES", size // 4)
    lately = remaining(run, at(5 + 6 * each_s))
    assert lately.seconds == pytest.approx(whole.seconds, rel=0.1)


def test_pretraining_follows_its_epochs(store):
    spec = change(preset("quick").pretrain(), {"data.bars": "bars.parquet"})
    run = started(store, spec)
    for epoch in range(1, 11):
        values = {"loss": 1.0, "seconds": 4.0}
        run.append_events([{"type": "epoch", "epoch": epoch, "time": at(3 + 4 * epoch).isoformat(), "values": values}])
    assert remaining(run, at(43)).seconds == pytest.approx(40, rel=0.2)


def test_a_study_counts_what_is_left_of_each_run(store):
    spec = study("losses", "quick", DATA)
    for seed in range(6):
        finished(store, quick(seed=1000 + seed), 40.0, 34.0, parent="20260101-000000-000-abcd")
    run = store.create(spec)
    run.update(state="running", started=BEGAN.isoformat(), facts=Facts(sizes={"windows": WINDOWS}))
    left = [remaining(run, at(1)).seconds]
    children = {}
    for arm in spec.arms[:2]:
        child = finished(store, spec.spec_of(arm.name), 91.0, 85.0, parent=run.id)
        children[f"arm {arm.name}"] = child.id
        run.update(facts=replace(run.record.facts, children=dict(children)))
        left.append(remaining(run, at(91 * len(children))).seconds)
    assert left[0] > left[1] > left[2] > 0
    assert left[0] - left[1] == pytest.approx(91, rel=0.2)


def test_an_investigation_ends_with_its_budget(store):
    run = store.create(Investigation(data=Data(**DATA), budget_s=600))
    run.update(state="running", started=BEGAN.isoformat(), progress={"done": 0, "total": 600})
    first = remaining(run, at(1))
    run.update(progress={"done": 400, "total": 600})
    later = remaining(run, at(400))
    assert (
        first.seconds > 300
        and first.high <= 660
        and later.high <= 260
        and 0 < later.low < later.seconds < first.seconds
    )


def test_other_kinds_have_their_pace_alone(store):
    run = store.create(Diagnose(name="shift", data=Data(**DATA)))
    run.update(state="running", started=BEGAN.isoformat(), progress={"done": 0, "total": 8})
    assert remaining(run, at(10)) is None
    run.update(progress={"done": 2, "total": 8})
    assert remaining(run, at(10)).seconds == pytest.approx(30)


def test_runs_that_go_on_say_how_long_they_take_on_the_command_line(store, capsys):
    run = started(store, quick())
    began = datetime.now(UTC)
    run.update(started=began.isoformat())
    other = finished(store, quick(seed=1), 40.0, 34.0)
    assert main(["runs", "--store", str(store.root), "--json"]) == 0
    rows = {row["run_id"]: row["remaining"] for row in json.loads(capsys.readouterr().out)}
    left = rows[run.id]
    assert 0 < left["low"] < left["seconds"] < left["high"] and rows[other.id] is None
    assert main(["runs", "--store", str(store.root)]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert " to " in lines[run.id] and " to " not in lines[other.id]
