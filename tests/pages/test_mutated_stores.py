"""Files of a store spoilt at random: every page and every command that reads answers, and what is sound stays listed."""

from __future__ import annotations

import traceback
from pathlib import Path

import numpy as np
import pytest

from moola_core.cli import main
from moola_core.runs.record import RUN_ID
from moola_core.runs.store import Store
from moola_core.ui import state
from tests.app_samples import make_everything, make_predicted, make_run, make_span_run
from tests.faults.mutated import copy_store, mutate
from tests.pages.conftest import PROJECT

EVERY_PAGE = sorted(path.stem for path in (PROJECT / "pages").glob("*.py"))


@pytest.fixture(scope="module")
def whole(dataset, tmp_path_factory) -> Path:
    """A store with runs of most kinds and a decision."""
    root = tmp_path_factory.mktemp("whole") / "artifacts"
    made = make_everything(root, dataset)
    make_predicted(made["run"])
    make_span_run(root, dataset)
    make_run(root, dataset, "failed")
    return root


def commands(root: Path, windows: Path, runs: list[str], out: Path) -> list[list[str]]:
    """Every command that reads a store and computes nothing."""
    each = [["report", run_id, "--format", "json", "--out", str(out / "r.json")] for run_id in runs[:4]]
    reads = [["runs"], ["runs", "--all", "--json"], ["queue"], ["preset"], ["decide", "--list"]]
    reads += [["history", "--windows", str(windows)], ["compare", *runs[:2]]]
    reads += [["pack", run_id, "--no-data", "--out", str(out / "p.zip")] for run_id in runs[:1]]
    return [[*words, "--store", str(root)] for words in [*reads, *each]]


def problems_of_commands(root: Path, windows: Path, out: Path) -> list[str]:
    """Commands that end in a traceback or with a status that is none of theirs."""
    runs = [record.run_id for record in Store(root).runs(include_archived=True)]
    problems = []
    for words in commands(root, windows, runs, out):
        try:
            status = main(words)
        except BaseException:  # noqa: BLE001 - whatever comes is what is counted
            problems.append(f"{words[:2]}: {traceback.format_exc()}")
        else:
            problems += [] if status in (0, 1, 2) else [f"{words}: status {status}"]
    return problems


def problems_of_pages(show, root: Path, pages: list[str], rng: np.random.Generator) -> list[str]:
    """Pages that end in an exception, with a few of the runs chosen."""
    problems = []
    runs = [record.run_id for record in Store(root).runs()]
    chosen = [str(run_id) for run_id in rng.choice(runs, size=min(3, len(runs)), replace=False)]
    at = show("overview")
    for run_id in chosen:
        for page in pages:
            at.query_params["run"] = run_id
            for key in (state.RUN, state.STUDY, state.INVESTIGATION, state.PREDICTION):
                at.session_state[key] = run_id
            at.switch_page(f"pages/{page}.py").run()
            problems += [f"{page} {run_id}: {e.message} {''.join(e.stack_trace[-6:])}" for e in at.exception]
    return problems


def what_else_was_lost(root: Path, whole: Path, what: str) -> list[str]:
    """Sound runs that are not listed as sound, and unreadable ones that cannot be deleted."""
    store = Store(root)
    listed = {record.run_id: record.unreadable for record in store.runs(include_archived=True)}
    sound = {path.name for path in (whole / "runs").iterdir()} - set(RUN_ID.findall(what))
    lost = [f"{run_id} is not listed, or as unreadable" for run_id in sorted(sound) if listed.get(run_id, "gone")]
    for run_id in [run_id for run_id, why in listed.items() if why]:
        store.delete(run_id)
        lost += [f"{run_id} cannot be deleted"] if (store.runs_folder / run_id).exists() else []
    return lost


@pytest.mark.parametrize("seeds", [(14, 19), pytest.param(range(60), marks=pytest.mark.soak)], ids=["short", "long"])
def test_pages_and_commands_answer_whatever_the_files_of_a_store_hold(
    show, dataset, store, whole, tmp_path, seeds, monkeypatch
):
    monkeypatch.setattr("moola_core.reports.export._ask", _asked_here)
    monkeypatch.delenv("MOOLA_TRACEBACK")
    found = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        copy_store(whole, store)
        what = mutate(store, rng)
        pages = EVERY_PAGE if len(seeds) > 10 else [str(rng.choice(EVERY_PAGE))]
        problems = problems_of_commands(store, dataset, tmp_path) + problems_of_pages(show, store, pages, rng)
        problems += what_else_was_lost(store, whole, what)
        found += [f"seed {seed}, {what}\n{problem}" for problem in problems[:3]]
    assert not found, "\n\n".join(found)


def _asked_here(asked: dict, timeout_s: float) -> dict:
    """What the report's process does, in this one."""
    from moola_core.reports.__main__ import write

    return {"files": [str(path) for path in write(asked)]}
