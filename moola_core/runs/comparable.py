"""Which runs can be compared: known before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from moola_core.errors import RunError
from moola_core.runs.store import Run, Store


def comparable(store: Store, run_ids: Sequence[str]) -> list[Run]:
    """The runs that are to be compared, after a look at whether they can be.

    Parameters
    ----------
    store : Store
        Where the runs are.
    run_ids : sequence of str
        Their ids; one that is named twice counts once.

    Returns
    -------
    list of Run
        In the order of `run_ids`.

    Raises
    ------
    RunError
        For a run that is not there, is no cross-validated run or is not done, for fewer than two runs, and for runs that have no
        window in common.
    """
    runs = [store.open(run_id) for run_id in dict.fromkeys(run_ids)]
    for run in runs:
        record = run.record
        if record.kind != "finetune" or record.state != "done":
            raise RunError(
                f"is a {record.kind} run that is {record.state}.",
                where=f"run {run.id}",
                hint="Compare cross-validated runs that are done.",
            )
    if len(runs) < 2:
        raise RunError("one run cannot be compared with itself.", hint="Name two or more.")
    predicted = {run.id: {str(name) for name in run.table("predictions")["window_id"].to_pylist()} for run in runs}
    if not set.intersection(*predicted.values()):
        each = ", ".join(f"{run.id} {len(predicted[run.id])} of {_file_of(run)}" for run in runs)
        raise RunError(
            f"the runs have no window in common. Windows that each of them predicts: {each}.",
            hint="Compare runs of the same labelled windows.",
        )
    return runs


def _file_of(run: Run) -> str:
    return PurePath(run.record.data.get("windows", "")).name or "an unnamed file"
