"""What stands beside what: refused with a sentence before anything is computed."""

from __future__ import annotations

import pytest

from moola_core.cli import main
from moola_core.errors import RunError
from moola_core.launch import worker
from moola_core.runs import Store
from moola_core.runs.comparable import comparable
from moola_core.runs.facts import Facts
from moola_core.specs import Compare
from tests.app_samples import make_data, make_run

FACTS = Facts(
    windows=60,
    window_bars=105,
    best_epochs=(3,),
    epochs_run=(4,),
    trainable_parameters=9,
    shared_parameters=5,
)


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


def made(store, windows, renamed=0, kept=60):
    """A finished run that predicts the first `kept` of the 60 windows, the last `renamed` of these under other names."""
    run = make_run(store.root, windows)
    table = run.predictions
    names = sorted(table["window_id"].unique())[:kept]
    table = table[table["window_id"].isin(names)].reset_index(drop=True)
    others = {name: f"other {name}" for name in names[len(names) - renamed :]}
    table["window_id"] = table["window_id"].map(lambda name: others.get(name, name))
    run.write_table("predictions", {name: table[name].to_numpy() for name in table})
    run.update(facts=FACTS, data_hashes={"windows": f"{renamed} {kept}"})
    return run


def test_comparing_runs_that_share_no_window_is_refused_with_a_sentence(store, windows, capsys):
    first, second = made(store, windows), made(store, windows, renamed=60)
    before = len(store.runs())
    assert main(["compare", first.id, second.id, "--store", str(store.root)]) == 2
    said = capsys.readouterr()
    assert "the runs have no window in common" in said.err and f"{second.id} 60 of windows.parquet" in said.err
    assert said.out == "" and "Traceback" not in said.err
    assert len(store.runs()) == before, "no run is left behind"
    queued = store.create(Compare(runs=(first.id, second.id)))
    with pytest.raises(RunError, match="no window in common"):
        worker.run(queued)
    assert queued.record.state == "failed" and "sequence" not in queued.record.error


def test_runs_need_a_window_that_all_of_them_predict(store, windows):
    """Each two of the three share 20 windows, all three share none."""
    parts = [made(store, windows) for _ in range(3)]
    names = sorted(parts[0].predictions["window_id"].unique())
    for k, run in enumerate(parts):
        table = run.predictions
        table = table[table["window_id"].isin([*names, *names][20 * k : 20 * k + 40])]
        run.write_table("predictions", {name: table[name].to_numpy() for name in table})
    assert len(comparable(store, [run.id for run in parts[:2]])) == 2
    with pytest.raises(RunError, match="no window in common"):
        comparable(store, [run.id for run in parts])


def test_runs_that_share_a_single_window_are_set_side_by_side(store, windows):
    run = store.create(Compare(runs=(made(store, windows).id, made(store, windows, kept=1).id)))
    worker.run(run)
    found = run.result("comparison")
    assert found["common"] == 1 and "different windows" in found["no_verdict"]
